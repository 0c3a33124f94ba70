"""Whether an expression equals 0 where the premises hold, although it looks different."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Pow, Symbol
from sympy.core import random as sympy_random

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.expansion import multiply_out
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def given_symbols(premises: Iterable[Equality]) -> set[Expr]:
    """The symbols that premises mention, which are all but the constants of integration."""
    return set().union(*(premise.free_symbols for premise in premises))


def has_no_zero_side(premises: Sequence[Equality], equation: Equality, _operand: Expr | None) -> bool:
    """Whether neither side is 0 under the premises: the guard of operators that give 0 no value, or a wrong one."""
    return not any(is_zero_given(premises, side) for side in equation.args)


def is_zero_given(premises: Sequence[Equality], expression: Expr) -> bool:
    """Whether definitions, derivatives, integrals and expansion turn an expression into 0.

    For example, `F**r - sin(r)**r` is 0 where a premise says that F is sin(r), and so is an integral of 0, or the
    difference of an integral and its value with a constant, `C - cos(x) - Integral(sin(x), x)`. An expression counts as
    different from 0 if none of these steps shows that it is 0, or if SymPy fails on it.

    Args:
        premises: the premises in order; each defines its left side by the equations before it.
        expression: any expression.
    """
    has_integral = expression.has(Integral)
    constants = frozenset(expression.free_symbols - given_symbols(premises)) if has_integral else frozenset()
    try:
        for premise in reversed(premises):
            expression = replace(expression, premise.lhs, premise.rhs)
    except SYMPY_ERRORS:
        return False
    is_zero = _evaluates_to_zero(expression, constants)
    sympy_random.seed(0)  # so that later work does not depend on whether the answer was cached
    return is_zero


@lru_cache(maxsize=20_000)
def _evaluates_to_zero(expression: Expr, constants: frozenset[Symbol] = frozenset()) -> bool:
    """Whether derivatives, integrals and expansion turn an expression into 0. Sides are asked about again and again.

    Args:
        constants: the constants of integration, whose sum with that of an integral is 0.
    """
    # Nothing else could cancel.
    if not expression.has(Add, Derivative, Integral):
        return bool(expression == 0)
    if isinstance(expression, Mul):
        return any(_evaluates_to_zero(factor, constants) for factor in expression.args)
    if isinstance(expression, Pow) and expression.exp.is_Integer:
        return bool(expression.exp.is_positive) and _evaluates_to_zero(expression.base, constants)
    if isinstance(expression, Integral) and all(len(limit) == 1 for limit in expression.limits):
        return _evaluates_to_zero(expression.function)  # an integral is slow to evaluate
    try:
        value = multiply_out(carry_out(expression))
        return bool(value == 0 or (constants and value.free_symbols and value.free_symbols <= constants))
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return False
