"""Bootstrap intervals and paired bootstrap tests for means, rates and differences.

The items are answers, but the bootstrap resamples their *sources*: an example and its variants ask about the same
derivation, and the equations of an answer build on one another, so they are drawn together (hierarchical data: Davison
and Hinkley, 1997, section 3.8). A resample is given by a weight for each item, the number of times that it was drawn,
and a statistic is a function of these weights.

Intervals are percentile intervals (Efron and Tibshirani, 1993, chapter 13), which machine translation has used since
Koehn (2004); `scipy.stats.bootstrap` with `method="percentile"` gives the same ones. A test shifts the bootstrap
distribution of a difference to 0 and counts how often it is at least as far from 0 as the observed difference, on
either side (Berg-Kirkpatrick, Burkett and Klein, 2012). Several tests of one question are adjusted by Holm's method
(1979).

The resamples depend on the sources' names alone. So models that answered the same examples are compared on the same
resamples, and the same records give the same numbers.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mathderive.core.random_streams import keyed_seed

RESAMPLES = 10_000
"""The number of bootstrap resamples."""

FEWER_RESAMPLES = 2_000
"""The number of resamples for slow statistics; it leaves an interval's ends uncertain by about 2 % of its width."""

LEVEL = 0.95
"""The confidence level of the intervals."""

_TAILS = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)
_BLOCK = 2**21
"""The number of weights that are in memory at once."""

ALPHA = 0.05
"""The level of significance of tests."""

Interval = tuple[float, float]
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""A function of weights [resamples, items] that returns a value for each resample; NaN where it has no value."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval.

    The interval is None where the resamples do not vary, or where too few of them have a value.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """A mean paired difference and its two-sided p-value.

    Attributes:
        p: the p-value; None where there is no interval.
        adjusted_p: the p-value adjusted for the other tests of the same question.
    """

    difference: Estimate
    p: float | None
    adjusted_p: float | None = None


def mean(values: Sequence[float], sources: Sequence[str]) -> Estimate | None:
    """Returns the mean of the items' values; None if there are no items.

    Args:
        values: each item's value.
        sources: each item's source.
    """
    return rate(values, [1.0] * len(values), sources)


def rate(counts: Sequence[float], totals: Sequence[float], sources: Sequence[str]) -> Estimate | None:
    """Returns the sum of the items' counts over the sum of their totals; None if that sum is 0."""
    total = math.fsum(totals)
    if not total:
        return None
    return Estimate(math.fsum(counts) / total, interval(_resampled_rates(counts, totals, sources)))


def compare(differences: Sequence[float], sources: Sequence[str]) -> Comparison | None:
    """Returns the mean of the items' differences with its test; None if there are no items."""
    if not differences:
        return None
    value = math.fsum(differences) / len(differences)
    resampled = _resampled_rates(differences, [1.0] * len(differences), sources)
    bounds = interval(resampled)
    return Comparison(Estimate(value, bounds), None if bounds is None else p_value(value, resampled))


def estimate(statistic: Statistic, sources: Sequence[str]) -> Estimate | None:
    """Returns any statistic of the items with its interval; None where it has no value."""
    value = float(statistic(np.ones((1, len(sources))))[0]) if sources else math.nan
    return None if math.isnan(value) else Estimate(value, interval(bootstrap(statistic, sources, FEWER_RESAMPLES)))


def bootstrap(statistic: Statistic, sources: Sequence[str], resamples: int = RESAMPLES) -> Floats:
    """Returns the statistic's value for each resample.

    Args:
        statistic: a function that is given some of the resamples at a time; see `Statistic`.
        sources: each item's source, at least one; the resamples depend on their sorted names alone.
        resamples: the number of resamples, at most `RESAMPLES`.
    """
    names, source_of_item = _numbered(sources)
    draws = _draws(names)
    parts = _parts(len(sources), resamples)
    return np.concatenate([statistic(draws[part][:, source_of_item].astype(np.float64)) for part in parts])


def interval(resampled: Floats) -> Interval | None:
    """Returns the percentile interval, to six decimals: further ones depend on the order in which a machine adds.

    None where the resamples do not vary, since one source, or sources that are all alike, say nothing about others.
    None also where so many resamples lack a value that the ends of the interval may be among them.
    """
    defined = resampled[~np.isnan(resampled)]
    if len(defined) < LEVEL * len(resampled) or np.ptp(defined) <= 1e-9 * np.abs(defined).max():
        return None
    low, high = np.percentile(defined, _TAILS)
    return round(float(low), 6), round(float(high), 6)


def p_value(value: float, resampled: Floats) -> float:
    """Returns the share of resamples that are at least as far from the value as the value is from 0.

    The observed data count as one more resample, so it is never 0 (Davison and Hinkley, 1997, chapter 4).
    """
    as_far = np.abs(resampled - value) >= abs(value) * (1 - 1e-9)
    return (1 + int(as_far.sum())) / (1 + len(resampled))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusts the p-values of one family of tests by Holm's step-down method (1979); None stays None."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = largest
    return adjusted


def _resampled_rates(counts: Sequence[float], totals: Sequence[float], sources: Sequence[str]) -> Floats:
    """Returns what `bootstrap` returns for a rate, but faster: it adds up each source's items beforehand."""
    names, source_of_item = _numbered(sources)
    sums = np.zeros((len(names), 2))
    np.add.at(sums, source_of_item, np.column_stack([counts, totals]))
    draws = _draws(names)
    resampled = np.concatenate([draws[part].astype(np.float64) @ sums for part in _parts(len(names), RESAMPLES)])
    count, total = resampled.T
    return np.divide(count, total, out=np.full_like(count, np.nan), where=total > 0)


def _numbered(sources: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """Returns the distinct sources in order, and each item's index among them."""
    names, places = np.unique(np.array(sources, dtype=object), return_inverse=True)
    return tuple(names), places


@lru_cache(maxsize=4)
def _draws(names: tuple[str, ...]) -> NDArray[np.uint16]:
    """Returns how often each source is in each resample, [resamples, sources]."""
    rng = np.random.default_rng(keyed_seed("\n".join(names)))
    draws = np.empty((RESAMPLES, len(names)), dtype=np.uint16)
    for part in _parts(len(names), RESAMPLES):
        drawn = rng.integers(0, len(names), (part.stop - part.start, len(names)))
        rows = np.arange(len(drawn))[:, np.newaxis] * len(names)
        draws[part] = np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)
    return draws


def _parts(width: int, resamples: int) -> Iterator[slice]:
    """Yields the resamples in slices of at most `_BLOCK` weights."""
    height = max(1, _BLOCK // width)
    for start in range(0, resamples, height):
        yield slice(start, min(start + height, resamples))
