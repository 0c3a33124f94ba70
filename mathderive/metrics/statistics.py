"""How sure a mean, a rate or a difference is: bootstrap intervals and paired bootstrap tests.

The items are the answers, but what is drawn anew are their *sources*: an example and its variants ask about the same
derivation, and the equations of an answer build on one another, so they are drawn together or not at all (hierarchical
data: Davison and Hinkley, 1997, section 3.8). A resample is told by how often each item is in it, and a statistic is a
function of these weights.

Intervals are percentile intervals (Efron and Tibshirani, 1993, chapter 13), as machine translation has used them since
Koehn (2004); scipy gives the same ones (`scipy.stats.bootstrap`, `method="percentile"`). Tests shift the bootstrap
distribution of a difference to 0 and ask how often it is as far away from there as what was observed, on either side
(Berg-Kirkpatrick, Burkett and Klein, 2012); several tests of one question are adjusted as Holm (1979) does.

The resamples are a function of the sources' names, so models that answered the same examples are compared on the same
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
FEWER_RESAMPLES = 2_000
"""For statistics that take long: enough for an interval, whose ends they leave uncertain by some 2 % of its width."""

LEVEL = 0.95
_TAILS = (100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2)
_BLOCK = 2**21
"""Weights that are held at once."""

Interval = tuple[float, float]
Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""From weights [resamples, items] to a value for each resample, NaN where a resample has none."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval; None where the resamples do not vary, or too few of them have a value."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class Comparison:
    """A mean paired difference, and the probability of one at least as large, on either side, if there were none.

    `p` is None where there is no interval; `adjusted_p` is p in view of the other tests of the same question.
    """

    difference: Estimate
    p: float | None
    adjusted_p: float | None = None


def mean(values: Sequence[float], sources: Sequence[str]) -> Estimate | None:
    """The mean of the items' values; None of no items.

    Args:
        values: of each item.
        sources: each item's source.
    """
    return rate(values, [1.0] * len(values), sources)


def rate(counts: Sequence[float], totals: Sequence[float], sources: Sequence[str]) -> Estimate | None:
    """The sum of the items' counts over the sum of their totals, as of equations in answers; None where that is 0."""
    total = math.fsum(totals)
    if not total:
        return None
    return Estimate(math.fsum(counts) / total, interval(_resampled_rates(counts, totals, sources)))


def compare(differences: Sequence[float], sources: Sequence[str]) -> Comparison | None:
    """The mean of the items' differences, and whether it is more than chance; None of no items."""
    if not differences:
        return None
    value = math.fsum(differences) / len(differences)
    resampled = _resampled_rates(differences, [1.0] * len(differences), sources)
    bounds = interval(resampled)
    return Comparison(Estimate(value, bounds), None if bounds is None else p_value(value, resampled))


def estimate(statistic: Statistic, sources: Sequence[str]) -> Estimate | None:
    """Any statistic of the items; None where it has no value."""
    value = float(statistic(np.ones((1, len(sources))))[0]) if sources else math.nan
    return None if math.isnan(value) else Estimate(value, interval(bootstrap(statistic, sources, FEWER_RESAMPLES)))


def bootstrap(statistic: Statistic, sources: Sequence[str], resamples: int = RESAMPLES) -> Floats:
    """The statistic's value for each of the resamples.

    Args:
        statistic: see `Statistic`; is given a part of the resamples at a time.
        sources: each item's source, at least one; the resamples are a function of their sorted names.
        resamples: how many, at most `RESAMPLES`.
    """
    names, source_of_item = _numbered(sources)
    draws = _draws(names)
    parts = _parts(len(sources), resamples)
    return np.concatenate([statistic(draws[part][:, source_of_item].astype(np.float64)) for part in parts])


def interval(resampled: Floats) -> Interval | None:
    """The percentile interval, to six decimals: beyond them is the order in which a machine adds.

    None where the resamples do not vary (of one source, or of sources that are all alike, nothing is known about
    others), and where so many have no value that the ends of the interval may be among them.
    """
    defined = resampled[~np.isnan(resampled)]
    if len(defined) < LEVEL * len(resampled) or np.ptp(defined) <= 1e-9 * np.abs(defined).max():
        return None
    low, high = np.percentile(defined, _TAILS)
    return round(float(low), 6), round(float(high), 6)


def p_value(value: float, resampled: Floats) -> float:
    """How often a resample is at least as far from the value as the value is from 0; never 0 itself.

    The observed data count as one more resample (Davison and Hinkley, 1997, chapter 4).
    """
    as_far = np.abs(resampled - value) >= abs(value) * (1 - 1e-9)
    return (1 + int(as_far.sum())) / (1 + len(resampled))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusts the p-values of one family of tests by the step-down method of Holm (1979); None stays None."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = largest
    return adjusted


def _resampled_rates(counts: Sequence[float], totals: Sequence[float], sources: Sequence[str]) -> Floats:
    """`bootstrap` of a rate, for which a source's items can be added up beforehand."""
    names, source_of_item = _numbered(sources)
    sums = np.zeros((len(names), 2))
    np.add.at(sums, source_of_item, np.column_stack([counts, totals]))
    draws = _draws(names)
    resampled = np.concatenate([draws[part].astype(np.float64) @ sums for part in _parts(len(names), RESAMPLES)])
    count, total = resampled.T
    return np.divide(count, total, out=np.full_like(count, np.nan), where=total > 0)


def _numbered(sources: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.intp]]:
    """The sources in order, and each item's place among them."""
    names, places = np.unique(np.array(sources, dtype=object), return_inverse=True)
    return tuple(names), places


@lru_cache(maxsize=4)
def _draws(names: tuple[str, ...]) -> NDArray[np.uint16]:
    """How often each source is in each resample, [resamples, sources]."""
    rng = np.random.default_rng(keyed_seed("\n".join(names)))
    draws = np.empty((RESAMPLES, len(names)), dtype=np.uint16)
    for part in _parts(len(names), RESAMPLES):
        drawn = rng.integers(0, len(names), (part.stop - part.start, len(names)))
        rows = np.arange(len(drawn))[:, np.newaxis] * len(names)
        draws[part] = np.bincount((drawn + rows).ravel(), minlength=drawn.size).reshape(drawn.shape)
    return draws


def _parts(width: int, resamples: int) -> Iterator[slice]:
    """The resamples in parts of at most a block of weights."""
    height = max(1, _BLOCK // width)
    for start in range(0, resamples, height):
        yield slice(start, min(start + height, resamples))
