"""Finds where an expression passes through critical values while one name takes values of all sizes.

The search is numeric, on arrays: a grid over many orders of magnitude, and finer grids wherever the expression changes
its sign, comes close to a critical value, or grows without bound.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.array_functions import FUNCTIONS, Array, raise_to
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.dispatch import NodeEvaluator
from mathderive.checker.numeric.points import Point
from mathderive.checker.numeric.taylor import UnsupportedError

PER_DECADE = 60
"""Number of points of the coarse grid in a factor of ten."""

MARGIN = 4
"""Decades of the grid on either side of the numbers in an expression, and of 1."""

MAX_DECADES = 30
"""Maximum decade of the grid on either side of 1."""

FINE = 33
"""Number of points of a finer grid."""

LEVELS = 3
"""Number of times that a grid is refined."""

MAX_PLACES = 6
"""Maximum number of places that are refined, and that are found; a sine passes through zero without end."""

RESOLUTION = 3e-5
"""Relative distance of places that are taken for one: three steps of the finest grid."""

ROUNDING = 1e-12
"""Maximum relative difference of neighbouring values that is taken for rounding error."""

MAX_NESTED = 40
"""Maximum depth of definitions within definitions."""

CLOSE = 1e-2
"""Maximum distance from a critical value at the finest grid, relative to that on the coarse grid."""


def critical_places(
    expression: Expr, name: Symbol, definitions: Definitions, point: Point, critical: Sequence[complex]
) -> tuple[list[float], bool]:
    """Positive values of a name at which an expression equals a critical value, has a pole, or crosses an axis.

    Args:
        point: gives the values of the other names.
        critical: the critical values.

    Returns:
        The values, and whether they are all that the grid shows.

    Raises:
        UnsupportedError: the expression holds what cannot be computed on arrays.
    """

    def values_at(places: Array) -> Array:
        with np.errstate(all="ignore"):
            found = _ArrayEvaluator(definitions, point, {name: places}).evaluate(expression, None)
            return np.broadcast_to(np.asarray(found, complex), places.shape)

    grid = _grid(expression)
    values = values_at(grid)
    found: list[float] = []
    is_complete = True
    for value in critical:
        candidates = _candidates(values - value)
        is_complete &= len(candidates) <= MAX_PLACES
        shifted = values_at if value == 0 else (lambda places, value=value: values_at(places) - value)
        found += _zeros(shifted, grid, values - value, candidates)
    distinct = _distinct(found)
    return _chosen(distinct), is_complete and len(distinct) <= MAX_PLACES


def _distinct(places: Sequence[float]) -> list[float]:
    ordered = sorted(places)
    return ordered[:1] + [place for before, place in pairwise(ordered) if place - before > RESOLUTION * place]


def _chosen(places: Sequence[float]) -> list[float]:
    """The smallest and the largest of the places, and those nearest to 1."""
    nearest = sorted(places, key=lambda place: abs(math.log(place)))
    return sorted({*nearest[: MAX_PLACES - 2], *places[:1], *places[-1:]})


def _grid(expression: Expr) -> Array:
    sizes = [abs(float(number)) for number in expression.atoms() if number.is_Rational and number]
    decades = [abs(np.log10(size)) for size in sizes if 0 < size < np.inf]
    reach = min(MAX_DECADES, MARGIN + max(decades, default=0.0))
    return np.logspace(-reach, reach, int(2 * reach * PER_DECADE)).astype(complex)


def _zeros(
    function: Callable[[Array], Array], grid: Array, values: Array, candidates: Sequence[int]
) -> Iterator[float]:
    """Places where a function with these values on the coarse grid has a zero or a pole, or crosses an axis.

    Args:
        candidates: indices of the grid that may be near such places.
    """
    places = _chosen([float(grid[index].real) for index in candidates])
    for index in np.searchsorted(grid.real, places):
        low, high = max(0, index - 1), min(len(grid) - 1, index + 1)
        usual = _largest(np.abs(values[[low, high]]))
        yield from _refined(function, float(grid[low].real), float(grid[high].real), usual, LEVELS)


def _refined(function: Callable[[Array], Array], low: float, high: float, usual: float, levels: int) -> Iterator[float]:
    """The zeros, poles and crossings between two places.

    Args:
        usual: the function's absolute value beside them.
    """
    grid = np.linspace(low, high, FINE).astype(complex)
    values = function(grid)
    for index in _candidates(values)[:MAX_PLACES]:
        around = [max(0, index - 1), index, min(FINE - 1, index + 1)]
        if levels > 1:
            yield from _refined(function, float(grid[around[0]].real), float(grid[around[2]].real), usual, levels - 1)
        elif _sign_changes(values[around]).any() or not usual * CLOSE < abs(values[index]) < usual / CLOSE:
            yield float(grid[index].real)


def _largest(sizes: Array) -> float:
    finite = sizes[np.isfinite(sizes)]
    return float(finite.max()) if finite.size else np.inf


def _candidates(values: Array) -> list[int]:
    """Indices where a sign changes, or the absolute value is smaller or larger than on both sides."""
    size = np.abs(values)
    near_zero = size[1:-1] < np.minimum(size[:-2], size[2:]) * (1 - ROUNDING)
    near_pole = size[1:-1] > np.maximum(size[:-2], size[2:]) * (1 + ROUNDING)
    extremes, changes = np.flatnonzero(near_zero | near_pole) + 1, np.flatnonzero(_sign_changes(values))
    return sorted({*map(int, extremes), *map(int, changes)})


def _sign_changes(values: Array) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    real, imaginary = np.sign(values.real), np.sign(values.imag)
    return (real[1:] * real[:-1] < 0) | (imaginary[1:] * imaginary[:-1] < 0)


class _ArrayEvaluator(NodeEvaluator[Array, None]):
    """Evaluates expressions without derivatives, integrals and undefined functions."""

    def __init__(self, definitions: Definitions, point: Point, values: Mapping[Basic, Array]) -> None:
        self._definitions = definitions
        self._point = point
        self._known = {**values}
        self._nested = 0

    def evaluate(self, node: Basic, scope: None) -> Array:
        if node not in self._known:
            self._nested += 1
            if self._nested > MAX_NESTED:
                raise UnsupportedError("definitions within definitions")
            body = self._definitions.exact.get(node)
            self._known[node] = self.compute(node, scope) if body is None else self.evaluate(body, scope)
            self._nested -= 1
        return self._known[node]

    def add(self, terms: Sequence[Array]) -> Array:
        return sum(terms[1:], terms[0])

    def multiply(self, factors: Sequence[Array]) -> Array:
        return math.prod(factors[1:], start=factors[0])

    def power(self, base: Array, exponent: Array) -> Array:
        return raise_to(base, exponent)

    def number(self, node: Basic) -> Array:
        try:
            return np.asarray(complex(node))
        except OverflowError as error:
            raise UnsupportedError("a number beyond all sizes") from error

    def symbol(self, node: Symbol, scope: None) -> Array:
        return np.asarray(complex(self._point.value(node.name)))

    def derivative(self, node: Derivative, scope: None) -> Array:
        raise UnsupportedError("a derivative")

    def integral(self, node: Integral, scope: None) -> Array:
        raise UnsupportedError("an integral")

    def application(self, node: AppliedUndef, scope: None) -> Array:
        raise UnsupportedError(f"{node.func.__name__} is undefined")

    def function(self, node: Expr, scope: None) -> Array:
        function = FUNCTIONS.get(node.func.__name__)
        if function is None or len(node.args) != 1:
            raise UnsupportedError(f"{node.func.__name__} has no values on arrays")
        return function(self.evaluate(node.args[0], scope))


def between(places: Sequence[float]) -> list[float]:
    """One value in each of the intervals that positive places divide the positive numbers into."""
    ends = sorted(places)
    if not ends:
        return []
    inner = [low + (high - low) / 2 for low, high in pairwise(ends)]
    return [ends[0] / 2, *inner, 2 * ends[-1] + 1]
