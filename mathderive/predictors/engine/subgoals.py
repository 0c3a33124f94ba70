"""Undoing one operator: the equations from which a single operator gives a wanted one.

These are proposals. The checker decides at the end whether an operator does lead from one to the other.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache, partial

from sympy import Add, Derivative, Expr, Integer, Integral, Mul, Pow, S, Symbol, cos, exp, factor_terms, log, sin

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.rewriting import Sides
from mathderive.symbolic.bounds import TooLargeError, check_power
from mathderive.symbolic.engine.operators.calculus import MAX_DERIVATIVE_ORDER
from mathderive.symbolic.fast.expansion import multiply_out
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.names import names_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

PREIMAGES: dict[type[Expr], dict[Expr, Expr]] = {
    exp: {S.One: S.Zero, S.Exp1: S.One},
    log: {S.Zero: S.One, S.One: S.Exp1},
    cos: {S.One: S.Zero},
    sin: {S.Zero: S.Zero},
}
"""Values of functions that SymPy evaluates, with an argument."""

CONSTANTS = (S.Zero, S.One, S.NegativeOne)
"""Constants that may have been differentiated where a side is 0."""

MAX_TERMS = 8
"""Maximum number of terms or factors of a side that are tried as operands."""


def subgoals(wanted: Fact, fresh: Collection[Symbol]) -> Iterator[Sides]:
    """Sides of equations from which an operator on one equation seems to give the wanted one.

    Args:
        fresh: symbols that may be constants of integration.
    """
    unevaluated = partial(_unevaluated, fresh)
    for propose in (_arguments, unevaluated, _integrands, _differentiated, _bases, _without_terms, _without_factors):
        yield from _attempts(propose, wanted.sides)


def _attempts(propose: Callable[[Sides], Iterator[Sides]], sides: Sides) -> Iterator[Sides]:
    """The proposals until SymPy fails."""
    try:
        yield from propose(sides)
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return


def _arguments(sides: Sides) -> Iterator[Sides]:
    for function, values in PREIMAGES.items():
        inside = [side.args[0] if isinstance(side, function) else values.get(side) for side in sides]
        if inside[0] is not None and inside[1] is not None and any(isinstance(side, function) for side in sides):
            yield inside[0], inside[1]


def _unevaluated(fresh: Collection[Symbol], sides: Sides) -> Iterator[Sides]:
    """A side with a constant of integration may be the value of an integral."""
    variables = [limit[0] for side in sides for part in side.atoms(Integral) for limit in part.limits]
    for place, side in enumerate(sides):
        terms = Add.make_args(side)
        if any(term in fresh for term in terms):
            among = dict.fromkeys((*variables, *sorted(side.free_symbols - {*fresh}, key=str)))
            for variable in among:
                integral = Integral(multiply_out(carry_out(Derivative(side, variable))), variable)
                yield (integral, sides[1]) if place == 0 else (sides[0], integral)


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
        check_power(base, power / exponent)
        factors.append(base ** (power / exponent))
    return Mul(*factors)


def _without_terms(sides: Sides) -> Iterator[Sides]:
    for term in _operands(Add, sides):
        yield sides[0] - term, sides[1] - term
    for side in sides:
        terms = Add.make_args(side)
        for term in terms[:MAX_TERMS] if len(terms) > 2 else ():
            yield sides[0] - (side - term), sides[1] - (side - term)


def _without_factors(sides: Sides) -> Iterator[Sides]:
    factored = tuple(map(_factored, sides))
    for factor in _operands(Mul, factored):
        yield _quotient(sides[0], factor), _quotient(sides[1], factor)
    for side in factored:
        factors = Mul.make_args(side)
        for factor in factors[:MAX_TERMS] if len(factors) > 2 else ():
            yield _quotient(sides[0], side / factor), _quotient(sides[1], side / factor)


def _operands(kind: type[Add] | type[Mul], sides: Sequence[Expr]) -> list[Expr]:
    """The terms or factors of both sides, those of both sides first."""
    parts = [list(kind.make_args(side))[:MAX_TERMS] for side in sides]
    both = [part for part in parts[0] if part in parts[1]]
    found = dict.fromkeys((*both, *parts[0], *parts[1], *sides))
    return [part for part in found if part not in (0, 1)]


@lru_cache(maxsize=5_000)
def _quotient(side: Expr, factor: Expr) -> Expr:
    whole, by_term = side / factor, Add(*(term / factor for term in Add.make_args(side)))
    return min((whole, by_term, _factored(side) / factor), key=size_of)


def _factored(side: Expr) -> Expr:
    """The side as a product; SymPy would take factors out of integrals, which no operator puts back."""
    return side if side.has(Integral) else factor_terms(side)


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
