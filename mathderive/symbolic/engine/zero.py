"""Whether an expression equals 0 where the premises hold, although it looks different."""

from collections.abc import Iterable

from sympy import Add, Derivative, Equality, Expr, Integral

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
        # Nothing else could cancel.
        if expression.has(Add, Derivative, Integral):
            expression = multiply_out(carry_out(expression))
        return expression == 0
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return False
