"""Can constants of integration be chosen so that an equation is true?

Each indefinite integral is one antiderivative plus a constant, which depends on all names but the variable of
integration. On a grid of those variables, where all other names stay put, the constants are solved for by least
squares over more points than there are unknowns: at once where the equation is linear in them, and else by Gauss-Newton
steps from several starts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from sympy import Derivative, Expr, Integral

from mathderive.checker.inference.integrals import holds, outer_integrals
from mathderive.checker.inference.rewriting import Sides, by_argument, peeled, under_integrals
from mathderive.checker.numeric.evaluator import REGIONS, Definitions, Evaluator
from mathderive.checker.numeric.taylor import Array

LINEAR = 1e-8
"""Relative to the largest term: an equation that is linear in the constants is so to this."""

SOLVED = 1e-6
"""Relative to the largest term: what may be left over when the constants are solved for."""

UNSOLVED = 1e-5
"""Smallest residual, from the best start, that shows that no constant solves the equation."""

GRID = {1: 9, 2: 7, 3: 5}
"""Values of each variable of integration, by how many there are."""

STARTS = (0.0, 1.0, -1.0, 0.4 + 0.5j)
"""Where the search for constants begins that an equation is not linear in."""

MAX_STEPS = 12
MAX_CONSTANT = 50.0
"""Sides with large constants are nearly the same whatever else they hold."""

MOVED = 1e-5
"""Step by which a constant is moved to measure how the sides change."""

NEGLIGIBLE = 1e-14
"""A size far below which a term is rounding error of 0."""

MIN_POINTS = 3
"""Usable points beyond the number of unknowns."""


def constants_exist(sides: Sides, definitions: Definitions, bound: Mapping[Integral, Expr]) -> bool | None:
    """Whether open integrals can have constants that make the equation true; None where that was not found out.

    Args:
        bound: integrals that are not open, and what they are.

    Raises:
        BudgetError, UnsupportedError: as `Evaluator.value`.
    """
    known = dict(bound)
    first = (under_integrals(sides[0].xreplace(known)), under_integrals(sides[1].xreplace(known)))
    versions = dict.fromkeys((first, (by_argument(first[0]), by_argument(first[1]))))
    answers: list[bool | None] = []
    for simpler in (one for version in versions for one in peeled(version)):
        answers.append(_exist(simpler, definitions))
        if answers[-1]:
            return True
    return None if None in answers else False


def _exist(sides: Sides, definitions: Definitions) -> bool | None:
    integrals = [integral for side in sides for integral in outer_integrals(side)]
    classes = _classes(list(dict.fromkeys(integrals)), definitions)
    if not classes:
        return holds(*sides, definitions)
    variables = sorted({variable for group in classes for variable in group[0].variables}, key=str)
    if len(variables) not in GRID:
        return None
    # A branch or a pole in one region says nothing about the other.
    unknown = False
    for region in (0, 1):
        problems = (_Problem(sides, definitions, classes, variables, region, point) for point in (0, 3))
        answers = [next(problems).solve()]
        if answers[0]:
            answers.append(next(problems).solve())
        if all(answers):
            return True
        unknown = unknown or None in answers
    return None if unknown else False


def _classes(integrals: Sequence[Integral], definitions: Definitions) -> list[list[Integral]]:
    """Integrals that are the same one, and so have the same constant, together."""
    classes: list[list[Integral]] = []
    for integral in integrals:
        for group in classes:
            alike = group[0].variables == integral.variables
            if alike and holds(group[0].function, integral.function, definitions):
                group.append(integral)
                break
        else:
            classes.append([integral])
    return classes


class _Problem:
    """The constants of classes of integrals, at one point of the other names."""

    def __init__(
        self,
        sides: Sides,
        definitions: Definitions,
        classes: list[list[Integral]],
        variables: list[Expr],
        region: int,
        point: int,
    ) -> None:
        low, high = REGIONS[region]
        steps = GRID[len(variables)]
        line = low + (high - low) * (np.arange(steps) + 0.37) / steps
        grid = np.array(list(product(line, repeat=len(variables))), complex).T
        self._values = dict(zip(variables, grid, strict=True))
        self._sides, self._definitions = sides, definitions
        self._classes, self._region, self._point = classes, region, point
        self._size = grid.shape[1]
        # Each class's unknowns: what its constant is on the grid is a sum of these columns.
        self._columns = [np.array(list(self._parts(group[0]))).T for group in classes]

    def _parts(self, integral: Integral) -> Iterator[Array]:
        """A column for each number that may be chosen freely.

        An integral by x takes a function of the other variables: a column a place of theirs. One by x and y takes one
        such function for each of them, and one by x and x again takes one more, times x.
        """
        for variable, times in Counter(integral.variables).items():
            others = [values for other, values in self._values.items() if other != variable]
            keys = [tuple(values[place] for values in others) for place in range(self._size)]
            for key, power in product(dict.fromkeys(keys), range(times)):
                yield np.where([key == one for one in keys], self._values[variable] ** power, 0)

    def _residual(self, constants: Sequence[Array], within: complex = 0) -> tuple[Array, Array]:
        """The difference of the sides on the grid, and the size of their terms.

        Args:
            within: the constant of integrals within the integrals of the classes.
        """
        of = {part: c for group, c in zip(self._classes, constants, strict=True) for part in group}
        inner = {part for group in self._classes for one in group for part in one.function.atoms(Integral)}
        evaluator = Evaluator(
            self._definitions,
            self._region,
            values=self._values,
            constants={**{part: np.full(1, within) for part in inner}, **of},
            point=self._point,
            independent=True,
        )
        difference = evaluator.value(self._sides[0]) - evaluator.value(self._sides[1])
        scale = evaluator.scale(self._sides[0]) + evaluator.scale(self._sides[1]) + NEGLIGIBLE
        return np.broadcast_to(difference, self._size), np.broadcast_to(scale, self._size)

    def solve(self) -> bool | None:
        """Whether there are constants; None where that was not found out."""
        left_over = []
        for start in STARTS:
            found, is_linear = self._search(start)
            if found is None:
                continue
            if found <= SOLVED:
                return True
            left_over.append(found)
            if is_linear:
                break
        if not left_over or min(left_over) < UNSOLVED:
            return None
        return None if self._has_constants_within() or self._has_slopes_of_constants() else False

    def _has_constants_within(self) -> bool:
        """Whether integrals within integrals have constants that make a difference, which are not looked for."""
        if not any(part.function.has(Integral) for group in self._classes for part in group):
            return False
        nothing = [np.zeros(self._size, complex)] * len(self._classes)
        (before, scale), (after, _) = self._residual(nothing), self._residual(nothing, within=0.7)
        return not (np.abs(after - before) <= LINEAR * scale).all()

    def _has_slopes_of_constants(self) -> bool:
        """Whether an integral is differentiated by a name that its constant may depend on, one way or another."""
        return any(
            variable not in integral.variables
            for side in self._sides
            for derivative in side.atoms(Derivative)
            for integral in outer_integrals(derivative.expr)
            for variable, _ in derivative.variable_count
        )

    def _search(self, start: complex) -> tuple[float | None, bool]:
        """Returns the residual of the equation relative to its terms, and whether it is linear in the constants.

        The first is None where the equation has too few values.
        """
        constants = [np.full(self._size, start, complex) for _ in self._classes]
        best: float | None = None
        is_linear = False
        residual, scale = self._residual(constants)
        for step in range(MAX_STEPS):
            usable = np.isfinite(residual) & np.isfinite(scale)
            slopes = [self._slope(constants, position, residual) for position in range(len(constants))]
            matrix = np.hstack([c * slope[:, None] for c, slope in zip(self._columns, slopes, strict=True)])
            usable &= np.isfinite(matrix).all(axis=1)
            weights = 1 / np.where(usable, scale, 1)
            matrix = (matrix * weights[:, None])[usable]
            now = (residual * weights)[usable]
            if now.size < np.linalg.matrix_rank(matrix) + MIN_POINTS:
                return best, is_linear
            here = float(np.abs(now).max())
            if best is not None and here > 0.9 * best:
                break
            best = here
            if best <= LINEAR:
                break
            change = np.asarray(np.linalg.lstsq(matrix, -now, rcond=1e-10)[0], complex)
            constants = self._moved(constants, change)
            residual, scale = self._residual(constants)
            if step == 0:
                predicted = now + matrix @ change
                more = 1 + np.abs(matrix) @ np.abs(change)
                is_linear = bool((np.abs((residual * weights)[usable] - predicted) <= LINEAR * more).all())
                if is_linear:
                    return float((np.abs(predicted) / more).max()), True
        return best, is_linear

    def _slope(self, constants: Sequence[Array], position: int, residual: Array) -> Array:
        """How the difference of the sides changes with a class's constant."""
        moved = [value + MOVED * (place == position) for place, value in enumerate(constants)]
        return (self._residual(moved)[0] - residual) / MOVED

    def _moved(self, constants: Sequence[Array], change: Array) -> list[Array]:
        moved = []
        for value, columns in zip(constants, self._columns, strict=True):
            own, change = change[: columns.shape[1]], change[columns.shape[1] :]
            there = value + columns @ own
            moved.append(there / np.maximum(1, np.abs(there) / MAX_CONSTANT))
        return moved
