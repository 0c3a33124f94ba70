"""Finds where functions with branches change from one branch to another.

Between two such places both sides of an equation are analytic, so a few random points decide it there. For example,
`sqrt((x - 9)**2)` is `9 - x` at every point below 9; the values found here lead to points on the other side as well.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import islice

from flint import acb, acb_poly, fmpq
from sympy import Add, Expr, Float, Integral, Mul, Poly, Pow, Rational, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, Function
from sympy.core.numbers import ImaginaryUnit

from mathderive.checker.numeric.definitions import MAX_UNFOLDED, Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator
from mathderive.checker.numeric.functions import PIECEWISE
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.scanning import between, critical_places
from mathderive.checker.numeric.taylor import UnsupportedError, head
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.fast.integration import IntegralError, carry_out
from mathderive.symbolic.parts import atoms_of
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS

SCALES = tuple(fmpq(10) ** power for power in (-4, -2, 1, 2, 4))
"""Sizes of the values that are tried for a name where an argument cannot be scanned, or has too many places."""

FACTORS = (fmpq(1, 2), fmpq(3, 2), fmpq(12))
"""Multiples of the numbers in such an argument, and of their inverses, that are tried for a name."""

MAX_DEGREE = 12
"""Maximum degree of a polynomial whose roots are computed."""

MAX_NAMES = 3
"""Maximum number of names in such a polynomial."""

MAX_VALUES = 24
"""Maximum number of values tried for one equation."""

MAX_BODIES = 1_000
"""Maximum number of definitions that an equation may rest on, counted once for each list of arguments."""

BRANCH_POINTS: dict[str, tuple[complex, ...]] = {
    **dict.fromkeys(("asin", "acos", "acosh", "atanh"), (1, -1)),
    **dict.fromkeys(("atan", "asinh"), (1j, -1j)),
    "acot": (0, 1j, -1j),
    "li": (0, 1),
}
"""The arguments at which branches of a function meet; 0 for others."""


@dataclass(frozen=True)
class BranchArgument:
    """The argument of a function with branches, or the base of a root.

    Attributes:
        points: the values at which branches meet.
    """

    expression: Expr
    points: tuple[complex, ...]


def _branch_arguments(expressions: Sequence[Expr], definitions: Definitions) -> Iterator[BranchArgument]:
    """The arguments of functions with branches that may leave their branch, also in the definitions of names."""
    for one, is_applied in _with_bodies(expressions, definitions):
        for part in atoms_of(one, Function, Pow):
            if has_branch(part) and not (is_applied and is_positive(part.args[0], definitions)):
                yield BranchArgument(part.args[0], BRANCH_POINTS.get(part.func.__name__, (0,)))


def _with_bodies(expressions: Sequence[Expr], definitions: Definitions) -> Iterator[tuple[Expr, bool]]:
    """Expressions, the bodies of the definitions that they rest on, and integrands at the ends of their integrals.

    A parameter is a positive name like any other, but its argument need not be positive. With each expression comes
    whether arguments are in the place of its parameters, which SymPy refuses for the variable of a derivative.

    Raises:
        BudgetError: there are too many.
    """
    seen: set[tuple[Expr, bool]] = set()
    waiting = [(expression, True) for expression in expressions]
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        if len(seen) == MAX_BODIES:
            raise BudgetError("too many definitions within definitions")
        seen.add(one)
        yield one
        expression, is_applied = one
        for name in atoms_of(expression, Symbol, AppliedUndef):
            if name in definitions.exact:
                waiting.append((definitions.exact[name], is_applied))
            elif isinstance(name, AppliedUndef):
                definition = definitions.functions.get((name.func.__name__, len(name.args)))
                if definition is not None:
                    waiting.append(_with_values(definition.body, definition.parameters, name.args))
        for integral in atoms_of(expression, Integral):
            for variable, *ends in integral.limits:
                waiting += [_with_values(integral.function, [variable], [end]) for end in ends]


def _with_values(body: Expr, names: Sequence[Expr], values: Sequence[Expr]) -> tuple[Expr, bool]:
    """A body with values for its parameters, and whether they could be put in."""
    try:
        return body.xreplace(dict(zip(names, values, strict=True))), True
    except SYMPY_ERRORS:
        return body, False


@lru_cache(maxsize=20_000)
def has_branch(part: Expr) -> bool:
    """Whether a power or function has several branches."""
    if isinstance(part, Pow):
        # SymPy would search long for the sign of names, which it does not know.
        return not part.exp.is_Integer and (bool(part.base.free_symbols) or not part.base.is_positive)
    return part.func.__name__ in PIECEWISE


def has_branches(expressions: Sequence[Expr], definitions: Definitions) -> bool:
    """Whether expressions, or the definitions of their names, hold functions that may change their branch."""
    return next(_branch_arguments(expressions, definitions), None) is not None


def values_on_other_branches(
    expressions: Sequence[Expr], definitions: Definitions, stream: Stream, fixed: Collection[Symbol]
) -> Iterator[dict[str, acb]]:
    """Values of names, at least one for every branch that functions with branches are found to have.

    There is one between any two places where an argument equals a value at which branches meet, has a pole, or crosses
    an axis. Where an argument cannot be scanned for these, or has too many, there are values of many sizes as well.

    Args:
        stream: gives the values of the other names.
        fixed: names that keep their values.
    """
    changing = _changing_arguments(expressions, definitions)
    found = (values for one in changing for values in _values(one, definitions, stream, fixed))
    return islice(found, MAX_VALUES)


def _changing_arguments(expressions: Sequence[Expr], definitions: Definitions) -> list[BranchArgument]:
    arguments = {
        BranchArgument(_unfolded(one.expression, definitions), one.points)
        for one in _branch_arguments(expressions, definitions)
    }
    # In an order that is the same in every process, because only the first values are tried.
    return sorted((one for one in arguments if not is_positive(one.expression, definitions)), key=str)


def _unfolded(argument: Expr, definitions: Definitions) -> Expr:
    """The argument with the bodies of definitions in place of names and derivatives evaluated, where possible."""
    for _ in range(MAX_UNFOLDED):
        for name in sorted(atoms_of(argument, Symbol, AppliedUndef) & definitions.exact.keys(), key=str):
            try:
                argument = argument.xreplace({name: definitions.exact[name]})
            except SYMPY_ERRORS:
                continue
    argument = argument.xreplace({number: Rational(number) for number in atoms_of(argument, Float)})
    try:
        return carry_out(argument)
    except (IntegralError, TooLargeError, *SYMPY_ERRORS):
        return argument


def is_positive(expression: Basic, definitions: Definitions) -> bool:
    """Whether an expression is positive because names are and positive parts make it up."""
    if isinstance(expression, Symbol):
        return not definitions.has(expression) or is_positive(definitions.exact[expression], definitions)
    if isinstance(expression, Add | Mul):
        return all(is_positive(part, definitions) for part in expression.args)
    if isinstance(expression, Pow):
        return is_positive(expression.base, definitions) and not expression.exp.has(Function, ImaginaryUnit)
    return expression.is_Number and bool(expression.is_positive)


def _values(
    argument: BranchArgument, definitions: Definitions, stream: Stream, fixed: Collection[Symbol]
) -> Iterator[dict[str, acb]]:
    names = definitions.symbols_under(argument.expression)
    for name in sorted((name for name in names - set(fixed) if not definitions.has(name)), key=str):
        try:
            places, is_complete = _places(argument, name, definitions, stream)
        except UnsupportedError:
            places, is_complete = [], False
        if not is_complete:
            yield from _of_many_sizes(argument.expression, name, stream)
        others = {other.name: stream.point(0).value(other.name) for other in names - {name}}
        for value in between(places):
            yield {**others, name.name: acb(value)}


def _places(
    argument: BranchArgument, name: Symbol, definitions: Definitions, stream: Stream
) -> tuple[list[float], bool]:
    """Positive values of a name at which an argument may change its branch, and whether these are all."""
    if argument.points == (0,) and not any(map(definitions.has, argument.expression.free_symbols)):
        roots = polynomial_roots(argument.expression, name, definitions, stream.point(0))
        if roots is not None:
            return [root for root in roots if root > 0], True
    return critical_places(argument.expression, name, definitions, stream.point(0), argument.points)


def _of_many_sizes(argument: Expr, name: Symbol, stream: Stream) -> Iterator[dict[str, acb]]:
    numbers = {abs(Fraction(int(one.p), int(one.q))) for one in atoms_of(argument, Rational)} - {0, 1}
    sizes = [fmpq(*size.as_integer_ratio()) for one in sorted(numbers) for size in (one, 1 / one)]
    jitter = fmpq(1 + int(2**20 * stream.point(0).number(f"scale of {name.name}")), 2**20)
    for size in (*SCALES, *(factor * one for one in sizes for factor in FACTORS)):
        yield {name.name: acb(size * (1 + jitter / 4))}


def polynomial_roots(argument: Expr, name: Symbol, definitions: Definitions, point: Point) -> list[float] | None:
    """The real roots of a polynomial in a name; None for other expressions."""
    try:
        polynomial = Poly(argument, name)
        if polynomial.degree() > MAX_DEGREE or len(argument.free_symbols) > MAX_NAMES:
            return None
        polynomial = polynomial.sqf_part()  # roots that coincide cannot be told apart
        evaluator = Evaluator(definitions, point)
        coefficients = [head(evaluator.value(one)) for one in reversed(polynomial.all_coeffs())]
        roots = acb_poly([acb(one.mid()) for one in coefficients]).roots()
    except (BudgetError, UnsupportedError, OverflowError, ValueError, *SYMPY_ERRORS):
        return None
    return [float(root.real.mid()) for root in roots if root.imag.contains(0)]
