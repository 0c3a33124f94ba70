"""Building an equation, or finding that there is none to build."""

from functools import lru_cache

from sympy import Equality, Expr, Symbol
from sympy.core import random as sympy_random
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, UndefinedFunction
from sympy.core.relational import is_eq


class NotAnEquationError(ValueError):
    """SymPy decides the relation: it holds or fails whatever the names stand for."""


def relate(lhs: Expr, rhs: Expr) -> Equality:
    """`Eq(lhs, rhs)`, where SymPy does not decide it.

    Raises:
        NotAnEquationError: `Eq(lhs, rhs)` is true or false.
    """
    if lhs == rhs or is_eq(lhs, rhs) is not None:
        raise NotAnEquationError(f"Eq({lhs}, {rhs}) is decided")
    return Equality(lhs, rhs, evaluate=False)
