"""Can constants of integration be chosen so that an equation is true?

Each indefinite integral is one antiderivative plus a constant, which depends on all names but the variable of
integration. On a grid of those variables, where all other names stay put, an equation is mostly linear in the
constants, and so they are solved for by least squares over more points than there are constants.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np
from sympy import Expr, Integral, Symbol

from mathderive.metrics.validity.integrals import holds, outer_integrals
from mathderive.metrics.validity.meaning import REGIONS, Definitions, Meaning
from mathderive.metrics.validity.peeling import peeled
from mathderive.metrics.validity.taylor import Array

Sides = tuple[Expr, Expr]
Residual = Callable[[Sequence[complex]], tuple[Array, Array]]
"""From constants to the difference of the sides on the grid, and the size of their terms."""

SAME = 1e-8
"""Relative to the largest term: an equation that is linear in the constants is so to this."""

SOLVED = 1e-6
"""Relative to the largest term: what may be left over when the constants are solved for."""

GRID = {1: 9, 2: 7, 3: 5}
"""Values of each variable of integration, by how many there are."""

STARTS = (0.0, 1.0, -1.0, 0.4 + 0.5j, -0.6 - 0.3j)
"""Where the search for a constant begins that an equation is not linear in."""

MAX_SECANTS = 25
MIN_POINTS = 3


def constants_exist(sides: Sides, definitions: Definitions, bound: Mapping[Integral, Expr]) -> bool | None:
    """Whether open integrals can have constants that make the equation true; None where that was not found out.

    Args:
        bound: integrals that are not open, and what they are.

    Raises:
        BudgetError, UnsupportedError: as `Meaning.value`.
    """
    answers = [_exist(simpler, definitions, bound) for simpler in peeled(sides)]
    if any(answers):
        return True
    return None if None in answers else False


def _exist(sides: Sides, definitions: Definitions, bound: Mapping[Integral, Expr]) -> bool | None:
    integrals = [integral for side in sides for integral in outer_integrals(side) if integral not in bound]
    classes = _classes(list(dict.fromkeys(integrals)), definitions)
    if not classes:
        return False
    variables = sorted({variable for group in classes for variable in group[0].variables}, key=str)
    if len(variables) not in GRID or not all(isinstance(variable, Symbol) for variable in variables):
        return None
    # A branch or a pole in one region says nothing about the other.
    unknown = False
    for region in (0, 1):
        answers = [_Problem(sides, definitions, bound, classes, variables, region, point).solve() for point in (0, 3)]
        if all(answers):
            return True
        unknown = unknown or None in answers
    # The constant of an integral within an integral is not looked for.
    within = any(group[0].function.atoms(Integral).difference(bound) for group in classes)
    return None if unknown or within else False


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
        bound: Mapping[Integral, Expr],
        classes: list[list[Integral]],
        variables: list[Symbol],
        region: int,
        point: int,
    ) -> None:
        low, high = REGIONS[region]
        steps = GRID[len(variables)]
        line = low + (high - low) * (np.arange(steps) + 0.37) / steps
        self._grid = np.array(list(product(line, repeat=len(variables))), complex).T
        self._values = dict(zip(variables, self._grid, strict=True))
        self._classes = classes
        self._variables = variables

        def residual(constants: Sequence[complex]) -> tuple[Array, Array]:
            of = {part: np.full(1, c) for group, c in zip(classes, constants, strict=True) for part in group}
            meaning = Meaning(
                definitions, region, values=self._values, bound=bound, constants=of, point=point, independent=True
            )
            difference = meaning.value(sides[0]) - meaning.value(sides[1])
            scale = meaning.scale(sides[0]) + meaning.scale(sides[1])
            shape = self._grid.shape[1:]
            return np.broadcast_to(difference, shape), np.broadcast_to(scale, shape)

        self._residual: Residual = residual

    def solve(self) -> bool | None:
        """Whether there are constants; None where that was not found out."""
        count = len(self._classes)
        start, scale = self._residual([0.0] * count)
        usable = np.isfinite(start)
        if usable.sum() < MIN_POINTS:
            return None
        slopes = [self._residual([float(i == j) for i in range(count)])[0] - start for j in range(count)]
        mixture = [0.7 + 1.2 * place / count for place in range(count)]
        predicted = start + sum(part * slope for part, slope in zip(mixture, slopes, strict=True))
        actual, more = self._residual(mixture)
        if not (np.abs(actual - predicted)[usable] <= SAME * (scale + more)[usable]).all():
            return self._search(usable) if count == 1 else None
        matrix = self._matrix(slopes)[usable]
        if usable.sum() < np.linalg.matrix_rank(matrix) + MIN_POINTS:
            return None
        solution = np.linalg.lstsq(matrix, -start[usable], rcond=None)[0]
        left_over = np.abs(matrix @ solution + start[usable])
        return bool((left_over <= SOLVED * (1e-9 + scale[usable] + np.abs(matrix) @ np.abs(solution))).all())

    def _matrix(self, slopes: Sequence[Array]) -> Array:
        """A column for each number that may be chosen freely.

        An integral by x takes a function of the other variables: a column a place of theirs. One by x and y takes one
        such function for each of them, and one by x and x again takes one more, times x.
        """
        columns = []
        for group, slope in zip(self._classes, slopes, strict=True):
            for variable, times in Counter(group[0].variables).items():
                others = [other for other in self._variables if other != variable]
                keys = [tuple(self._values[other][place] for other in others) for place in range(self._grid.shape[1])]
                for key, power in product(dict.fromkeys(keys), range(times)):
                    columns.append(np.where([key == one for one in keys], slope * self._values[variable] ** power, 0))
        return np.array(columns).T

    def _search(self, usable: Array) -> bool | None:
        """Looks for a constant that the equation is not linear in, from several starts, by the secant method."""
        first = int(np.flatnonzero(usable)[0])
        converged = 0
        for start in STARTS:
            before, here = complex(start), complex(start) + 0.01
            value = self._residual([before])[0][first]
            for _ in range(MAX_SECANTS):
                now, scale = (array[first] for array in self._residual([here]))
                if not np.isfinite(now) or now == value or abs(now) <= 1e-12 * scale:
                    break
                before, here, value = here, here - now * (here - before) / (now - value), now
            difference, sizes = self._residual([here])
            if not np.isfinite(difference[first]) or abs(difference[first]) > SAME * sizes[first]:
                continue
            converged += 1
            if (np.abs(difference)[usable] <= SOLVED * sizes[usable]).all():
                return True
        return False if converged >= MIN_POINTS else None
