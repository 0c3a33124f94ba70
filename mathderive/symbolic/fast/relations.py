"""Builds equations, and refuses relations that SymPy decides.

SymPy decides some relations when they are built: `Eq(x, x)` is true and `Eq(0, 1)` is false, so neither is an equation.
Asking SymPy each time would cost more than the rest of the generator. So it is not asked about relations that are open
for a simple reason, and only once about all others that are equal up to renaming.
"""

from functools import lru_cache

from sympy import Abs, Add, Derivative, Equality, Expr, Integral, S, Symbol, Tuple, arg, im, re, sign
from sympy.core import random as sympy_random
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.relational import is_eq

from mathderive.symbolic.names import to_pattern

UNKNOWNS = (Symbol, AppliedUndef, Derivative, Integral)
"""Kinds of expressions with no property that SymPy knows, so that they can take any value."""

REAL_FUNCTIONS = (Abs, re, im, arg, sign)
"""Functions that are real for every argument."""

_NOT_FINITE = tuple(type(value) for value in (S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN))


class NotAnEquationError(ValueError):
    """SymPy decides the relation: it is true, or false, for all values of the names."""


def relate(lhs: Expr, rhs: Expr) -> Equality:
    """Returns `Eq(lhs, rhs)` if SymPy does not decide it.

    Raises:
        NotAnEquationError: `Eq(lhs, rhs)` is true or false.
    """
    if lhs == rhs or not _is_open(lhs, rhs):
        raise NotAnEquationError("the relation is decided")
    return Equality(lhs, rhs, evaluate=False)


@lru_cache(maxsize=20_000)
def _is_open(lhs: Expr, rhs: Expr) -> bool:
    """Whether SymPy leaves the relation undecided; many steps leave an equation as it is and ask once more."""
    return is_plainly_open(lhs, rhs) or _is_open_pattern(*to_pattern(Tuple(lhs, rhs))[0])


def is_plainly_open(lhs: Expr, rhs: Expr) -> bool:
    """Whether it is clear, without asking SymPy, that it cannot decide the relation.

    SymPy would have to show that the difference of the sides is zero or is not. For a sum it can do so only if it knows
    that each term is real or imaginary, and it knows this of no term with an unknown.
    """
    if not (_is_finite(lhs) and _is_finite(rhs)):
        return False
    left, right = _terms(lhs), _terms(rhs)
    # A term of only one side is a term of the difference; finding these is faster than subtracting.
    alone = left ^ right if left is not None and right is not None else frozenset()
    if len(alone) >= 2 and any(map(_has_unknown, alone)):
        return True
    difference = lhs - rhs
    return difference.is_Add and any(map(_has_unknown, difference.args))


@lru_cache(maxsize=20_000)
def _terms(side: Expr) -> frozenset[Expr] | None:
    """The terms of a side without coefficients; None if SymPy would multiply one out in the difference."""
    bodies = frozenset(term.as_coeff_Mul()[1] for term in Add.make_args(side))
    return None if any(body.is_Add for body in bodies) else bodies


@lru_cache(maxsize=20_000)
def _is_open_pattern(lhs: Expr, rhs: Expr) -> bool:
    """Whether SymPy leaves the relation undecided; it always starts from the same random state."""
    sympy_random.seed(0)
    return is_eq(lhs, rhs) is None


@lru_cache(maxsize=20_000)
def _is_finite(part: Basic) -> bool:
    return not isinstance(part, _NOT_FINITE) and all(map(_is_finite, part.args))


@lru_cache(maxsize=20_000)
def _has_unknown(term: Expr) -> bool:
    return term.has(*UNKNOWNS) and not term.has(*REAL_FUNCTIONS)
