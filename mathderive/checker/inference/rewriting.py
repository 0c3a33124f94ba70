"""Rewrites an equation with open constants of integration as equivalent ones that are easier to decide.

Terms and functions that both sides share are removed. Integrals by functions become integrals by variables, and
derivatives of integrals become integrals of derivatives.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from sympy import Add, Derivative, Expr, Integral, Mul, Pow, Rational, S, Tuple, exp, log
from sympy.core.function import AppliedUndef, Function

Sides = tuple[Expr, Expr]

MAX_PEELED = 6
"""Maximum number of shared functions that are removed one after another."""

EVEN = ("cos", "cosh", "sec", "Abs")
"""Functions with the same value at an argument and its negative."""

SUPPLEMENTARY = ("sin", "csc")
"""Functions with the same value at an argument and at pi less the argument."""

ODD = ("sin", "csc", "tan", "cot", "sinh", "tanh", "asin", "atan", "asinh", "atanh", "erf", "erfi", "Si")
"""Functions with opposite values at an argument and its negative."""


def without_common_terms(sides: Sides) -> Sides:
    """The sides without what their terms have in common, which may be so large that it hides every other term.

    Terms that differ by a rational factor have the smaller multiple in common: `2 a = a + b` becomes `a = b`.
    """
    left, right = map(_multiples, sides)
    common = {
        term: min(left[term], right[term], key=abs)
        for term in left.keys() & right.keys()
        if left[term] * right[term] > 0
    }
    if not common:
        return sides
    return _without(left, common), _without(right, common)


def _multiples(side: Expr) -> dict[Expr, Rational]:
    """The terms of a side with their rational factors."""
    multiples: dict[Expr, Rational] = {}
    for summand in Add.make_args(side):
        factor, term = summand.as_coeff_Mul(rational=True)
        multiples[term] = multiples.get(term, S.Zero) + factor
    return multiples


def _without(multiples: Mapping[Expr, Rational], common: Mapping[Expr, Rational]) -> Expr:
    return Add(*((factor - common.get(term, S.Zero)) * term for term, factor in multiples.items()))


def with_sums_joined(sides: Sides, is_open: Callable[[Integral], bool]) -> Sides:
    """The sides with one integral in place of a sum of indefinite integrals by the same variable.

    The constants of two integrals add up to that of their sum, for one of them can be chosen so if it is open. It
    cannot be chosen for two sums at once, so equations with several are returned as they are.
    """
    made: set[Integral] = set()
    joined = _joined(sides[0], is_open, made), _joined(sides[1], is_open, made)
    return joined if len(made) == 1 else sides


def _joined(expression: Expr, is_open: Callable[[Integral], bool], made: set[Integral]) -> Expr:
    """Joins the integrals in an expression and adds the new ones to `made`."""
    if not isinstance(expression, Expr) or not expression.has(Integral) or isinstance(expression, Integral):
        return expression
    parts = [_joined(part, is_open, made) for part in expression.args]
    if not isinstance(expression, Add):
        return expression if parts == list(expression.args) else expression.func(*parts)
    terms = list(map(_as_multiple, parts))
    known = {(integral.limits, common) for _, common, integral in terms if integral is not None}
    groups: dict[tuple[Tuple, Expr], list[tuple[Expr, Expr]]] = {}
    rest: list[Expr] = []
    for part, (factor, common, integral) in zip(parts, terms, strict=True):
        if integral is None:
            rest.append(part)
            continue
        # An integral by further variables is one of an integral.
        limits = next(end for end in _ends(integral.limits) if (end, common) in known)
        inner = integral.limits[: len(integral.limits) - len(limits)]
        integrand = Integral(integral.function, *inner) if inner else integral.function
        groups.setdefault((limits, common), []).append((factor, integrand))
    for (limits, common), group in groups.items():
        if len(group) > 1 and any(is_open(Integral(integrand, *limits)) for _, integrand in group):
            symbolic = {factor.as_coeff_Mul()[1] for factor, _ in group}
            shared = symbolic.pop() if len(symbolic) == 1 else S.One
            content, integrand = Add(*(factor / shared * one for factor, one in group)).as_content_primitive()
            whole = Integral(integrand, *limits)
            made.add(whole)
            rest.append(content * shared * common * whole)
        else:
            rest += [factor * common * Integral(integrand, *limits) for factor, integrand in group]
    return Add(*rest)


def _ends(limits: Tuple) -> Iterator[Tuple]:
    """The limits of the outer integrals, from the outermost alone to all of them."""
    return (limits[place:] for place in range(len(limits) - 1, -1, -1))


def _as_multiple(term: Expr) -> tuple[Expr, Expr, Integral | None]:
    """A term as a constant, a factor that may depend on the variable, and an indefinite integral, or None for it.

    Of several integrals it is the one by the most variables.
    """
    factors = Mul.make_args(term)
    integrals = [factor for factor in factors if isinstance(factor, Integral)]
    integral = max(integrals, key=lambda one: len(one.limits), default=None)
    if integral is None or any(len(limit) > 1 for limit in integral.limits):
        return term, S.One, None
    others = [one for one in factors if one is not integral]
    moving = [one for one in others if one.has(Integral, *integral.variables)]
    return Mul(*(one for one in others if one not in moving)), Mul(*moving), integral


def peeled(sides: Sides, layers: int = MAX_PEELED) -> list[Sides]:
    """Equations without the functions that both sides share; one of them is true if the given one is.

    The sides hold a constant of integration, so expressions that differ by a constant count as equal: two branches of
    an inverse function, or two integrals of one function.
    """
    sides = _without_common_factors(_opposed(without_common_terms(sides)))
    inside = _inside(*sides) if layers else []
    return list(chain.from_iterable(peeled(pair, layers - 1) for pair in inside)) or [sides]


def exponentiated(sides: Sides) -> Sides | None:
    """An equation that follows from one with a logarithm alone on a side; None for others.

    The converse need not hold: the other side may be on another branch of the logarithm.
    """
    for side, other in (sides, sides[::-1]):
        if isinstance(side, log) and side.has(Integral):
            return side.args[0], exp(other)
    return None


def differentiated(sides: Sides) -> Sides | None:
    """The sides of which an equation takes the same derivative; None for other equations."""
    left, right = sides
    if isinstance(left, Derivative) and isinstance(right, Derivative) and left.variable_count == right.variable_count:
        return left.expr, right.expr
    return None


def _opposed(sides: Sides) -> Sides:
    """Moves one of two terms whose sum is 0 to the other side."""
    for side, other in (sides, sides[::-1]):
        if other == 0 and isinstance(side, Add) and len(side.args) == 2:
            return side.args[0], S.NegativeOne * side.args[1]
    return sides


def _without_common_factors(sides: Sides) -> Sides:
    left, right = (side.as_powers_dict() for side in sides)
    common = {
        base: left[base] if right[base] - left[base] >= 0 else right[base]
        for base in left.keys() & right.keys()
        if base != 0 and (right[base] - left[base]).is_Rational
    }
    if not common or (common.keys() == left.keys() == right.keys() and all(left[b] == right[b] for b in common)):
        return sides
    shared = Mul(*(base**exponent for base, exponent in common.items()))
    return sides[0] / shared, sides[1] / shared


def _inside(left: Expr, right: Expr) -> list[Sides]:
    """The arguments of the function, power or integral that both sides share."""
    if isinstance(left, Integral) and isinstance(right, Integral):
        same = left.limits == right.limits and all(len(limit) == 1 for limit in left.limits)
        return [(left.function, right.function)] if same else []
    if isinstance(left, Pow) and isinstance(right, Pow):
        if left.base == right.base:
            return [(left.exp, right.exp)]
        if left.exp == right.exp:
            return _signed(left.base, right.base, even=bool(left.exp.is_even))
        return []
    for side, other in ((left, right), (right, left)):
        exponent = _exponent_with_integral(side)
        if exponent is not None and other != 0:
            return [(exponent, log(other * exp(exponent) / side))]
    opposite = False
    for side, other in ((left, right), (right, left)):
        # SymPy writes the sine of `x - C` as the negative one of `C - x`.
        if isinstance(S.NegativeOne * side, Function) and isinstance(other, Function):
            left, right, opposite = S.NegativeOne * side, other, True
    if not isinstance(left, Function) or left.func != right.func or isinstance(left, AppliedUndef):
        return []
    if len(left.args) != 1 or (opposite and left.func.__name__ not in ODD):
        return []
    argument = S.NegativeOne * left.args[0] if opposite else left.args[0]
    if left.func.__name__ in SUPPLEMENTARY:
        return [(argument, right.args[0]), (argument, S.Pi - right.args[0])]
    return _signed(argument, right.args[0], even=left.func.__name__ in EVEN)


def _exponent_with_integral(product: Expr) -> Expr | None:
    """The exponent of the one factor that holds an integral; None where that is not one exponential."""
    factors = [factor for factor in Mul.make_args(product) if factor.has(Integral)] if isinstance(product, Mul) else []
    return factors[0].exp if len(factors) == 1 and isinstance(factors[0], exp) else None


def _signed(left: Expr, right: Expr, even: bool) -> list[Sides]:
    return [(left, right), (left, S.NegativeOne * right)] if even else [(left, right)]
