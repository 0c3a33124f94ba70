"""Decides whether constants of integration can be chosen so that an equation is true.

Near a random point, both sides are power series in the variables of integration. Their coefficients are equations for
the constants, which are unknown numbers. Linear equations are solved by elimination in ball arithmetic, and others by
Newton's method.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from flint import acb, arb, ctx
from sympy import Expr, Integral, Symbol

from mathderive.checker.inference.rewriting import Sides, differentiated, exponentiated, peeled, without_common_terms
from mathderive.checker.numeric.comparison import Comparer, precision
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import Evaluator, UnknownKey
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.taylor import UnsupportedError, leaves
from mathderive.symbolic.parts import atoms_of

PRECISION = 640
"""Bits."""

MAX_SIZE = 40
"""The largest size of the numbers at a point at which constants are solved for."""

ORDERS = {1: 8, 2: 4, 3: 2}
"""Order of the power series by number of variables."""

MIN_SPARE = 3
"""Minimum number of equations beyond the number of unknowns."""

MAX_UNKNOWNS = 40
MAX_NEWTON_STEPS = 32

MIN_NEWTON_STEPS = 6
"""Number of steps after which the equations have to be closer to being solved at every step."""

MAX_WORK = 30_000
"""Maximum number of values that are computed to solve an equation for its constants, some 0.2 seconds.

The solutions that Newton's method finds for equations of models and of the generator take at most 2,000.
"""

CLOSE = arb(2) ** -300
"""Absolute value below which what Newton's method leaves of an equation counts as nothing."""

STARTS = (0, 1, -1)
"""Values of the constants at which Newton's method starts."""

DRAWS = (0, 3)
"""Numbers of the points at which constants have to exist."""

Row = list[acb]


def constants_exist(
    sides: Sides,
    definitions: Definitions,
    stream: Stream,
    bound: Mapping[Integral, Expr],
    fixed: Collection[Symbol] = (),
    iterates: bool = True,
) -> bool | None:
    """Whether open integrals can have constants that make the equation true; None where that was not found out.

    Args:
        stream: the points.
        bound: integrals that are not open, and their values.
        fixed: names that the constants may not depend on.
        iterates: whether equations that are not linear in the constants are solved too, which takes long.

    Raises:
        BudgetError, UnsupportedError: as `Evaluator.value`.
    """
    inside = differentiated(sides)
    if inside is not None and constants_exist(inside, definitions, stream, bound, fixed, iterates=False):
        return True
    answers: list[bool | None] = []
    for version in peeled(sides):
        found = _exist(version, definitions, stream, bound, fixed, iterates)
        if found:
            return True
        consequence = exponentiated(version)
        if found is None and consequence is not None:
            found = False if _exist(consequence, definitions, stream, bound, fixed, iterates) is False else None
        answers.append(found)
    return None if None in answers else False


def _exist(
    sides: Sides,
    definitions: Definitions,
    stream: Stream,
    bound: Mapping[Integral, Expr],
    fixed: Collection[Symbol],
    iterates: bool,
) -> bool | None:
    """Whether constants make this very equation true."""
    grid = _grid(sides, definitions)
    if grid is None:
        return None
    if not grid:
        return Comparer(definitions, stream).compare(*sides, bound).holds
    found: bool | None = True
    for draw in DRAWS:
        found = _Problem(without_common_terms(sides), definitions, stream, draw, bound, grid, fixed).solve(iterates)
        if not found:
            break
    return found


def _grid(sides: Sides, definitions: Definitions) -> dict[Symbol, int] | None:
    """The variables of integration with the orders of the series; None where there are too many."""
    names: dict[Symbol, None] = {}
    waiting: list[Expr] = list(sides)
    seen: set[Expr] = set()
    while waiting:
        one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        for integral in atoms_of(one, Integral):
            for limit in integral.limits:
                if len(limit) < 3:
                    variable = limit[0] if isinstance(limit[0], Symbol) else limit[0].args[0]
                    names[variable] = None
        for name, body in definitions.exact.items():
            if one.has(name):
                waiting.append(body)
    if not names:
        return {}
    order = ORDERS.get(len(names))
    return None if order is None else dict.fromkeys(sorted(names, key=str), order)


