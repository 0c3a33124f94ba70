"""Whether an expression is 0 in disguise: where the premises hold, whatever it looks like."""

from collections.abc import Iterable

from sympy import Add, Derivative, Equality, Expr, Integral

from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators import SYMPY_ERRORS, multiplied_out
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.fast.replacement import replace


def is_zero_given(premises: Iterable[Equality], expression: Expr) -> bool:
    """Whether definitions, derivatives, integrals and multiplying out turn an expression into 0.

    So `F**r - sin(r)**r` is 0 where a premise says that F is sin(r), and an integral of 0 is, as SymPy has it. What
    none of those shows to be 0 is taken for something else, as is what SymPy fails on.

    Args:
        premises: in the order in which they came; each defines its left side by what stood before.
        expression: any.
    """
    try:
        for premise in reversed(tuple(premises)):
            expression = replace(expression, premise.lhs, premise.rhs)
        # Nothing else is left that could cancel.
        if expression.has(Add, Derivative, Integral):
            expression = multiplied_out(carry_out(expression))
        return expression == 0
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return False
