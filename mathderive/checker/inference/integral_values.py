"""The values that equations give indefinite integrals."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sympy import Add, Derivative, Dummy, Expr, Integral, Mul, S, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.integrals import outer_integrals, standing_for
from mathderive.checker.inference.rewriting import Sides, peeled
from mathderive.checker.numeric.comparison import equal
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.points import Stream
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.parts import atoms_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


@dataclass(frozen=True)
class IntegralValue:
    """The value that an equation gives an indefinite integral.

    Attributes:
        constants: the names in the value that the integrand lacks.
        requested: whether an equation of the prompt gives the value, not one of the answer.
    """

    integral: Integral
    value: Expr
    constants: frozenset[Symbol]
    requested: bool


def without_plain_ends(sides: Sides, definitions: Definitions, stream: Stream) -> Sides:
    """The sides with plain integrals in place of those up to an end that equals their variable."""
    plain: dict[Integral, Integral] = {}
    for integral in atoms_of(sides[0], Integral) | atoms_of(sides[1], Integral):
        (variable, *ends), *further = integral.limits
        if not further and len(ends) == 1 and equal(ends[0], variable, definitions, stream):
            plain[integral] = Integral(integral.function, variable)
    return sides[0].xreplace(plain), sides[1].xreplace(plain)


def antiderivatives(integrals: Iterable[Integral], definitions: Definitions) -> dict[Integral, Expr]:
    """Antiderivatives, without constants, of the integrals that have one in closed form."""
    found: dict[Integral, Expr] = {}
    for integral in integrals:
        names = atoms_of(integral.function, AppliedUndef) & definitions.exact.keys()
        try:
            value = carry_out(integral.xreplace({name: definitions.exact[name] for name in names}))
        except (IntegralError, TooLargeError, *SYMPY_ERRORS):
            continue
        if not value.has(Integral):
            found[integral] = value
    return found


def values_in(sides: Sides) -> list[tuple[Integral, Expr]]:
    """The indefinite integrals in an equation, with the values that it may give them.

    An integral stands alone, or occurs linearly, in the equation or in what is left of it without shared functions.
    """
    integrals = dict.fromkeys(part for side in sides for part in outer_integrals(side))
    versions = dict.fromkeys((sides, *peeled(sides))) if integrals else {}
    return [(one, value) for one in integrals for version in versions for value in _values_in(one, version)]


def _values_in(integral: Integral, sides: Sides) -> Iterator[Expr]:
    if any(part.has(integral) for side in sides for part in atoms_of(side, Derivative)):
        return  # a derivative says nothing of a constant
    for side, other in (sides, sides[::-1]):
        value = None if other.has(integral) or not side.has(integral) else standing_for(integral, side, other)
        if value is not None and not value.has(integral):
            yield value
            return
    unknown = Dummy()
    difference = (sides[0] - sides[1]).xreplace({integral: unknown})
    if not _is_linear(difference, unknown):
        return
    holding = [term for term in Add.make_args(difference) if term.has(unknown)]
    try:
        if all(unknown in Mul.make_args(term) for term in holding):
            slope = Add(*(_without_factor(term, unknown) for term in holding))
        else:
            slope = difference.diff(unknown)
        rest = difference.xreplace({unknown: S.Zero})
    except SYMPY_ERRORS:
        return
    if slope != 0 and not slope.has(unknown, Integral) and _is_without(integral, rest):
        yield -rest / slope


def _is_linear(expression: Expr, unknown: Dummy) -> bool:
    """Whether sums and products alone lead to an unknown, and to one factor of each product."""
    if isinstance(expression, Add | Mul):
        holding = [part for part in expression.args if part.has(unknown)]
        return (len(holding) < 2 or expression.is_Add) and all(_is_linear(part, unknown) for part in holding)
    return expression == unknown or not expression.has(unknown)


def _without_factor(term: Expr, factor: Expr) -> Expr:
    """A product without one of its factors."""
    factors = list(Mul.make_args(term))
    factors.remove(factor)
    return Mul(*factors)


def _is_without(integral: Integral, value: Expr) -> bool:
    """Whether a value holds no integral by the same variable, and not the integral itself."""
    variables = set(integral.variables)
    return not any(variables & set(part.variables) or part.has(integral) for part in atoms_of(value, Integral))