class _Problem:
    """The equations for the constants at one point."""

    def __init__(
        self,
        sides: Sides,
        definitions: Definitions,
        stream: Stream,
        draw: int,
        bound: Mapping[Integral, Expr],
        grid: Mapping[Symbol, int],
        fixed: Collection[Symbol],
    ) -> None:
        self._sides, self._definitions, self._bound, self._grid = sides, definitions, bound, grid
        self._points = [stream.point(draw)]
        if fixed:
            # A constant that does not depend on these names is the same where they have other values.
            other = Point(stream.key, draw + 1)
            moved = {name.name: other.value(name.name) for name in fixed}
            self._points.append(replace(self._points[0], values={**moved, **self._points[0].values}))
        self._keys: list[UnknownKey] = []
        self._size = self._work = 0

    def solve(self, iterates: bool) -> bool | None:
        """Whether there are constants; None where that was not found out.

        Args:
            iterates: whether Newton's method is used where the equations are not linear.
        """
        with precision(PRECISION):
            base: dict[UnknownKey, acb] = {}
            start = self._residual(base)
            if start is None and self._keys:
                # Something is divided by an integral, say, which is 0 where its constant is.
                base = {key: acb(1) + acb(arb(place) / 13) for place, key in enumerate(self._keys, start=1)}
                self._size = 0
                start = self._residual(base)
            if start is None or self._size > MAX_SIZE or len(self._keys) > MAX_UNKNOWNS:
                return None
            if all(map(self._vanishes, start)):
                return True  # these very constants will do, so no further equation is needed to confirm them
            if len(start) < len(self._keys) + MIN_SPARE and self._keys:
                return None
            if not self._keys:
                return self._solvable([], start)
            slopes = self._slopes(base, start, acb(1))
            probe = {key: acb(arb(place) / 7 + 2) for place, key in enumerate(self._keys)}
            after = self._residual(probe)
            if slopes is None or after is None or len(slopes) != len(self._keys):
                return None
            moves = [probe[key] - base.get(key, acb(0)) for key in self._keys]
            predicted = [
                value + sum((slope[row] * move for move, slope in zip(moves, slopes, strict=True)), acb(0))
                for row, value in enumerate(start)
            ]
            if all((a - b).contains(0) for a, b in zip(after, predicted, strict=True)):
                return self._solvable(slopes, start)
            return self._newton() if iterates else None

    def _residual(self, unknowns: Mapping[UnknownKey, acb], short: bool = False) -> Row | None:
        """The coefficients of the sides' difference; None where it has no value.

        Args:
            short: whether half as many are enough.
        """
        rows: Row = []
        grid = {name: order // 2 for name, order in self._grid.items()} if short else self._grid
        for point in self._points:
            evaluator = Evaluator(self._definitions, point, grid, self._bound, unknowns)
            difference = evaluator.value(self._sides[0]) - evaluator.value(self._sides[1])
            if evaluator.is_ambiguous:
                raise UnsupportedError("a derivative by a name that stands for an expression")
            rows += leaves(difference)
            self._size = max(self._size, evaluator.size)
            self._work += evaluator.work
            self._keys += [key for key in evaluator.met_unknowns if key not in self._keys]
        return rows if all(row.is_finite() for row in rows) else None

    def _slopes(self, at: Mapping[UnknownKey, acb], here: Row, step: acb, short: bool = False) -> list[Row] | None:
        """For each unknown, the change of every coefficient with it."""
        slopes = []
        for key in tuple(self._keys):
            moved = self._residual({**at, key: at.get(key, acb(0)) + step}, short)
            if moved is None or len(moved) != len(here):
                return None
            slopes.append([(a - b) / step for a, b in zip(moved, here, strict=True)])
        return slopes

    def _solvable(self, slopes: list[Row], start: Row) -> bool | None:
        _, rest = eliminate(slopes, start)
        if any(not value.contains(0) for value in rest):
            return False
        return True if all(map(self._vanishes, rest)) else None

    def _newton(self) -> bool | None:
        # Short series take a third of the time; a solution is confirmed by all coefficients.
        first_rows = self._residual(dict.fromkeys(self._keys, acb(1)), short=True) if len(self._grid) == 1 else None
        short = first_rows is not None and len(first_rows) >= len(self._keys) + MIN_SPARE
        for first in STARTS:
            best = arb("inf")
            at = {key: acb(first) + acb(arb(place) / 11) for place, key in enumerate(self._keys)}
            for step in range(MAX_NEWTON_STEPS):
                here = self._residual(at, short)
                if here is None or len(here) < len(self._keys) + MIN_SPARE:
                    break
                distance = max((abs(value).mid() for value in here), default=arb(0))
                if distance < CLOSE:
                    whole = self._residual(at) if short else here
                    if whole is not None and all(abs(value).mid() < CLOSE for value in whole):
                        return True
                    break
                if step >= MIN_NEWTON_STEPS and not distance < best:
                    break  # it does not converge
                best = distance
                if self._work > MAX_WORK:
                    return None
                slopes = self._slopes(at, here, acb(arb(2) ** -200), short)
                if slopes is None or len(slopes) != len(self._keys):
                    break
                solution, _ = eliminate(slopes, [acb(value.mid()) for value in here])
                # The last evaluation may have met unknowns that the earlier ones did not.
                moves = zip(self._keys, solution, strict=True)
                at = {key: acb((at.get(key, acb(0)) - change).mid()) for key, change in moves}
        return None

    def _vanishes(self, value: acb) -> bool:
        return bool(value.contains(0) and value.abs_upper() < arb(2) ** -(PRECISION // 3))


def eliminate(slopes: list[Row], start: Row) -> tuple[Row, Row]:
    """Solves `start = sum of unknown * slope`; returns the solution and what is left over of the equations."""
    rows = [[slope[place] for slope in slopes] + [value] for place, value in enumerate(start)]
    count = len(slopes)
    pivots: list[tuple[int, Row]] = []
    tiny = arb(2) ** (-ctx.prec // 4)
    for column in range(count):
        best = max(rows, key=lambda row: abs(row[column]).lower(), default=None)
        if best is None or not abs(best[column]).lower() > tiny:
            continue
        rows = [row for row in rows if row is not best]
        pivots.append((column, best))
        for row in rows:
            if row[column] != 0:
                factor = row[column] / best[column]
                for place in range(count + 1):
                    row[place] = row[place] - factor * best[place]
                row[column] = acb(0)
    solution = [acb(0)] * count
    for column, row in reversed(pivots):
        known = sum((row[place] * solution[place] for place in range(count) if place != column), acb(0))
        solution[column] = (row[count] - known) / row[column]
    return solution, [row[count] for row in rows]
