"""Equations that say the same as another one, and are easier to decide: for sides with open constants of integration.

What both sides share is taken off; integrals by functions become integrals by variables, derivatives of integrals
integrals of derivatives.
"""

from collections import Counter
from itertools import chain

from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol
from sympy.core.function import AppliedUndef, Function

Sides = tuple[Expr, Expr]

MAX_PEELED = 6
"""Layers."""

EVEN = ("cos", "cosh", "sec", "Abs", "sin", "csc")
"""Functions that take what they are applied to, and its negative but for a constant, to the same value."""


def without_common_terms(sides: Sides) -> Sides:
    """The sides without the terms that both have, which may be so large that nothing else can be seen."""
    left, right = (Counter(Add.make_args(side)) for side in sides)
    common = left & right
    if not common:
        return sides
    return Add(*(left - common).elements()), Add(*(right - common).elements())


def peeled(sides: Sides, layers: int = MAX_PEELED) -> list[Sides]:
    """Equations of which one is true where the given one is, and that no function on both sides hides any longer.

    This is for sides with a constant of integration: what differs by a constant, as branches of inverse functions and
    the integrals of one function do, counts as the same.
    """
    sides = _without_common_factors(_opposed(without_common_terms(sides)))
    inside = _inside(*sides) if layers else []
    return list(chain.from_iterable(peeled(pair, layers - 1) for pair in inside)) or [sides]


def _opposed(sides: Sides) -> Sides:
    """Of two terms that add up to nothing, one on each side."""
    for side, other in (sides, sides[::-1]):
        if other == 0 and isinstance(side, Add) and len(side.args) == 2:
            return side.args[0], S.NegativeOne * side.args[1]
    return sides


def _without_common_factors(sides: Sides) -> Sides:
    left, right = (side.as_powers_dict() for side in sides)
    common = {
        base: min(left[base], right[base])
        for base in left.keys() & right.keys()
        if base != 0 and left[base].is_Rational and right[base].is_Rational
    }
    if not common or (common.keys() == left.keys() == right.keys() and all(left[b] == right[b] for b in common)):
        return sides
    shared = Mul(*(base**exponent for base, exponent in common.items()))
    return sides[0] / shared, sides[1] / shared


def _inside(left: Expr, right: Expr) -> list[Sides]:
    """What is inside the same function, power or integral on both sides."""
    if isinstance(left, Integral) and isinstance(right, Integral):
        same = left.limits == right.limits and all(len(limit) == 1 for limit in left.limits)
        return [(left.function, right.function)] if same else []
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
    return _signed(left.args[0], right.args[0], even=left.func.__name__ in EVEN)


def _signed(left: Expr, right: Expr, even: bool) -> list[Sides]:
    return [(left, right), (left, S.NegativeOne * right)] if even else [(left, right)]


def by_argument(side: Expr) -> Expr:
    """Integrals by a function as integrals by its argument."""
    changed = {}
    for integral in side.atoms(Integral):
        name, *rest = integral.limits[0]
        if rest or len(integral.limits) > 1 or not isinstance(name, AppliedUndef):
            continue
        if len(name.args) == 1 and isinstance(name.args[0], Symbol):
            slope = Derivative(name, name.args[0], evaluate=False)
            changed[integral] = Integral(integral.function * slope, name.args[0])
    return side.xreplace(changed)


def under_integrals(side: Expr) -> Expr:
    """Derivatives of integrals by other variables as integrals of derivatives, whose constants are open as well."""
    changed = {}
    for derivative in side.atoms(Derivative):
        if derivative.expr.has(Integral) and all(count == 1 for _, count in derivative.variable_count):
            moved = derivative.expr
            for variable in derivative.variables:
                moved = _slope(moved, variable)
            changed[derivative] = moved
    return side.xreplace(changed)


def _slope(part: Expr, variable: Expr) -> Expr:
    """The derivative, left as it is but for sums, products and integrals by other variables."""
    if isinstance(part, Integral) and all(len(limit) == 1 and limit[0] != variable for limit in part.limits):
        return Integral(Derivative(part.function, variable, evaluate=False), *part.limits)
    if isinstance(part, Add) and part.has(Integral):
        return Add(*(_slope(term, variable) for term in part.args))
    if isinstance(part, Mul) and part.has(Integral):
        return Add(
            *(part.func(*part.args[:n], _slope(f, variable), *part.args[n + 1 :]) for n, f in enumerate(part.args))
        )
    return Derivative(part, variable, evaluate=False)
