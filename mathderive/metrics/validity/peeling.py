"""Simpler equations that say the same: what both sides share is taken off."""

from collections import Counter
from itertools import chain

from sympy import Add, Expr, Mul, Pow, S
from sympy.core.function import AppliedUndef, Function

Sides = tuple[Expr, Expr]

MAX_PEELED = 6
"""Layers."""

EVEN = ("cos", "cosh", "sec", "Abs")
"""Functions that take what they are applied to, and its negative, to the same value."""


def without_common_terms(sides: Sides) -> Sides:
    """The sides without the terms that both have, which may be so large that nothing else can be seen."""
    left, right = (Counter(Add.make_args(side)) for side in sides)
    common = left & right
    if not common:
        return sides
    return Add(*(left - common).elements()), Add(*(right - common).elements())


def peeled(sides: Sides, layers: int = MAX_PEELED) -> list[Sides]:
    """Equations of which one is true where, at all names' values, the given one is; the last layer that there is.

    Inverse functions have many branches. Those that differ by a constant are left out, as a constant of integration
    takes them in: this is for sides that have one.
    """
    sides = _without_common_factors(without_common_terms(sides))
    inside = _inside(*sides) if layers else []
    return list(chain.from_iterable(peeled(pair, layers - 1) for pair in inside)) or [sides]


def _without_common_factors(sides: Sides) -> Sides:
    left, right = (Counter(Mul.make_args(side)) for side in sides)
    common = left & right
    common = Counter({factor: count for factor, count in common.items() if factor != 0})
    if not common:
        return sides
    return Mul(*(left - common).elements()), Mul(*(right - common).elements())


def _inside(left: Expr, right: Expr) -> list[Sides]:
    """What is inside the same function, or the same power, on both sides."""
    if isinstance(left, Pow) and isinstance(right, Pow):
        if left.base == right.base:
            return [(left.exp, right.exp)]
        if left.exp == right.exp:
            return _signed(left.base, right.base, even=bool(left.exp.is_even))
        return []
    if not isinstance(left, Function) or left.func != right.func or isinstance(left, AppliedUndef):
        return []
    if len(left.args) != 1:
        return []
    # sin(x) is sin(pi - x): a constant aside, that is the sign.
    name = left.func.__name__
    return _signed(left.args[0], right.args[0], even=name in (*EVEN, "sin", "csc"))


def _signed(left: Expr, right: Expr, even: bool) -> list[Sides]:
    return [(left, right), (left, S.NegativeOne * right)] if even else [(left, right)]
