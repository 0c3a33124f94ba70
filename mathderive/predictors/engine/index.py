"""An index of equations that finds those equal to a given one, or one addition or multiplication away from it."""

from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

import numpy as np

from mathderive.checker.inference.facts import Fact
from mathderive.checker.numeric.fingerprints import Fingerprint, close, minus, times

ItemT = TypeVar("ItemT")

DIGITS = 6
"""Number of digits by which values are looked up; the values themselves are compared afterwards."""


class EquationIndex(Generic[ItemT]):
    """Items that belong to equations, by the values of the equations' sides, differences and ratios."""

    def __init__(self) -> None:
        self._items: dict[Hashable, list[tuple[Fact, ItemT]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, fact: Fact, item: ItemT) -> None:
        self._count += 1
        for key in _keys(fact):
            self._items.setdefault(key, []).append((fact, item))

    def equal(self, fact: Fact) -> Iterator[ItemT]:
        """The items whose equation is the same, mirrored or not."""
        key = _keys(fact)[0]
        for other, item in self._items.get(key, ()):
            if not fact.has_fingerprint or _have_equal_sides(fact, other):
                yield item

    def near(self, fact: Fact) -> Iterator[ItemT]:
        """The items whose equation has the same difference of its sides, or the same ratio, but not the same sides."""
        found: set[int] = set()
        for key in _keys(fact)[1:]:
            for other, item in self._items.get(key, ()):
                if id(item) in found or _have_equal_sides(fact, other):
                    continue
                if _have_equal_differences(fact, other) or _have_equal_ratios(fact, other):
                    found.add(id(item))
                    yield item


def _keys(fact: Fact) -> tuple[Hashable, ...]:
    if not fact.has_fingerprint:
        return (frozenset(fact.sides),)
    left, right = fact.left.values, fact.right.values
    with np.errstate(all="ignore"):
        difference, ratio = left - right, left / right
        keys: list[Hashable] = [frozenset((_rounded(left), _rounded(right)))]
        keys.append(("difference", frozenset((_rounded(difference), _rounded(-difference)))))
        keys.append(("ratio", frozenset((_rounded(ratio), _rounded(1 / ratio)))))
    return tuple(keys)


def _rounded(values: np.ndarray) -> Hashable:
    """The first two values, rounded to some digits."""
    found = []
    for value in values[:2].tolist():
        size = abs(value)
        if not 0 < size < float("inf"):
            found.append((0.0, 0.0, str(size)))
        else:
            real, imaginary = round(value.real / size, DIGITS) + 0.0, round(value.imag / size, DIGITS) + 0.0
            found.append((real, imaginary, f"{size:.{DIGITS}e}"))
    return tuple(found)


def _have_equal_sides(first: Fact, second: Fact) -> bool:
    return (close(first.left, second.left) and close(first.right, second.right)) or (
        close(first.left, second.right) and close(first.right, second.left)
    )


def _have_equal_differences(first: Fact, second: Fact) -> bool:
    return close(first.residual, second.residual) or close(first.residual, minus(second.right, second.left))


def _have_equal_ratios(first: Fact, second: Fact) -> bool:
    return _products_are_equal(first.left, second.right, first.right, second.left) or _products_are_equal(
        first.left, second.left, first.right, second.right
    )


def _products_are_equal(first: Fingerprint, second: Fingerprint, third: Fingerprint, fourth: Fingerprint) -> bool:
    return close(times(first, second), times(third, fourth))
