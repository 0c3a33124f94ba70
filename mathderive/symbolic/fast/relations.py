"""Building an equation, or finding that there is none to build.

SymPy decides some relations when they are built: `Eq(x, x)` is true, `Eq(0, 1)` false, and neither is an equation.
Asking it each time costs more than the rest of the generator, so relations that are open for a plain reason are
not asked about, and the others once for all those equal up to renaming.
"""

from functools import lru_cache

from sympy import Abs, Add, Derivative, Equality, Expr, Integral, S, Symbol, Tuple, arg, im, re, sign
from sympy.core import random as sympy_random
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.relational import is_eq

from mathderive.symbolic.names import to_pattern

UNKNOWNS = (Symbol, AppliedUndef, Derivative, Integral)
"""What can take any value, or at least is nothing SymPy knows a property of."""


REAL_FUNCTIONS = (Abs, re, im, arg, sign)
"""What is real whatever its argument."""


_NOT_FINITE = tuple(type(value) for value in (S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN))


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
    """Whether SymPy cannot decide the relation, seen without asking it.

    It would have to show that the difference is zero or is not. Of a sum it can say so only where it knows each
    term to be real or imaginary, which nothing with an unknown in it is.
    """
    if not (_is_finite(lhs) and _is_finite(rhs)):
        return False
    left, right = _terms(lhs), _terms(rhs)
    # A term of one side alone is one of the difference, and finding those is quicker than subtracting.
    alone = left ^ right if left is not None and right is not None else frozenset()
    if len(alone) >= 2 and any(map(_has_unknown, alone)):
        return True
    difference = lhs - rhs
    return difference.is_Add and any(map(_has_unknown, difference.args))


@lru_cache(maxsize=20_000)
def _terms(side: Expr) -> frozenset[Expr] | None:
    """The terms of a side without their coefficients; None where SymPy would multiply one out in a difference."""
    bodies = frozenset(term.as_coeff_Mul()[1] for term in Add.make_args(side))
    return None if any(body.is_Add for body in bodies) else bodies


@lru_cache(maxsize=20_000)
def _is_open_pattern(lhs: Expr, rhs: Expr) -> bool:
    """Asks SymPy, always from the same random state."""
    sympy_random.seed(0)
    return is_eq(lhs, rhs) is None


@lru_cache(maxsize=20_000)
def _is_finite(part: Basic) -> bool:
    return not isinstance(part, _NOT_FINITE) and all(map(_is_finite, part.args))


@lru_cache(maxsize=20_000)
def _has_unknown(term: Expr) -> bool:
    return term.has(*UNKNOWNS) and not term.has(*REAL_FUNCTIONS)
