"""Undoing one operator: the equations from which a single operator gives a wanted one.

These are proposals. The checker decides at the end whether an operator does lead from one to the other.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from sympy import Add, Derivative, Expr, Integer, Integral, Mul, Pow, S, cos, exp, factor_terms, log, sin

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.rewriting import Sides
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators.calculus import MAX_DERIVATIVE_ORDER
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.names import names_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

PREIMAGES: dict[type[Expr], dict[Expr, Expr]] = {
    exp: {S.One: S.Zero},
    log: {S.Zero: S.One},
    cos: {S.One: S.Zero},
    sin: {S.Zero: S.Zero},
}
"""Values of functions that SymPy evaluates, with an argument."""

CONSTANTS = (S.Zero, S.One, S.NegativeOne)
"""Constants that may have been differentiated where a side is 0."""

MAX_TERMS = 8
"""Maximum number of terms or factors of a side that are tried as operands."""


def subgoals(wanted: Fact, rules: Sequence[Fact]) -> Iterator[Sides]:
    """Sides of equations from which one operator seems to give the wanted one.

    Args:
        rules: equations that may be substituted.
    """
    for propose in (_arguments, _integrands, _differentiated, _bases, _without_terms, _without_factors):
        yield from _attempts(propose, wanted.sides)
    for rule in rules:
        for old, new in (rule.sides, rule.sides[::-1]):
            yield from before_substitution(wanted.sides, old, new)


def _attempts(propose: Callable[[Sides], Iterator[Sides]], sides: Sides) -> Iterator[Sides]:
    """The proposals until SymPy fails."""
    try:
        yield from propose(sides)
    except (TooLargeError, *SYMPY_ERRORS):
        return


def _arguments(sides: Sides) -> Iterator[Sides]:
    for function, values in PREIMAGES.items():
        inside = [side.args[0] if isinstance(side, function) else values.get(side) for side in sides]
        if inside[0] is not None and inside[1] is not None and any(isinstance(side, function) for side in sides):
            yield inside[0], inside[1]


def _integrands(sides: Sides) -> Iterator[Sides]:
    left, right = sides
    if isinstance(left, Integral) and isinstance(right, Integral):
        for variable in dict.fromkeys(limit[0] for limit in left.limits if len(limit) == 1):
            inside = [_without_limit(side, variable) for side in (left, right)]
            if inside[0] is not None and inside[1] is not None:
                yield inside[0], inside[1]


def _without_limit(integral: Integral, variable: Expr) -> Expr | None:
    limits = list(integral.limits)
    for limit in reversed(limits):
        if len(limit) == 1 and limit[0] == variable:
            limits.remove(limit)
            return Integral(integral.function, *limits) if limits else integral.function
    return None


def _differentiated(sides: Sides) -> Iterator[Sides]:
    variables = [variable for side in sides if isinstance(side, Derivative) for variable, _ in side.variable_count]
    for variable in dict.fromkeys(variables):
        inside = [_lowered(side, variable) for side in sides]
        for left in inside[0]:
            for right in inside[1]:
                yield left, right


def _lowered(side: Expr, variable: Expr) -> list[Expr]:
    """The expressions of which a side may be the derivative."""
    if not isinstance(side, Derivative):
        return list(CONSTANTS) if side == 0 else []
    counts = dict(side.variable_count)
    order = counts.get(variable, S.Zero)
    if not (isinstance(order, Integer) and 0 < order <= MAX_DERIVATIVE_ORDER):
        return []
    counts[variable] = order - 1
    left = [(one, count) for one, count in counts.items() if count != 0]
    return [Derivative(side.expr, *left) if left else side.expr]


def _bases(sides: Sides) -> Iterator[Sides]:
    exponents = [part.exp for side in sides for part in Mul.make_args(side) if isinstance(part, Pow)]
    exponents += [exponent.as_coeff_Mul()[1] for exponent in exponents]
    for exponent in list(dict.fromkeys(exponents))[:MAX_TERMS]:
        if exponent not in (0, 1):
            left, right = (_root(side, exponent) for side in sides)
            if left is not None and right is not None:
                yield left, right


def _root(side: Expr, exponent: Expr) -> Expr | None:
    """An expression of which the side may be a power."""
    if side in (0, 1):
        return side
    factors = []
    for factor in Mul.make_args(side):
        base, power = factor.as_base_exp()
        if factor.is_Number and not (power / exponent).is_number:
            return None
        factors.append(base ** (power / exponent))
    return Mul(*factors)


def _without_terms(sides: Sides) -> Iterator[Sides]:
    for term in _operands(Add, sides):
        yield sides[0] - term, sides[1] - term


def _without_factors(sides: Sides) -> Iterator[Sides]:
    for factor in _operands(Mul, tuple(map(factor_terms, sides))):
        yield _quotient(sides[0], factor), _quotient(sides[1], factor)


def _operands(kind: type[Add] | type[Mul], sides: Sequence[Expr]) -> list[Expr]:
    """The terms or factors of both sides, those of both sides first."""
    parts = [list(kind.make_args(side))[:MAX_TERMS] for side in sides]
    both = [part for part in parts[0] if part in parts[1]]
    found = dict.fromkeys((*both, *parts[0], *parts[1], *sides))
    return [part for part in found if part not in (0, 1)]


@lru_cache(maxsize=5_000)
def _quotient(side: Expr, factor: Expr) -> Expr:
    whole, by_term = side / factor, Add(*(term / factor for term in Add.make_args(side)))
    return min((whole, by_term, factor_terms(side) / factor), key=size_of)


def before_substitution(sides: Sides, old: Expr, new: Expr) -> Iterator[Sides]:
    """Sides in which the replacement of `old` by `new` seems to give these."""
    if new in (0, 1) or old in (0, 1):
        return
    for place in ((True, True), (True, False), (False, True)):
        try:
            found = [replace(side, new, old) if here else side for side, here in zip(sides, place, strict=True)]
            if all(side != other for side, other, here in zip(found, sides, place, strict=True) if here) and (
                tuple(_replaced(side, old, new) for side in found) == sides
            ):
                yield found[0], found[1]
        except (TooLargeError, *SYMPY_ERRORS):
            continue


def _replaced(side: Expr, old: Expr, new: Expr) -> Expr:
    return replace(side, old, new) if names_of(old) <= names_of(side) else side
