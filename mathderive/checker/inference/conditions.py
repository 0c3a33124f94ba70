"""Points that satisfy the premises that define no name, such as `x^{2} = 4`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, product, repeat

from flint import acb, arb, fmpq
from sympy import Derivative, Integral, Symbol
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.constants import eliminate
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.branches import polynomial_roots
from mathderive.checker.numeric.comparison import precision
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.taylor import UnsupportedError, head
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm

PRECISION = 640
"""Bits of the search."""

ACCURATE = 500
"""Bits of a solution that are right."""

DRAWS = 6
MAX_STEPS = 60

MAX_POINTS = 16
"""Number of points after which no more are looked for."""

SCALES = (fmpq(1), fmpq(10), fmpq(1, 10))
"""Multiples of a point's values from which the search starts."""

MAX_SIGNS = 2
"""Maximum number of names whose signs change independently of each other."""


def can_be_solved(sides: Sides, definitions: Definitions) -> bool:
    """Whether a condition restricts the values of symbols alone."""
    for side in sides:
        if any(part.has(Derivative, Integral, OpaqueTerm) for part in definitions.closure(side)):
            return False
        if any(not definitions.has(one) for one in side.atoms(AppliedUndef)):
            return False
    return bool(free_names([sides], definitions))


def free_names(conditions: Sequence[Sides], definitions: Definitions) -> list[Symbol]:
    """The undefined symbols that conditions depend on."""
    names = {name for sides in conditions for side in sides for name in definitions.symbols_under(side)}
    return sorted((name for name in names if not definitions.has(name)), key=str)


def solution_points(conditions: Sequence[Sides], definitions: Definitions, stream: Stream) -> list[Point]:
    """Points at which all conditions hold, with positive and negative values; none where none was found.

    The conditions are solved for as many names as there are conditions: a polynomial in one name for all its real
    roots, others by Newton's method from values of many sizes.
    """
    names = free_names(conditions, definitions)
    own = [free_names([sides], definitions) for sides in conditions]
    found: dict[tuple[str, ...], Point] = {}
    for draw, turn in product(range(DRAWS), range(2)):
        unknowns = _chosen(own, turn)
        if unknowns is None:
            continue
        point = stream.point(draw)
        for start in _starts(conditions, definitions, point, unknowns):
            values = _newton(conditions, definitions, point, names, unknowns, start)
            if values is not None:
                shown = tuple(value.str(12, radius=False) for value in values.values())
                found.setdefault(shown, Point(stream.key, draw, values))
        if len(found) >= MAX_POINTS:
            break
    return list(found.values())


def _starts(
    conditions: Sequence[Sides], definitions: Definitions, point: Point, unknowns: Sequence[Symbol]
) -> Iterator[dict[str, acb]]:
    """Values of the unknowns from which Newton's method starts."""
    if len(unknowns) == 1:
        ((left, right),) = conditions
        # A definition may hide the unknown; then its powers are not to be seen.
        is_shown = unknowns[0] in left.free_symbols | right.free_symbols
        roots = polynomial_roots(left - right, unknowns[0], definitions, point) if is_shown else None
        if roots is not None:
            yield from ({unknowns[0].name: acb(root)} for root in roots)
            return
    for scale, signs in product(SCALES, product((1, -1), repeat=min(len(unknowns), MAX_SIGNS))):
        # The last sign is that of all further names.
        signed = zip(unknowns, chain(signs, repeat(signs[-1])), strict=False)
        yield {name.name: point.value(name.name) * scale * sign for name, sign in signed}


def _chosen(own: Sequence[Sequence[Symbol]], turn: int) -> list[Symbol] | None:
    """A different name for each condition."""
    chosen: list[Symbol] = []
    for names in own:
        left = [name for name in (names[::-1] if turn else names) if name not in chosen]
        if not left:
            return None
        chosen.append(left[0])
    return chosen


def _newton(
    conditions: Sequence[Sides],
    definitions: Definitions,
    point: Point,
    names: Sequence[Symbol],
    unknowns: Sequence[Symbol],
    start: Mapping[str, acb],
) -> dict[str, acb] | None:
    with precision(PRECISION):
        at = {name.name: point.value(name.name) for name in names} | dict(start)
        try:
            for _ in range(MAX_STEPS):
                here = _residuals(conditions, definitions, point, at)
                if all(abs(value).mid() < arb(2) ** -(ACCURATE + 60) for value in here):
                    wide = arb(0, arb(2) ** -ACCURATE)
                    return {
                        name: acb(value.real.mid() + wide) if name in {one.name for one in unknowns} else value
                        for name, value in at.items()
                    }
                step = arb(2) ** -250
                slopes = []
                for name in unknowns:
                    moved = _residuals(conditions, definitions, point, {**at, name.name: at[name.name] + step})
                    slopes.append([(a - b) / step for a, b in zip(moved, here, strict=True)])
                change, _ = eliminate(slopes, [acb(value.mid()) for value in here])
                for name, move in zip(unknowns, change, strict=True):
                    at[name.name] = acb((at[name.name] - move).real.mid())
                if not all(value.is_finite() for value in at.values()):
                    return None
        except (BudgetError, UnsupportedError, ValueError, ZeroDivisionError):
            return None
    return None


def _residuals(conditions: Sequence[Sides], definitions: Definitions, point: Point, at: dict[str, acb]) -> list[acb]:
    evaluator = Evaluator(definitions, Point(point.key, point.draw, {**point.values, **at}))
    return [head(evaluator.value(left)) - head(evaluator.value(right)) for left, right in conditions]
