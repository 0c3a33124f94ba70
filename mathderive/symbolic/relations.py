"""Building an equation, or finding that there is none to build.

SymPy decides some relations when they are built: `Eq(x, x)` is true, `Eq(0, 1)` false, and neither is an equation.
Asking it each time costs more than the rest of the generator, so relations that are open for a plain reason are
not asked about, and the others once for all those equal up to renaming.
"""

from functools import lru_cache

from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Number, S, Symbol, Tuple
from sympy.core import random as sympy_random
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.relational import is_eq

from mathderive.symbolic.renaming import to_pattern

UNKNOWNS = (Symbol, AppliedUndef, Derivative, Integral)
"""What can take any value, or at least is nothing SymPy knows a property of."""


class NotAnEquationError(ValueError):
    """SymPy decides the relation: it holds or fails whatever the names stand for."""


def relate(lhs: Expr, rhs: Expr) -> Equality:
    """`Eq(lhs, rhs)`, where SymPy does not decide it.

    Raises:
        NotAnEquationError: `Eq(lhs, rhs)` is true or false.
    """
    if lhs == rhs or not (is_plainly_open(lhs, rhs) or _is_open_pattern(*to_pattern(Tuple(lhs, rhs))[0])):
        raise NotAnEquationError("the relation is decided")
    return Equality(lhs, rhs, evaluate=False)


def is_plainly_open(lhs: Expr, rhs: Expr) -> bool:
    """Whether the sides can be equal and can be different, seen without a calculation.

    That is so where some unknown occurs on one side only and either the other side is no number, or the unknown
    is a factor of a term and occurs nowhere else, so that it can be solved for.
    """
    left, right = _unknowns(lhs), _unknowns(rhs)
    if left is None or right is None:
        return False
    if not isinstance(lhs, Number) and not isinstance(rhs, Number):
        return left != right
    side, own = (lhs, left) if isinstance(rhs, Number) else (rhs, right)
    return any(_is_solvable_for(side, unknown) for unknown in own)


@lru_cache(maxsize=20_000)
def _is_open_pattern(lhs: Expr, rhs: Expr) -> bool:
    """Asks SymPy, always from the same random state."""
    sympy_random.seed(0)
    return is_eq(lhs, rhs) is None


@lru_cache(maxsize=20_000)
def _unknowns(side: Expr) -> frozenset[Basic] | None:
    """The unknowns in a side; None where it is not finite."""
    if side.has(S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN):
        return None
    return frozenset(side.atoms(*UNKNOWNS))


def _is_solvable_for(side: Expr, unknown: Basic) -> bool:
    holding = [term for term in Add.make_args(side) if term.has(unknown)]
    if len(holding) != 1:
        return False
    factors = [factor for factor in Mul.make_args(holding[0]) if factor.has(unknown)]
    return factors == [unknown]
