"""Whether an expression equals 0 where the premises hold, although it looks different."""

from collections.abc import Iterable
from functools import lru_cache

from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Pow
from sympy.core import random as sympy_random

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.expansion import multiply_out
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def is_zero_given(premises: Iterable[Equality], expression: Expr) -> bool:
    """Whether definitions, derivatives, integrals and expansion turn an expression into 0.

    For example, `F**r - sin(r)**r` is 0 where a premise says that F is sin(r), and so is an integral of 0. An
    expression counts as different from 0 if none of these steps shows that it is 0, or if SymPy fails on it.

    Args:
        premises: the premises in order; each defines its left side by the equations before it.
        expression: any expression.
    """
    try:
        for premise in reversed(tuple(premises)):
            expression = replace(expression, premise.lhs, premise.rhs)
    except SYMPY_ERRORS:
        return False
    is_zero = _evaluates_to_zero(expression)
    sympy_random.seed(0)  # so that later work does not depend on whether the answer was cached
    return is_zero


@lru_cache(maxsize=20_000)
def _evaluates_to_zero(expression: Expr) -> bool:
    """Whether derivatives, integrals and expansion turn an expression into 0. Sides are asked about again and again."""
    # Nothing else could cancel.
    if not expression.has(Add, Derivative, Integral):
        return bool(expression == 0)
    if isinstance(expression, Mul):
        return any(map(_evaluates_to_zero, expression.args))
    if isinstance(expression, Pow) and expression.exp.is_Integer:
        return bool(expression.exp.is_positive) and _evaluates_to_zero(expression.base)
    if isinstance(expression, Integral) and all(len(limit) == 1 for limit in expression.limits):
        return _evaluates_to_zero(expression.function)  # an integral is slow to evaluate
    try:
        return bool(multiply_out(carry_out(expression)) == 0)
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return False
