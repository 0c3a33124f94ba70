"""Intervals and tests: compared with scipy and sacrebleu, by their laws, and without enough data."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.significance import _compute_p_value

from mathderive.metrics.statistics import (
    RESAMPLES,
    _draws,
    bootstrap,
    compare,
    estimate,
    holm,
    interval,
    mean,
    p_value,
    rate,
)
from tests.support.resampling import rng_of

values = st.lists(st.floats(-1, 1).map(lambda value: round(value, 3)), min_size=2, max_size=30)


def sources(count: int) -> list[str]:
    return [f"{number:04}" for number in range(count)]


@pytest.mark.parametrize("count", [2, 7, 50, 333])
def test_intervals_are_scipy_s(count: int) -> None:
    """The same random numbers give exactly the same interval."""
    data = np.random.default_rng(count).beta(2, 1, count)
    names = sources(count)
    theirs = scipy.stats.bootstrap(
        (data,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=rng_of(names), batch=100
    )
    ours = mean(list(data), names)
    assert ours is not None
    assert ours.value == pytest.approx(data.mean(), abs=1e-12)
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval), abs=1e-6)


def test_intervals_of_rates_are_scipy_s() -> None:
    rng = np.random.default_rng(5)
    totals = rng.integers(0, 9, 60)
    counts = rng.binomial(totals, 0.2)
    names = sources(60)

    def statistic(of_counts: np.ndarray, of_totals: np.ndarray, axis: int = -1) -> np.ndarray:
        return of_counts.sum(axis=axis) / of_totals.sum(axis=axis)

    theirs = scipy.stats.bootstrap(
        (counts, totals), statistic, paired=True, n_resamples=RESAMPLES, method="percentile", rng=rng_of(names)
    )
    ours = rate(list(counts), list(totals), names)
    assert ours is not None
    assert ours.value == counts.sum() / totals.sum()
    assert ours.interval == pytest.approx(tuple(theirs.confidence_interval), abs=1e-6)


def test_sources_are_drawn_whole() -> None:
    """Answers repeated within their sources do not narrow an interval, as independent answers would."""
    data = list(np.random.default_rng(0).normal(size=40))
    once = mean(data, sources(40))
    thrice = mean(data * 3, sources(40) * 3)
    alone = mean(data * 3, sources(120))
    assert once is not None
    assert thrice is not None
    assert alone is not None
    assert thrice.interval == pytest.approx(once.interval, abs=2e-6)
    assert alone.interval is not None
    assert once.interval is not None
    assert np.ptp(alone.interval) < 0.7 * np.ptp(once.interval)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for trial in range(300):
        found = mean(list(rng.uniform(size=40)), [f"{trial}-{name}" for name in sources(40)])
        assert found is not None
        assert found.interval is not None
        low, high = found.interval
        hits += low <= 0.5 <= high
    # 0.95 of 300 trials are 285, with a standard deviation of 3.8.
    assert 273 <= hits <= 297


def test_every_resample_has_as_many_sources_as_there_are() -> None:
    draws = _draws(tuple(sources(11)))
    assert draws.shape == (RESAMPLES, 11)
    assert (draws.sum(axis=1) == 11).all()
    # Each of the 121 pairs (draw, source) has the same chance: a mean of 1, with a standard error of 0.0095.
    assert np.abs(draws.mean(axis=0) - 1).max() < 0.04
    assert not np.array_equal(draws, _draws(tuple(f"x{name}" for name in sources(11))))


@given(values, st.integers(0, 5), st.floats(-2, 2).filter(lambda factor: abs(factor) > 0.01))
@settings(max_examples=15, deadline=None)
def test_intervals_move_with_the_data(data: list[float], shift: int, factor: float) -> None:
    names = sources(len(data))
    plain, moved = mean(data, names), mean([factor * value + shift for value in data], names)
    assert plain is not None
    assert moved is not None
    if plain.interval is None:
        assert moved.interval is None
    else:
        expected = sorted(factor * end + shift for end in plain.interval)
        assert moved.interval == pytest.approx(tuple(expected), abs=1e-5)


@given(values, st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_the_order_of_the_items_does_not_matter(data: list[float], random: object) -> None:
    items = list(zip(data, sources(len(data)), strict=True))
    shuffled = sorted(items, key=lambda _: random.random())  # type: ignore[attr-defined]
    ours, theirs = mean(*zip(*items, strict=True)), mean(*zip(*shuffled, strict=True))
    assert ours is not None
    assert theirs is not None
    assert ours.value == theirs.value
    assert ours.interval == pytest.approx(theirs.interval, abs=2e-6)


def test_the_p_value_is_sacrebleu_s() -> None:
    data = list(np.random.default_rng(3).normal(0.2, 1, 80))
    value = math.fsum(data) / len(data)
    resampled = bootstrap(lambda weights: weights @ np.array(data) / weights.sum(axis=1), sources(80))
    # sacrebleu centres on the mean of the resamples, which is close to the value itself.
    theirs = _compute_p_value(np.abs(resampled - resampled.mean()), abs(value))
    found = compare(data, sources(80))
    assert found is not None
    assert found.p == pytest.approx(theirs, abs=0.005)
    assert found.p == p_value(value, resampled)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.25, 0.4])
def test_the_p_value_is_near_that_of_the_t_test(shift: float) -> None:
    """For many normally distributed differences both tests agree."""
    data = np.random.default_rng(7).normal(shift, 1, 400)
    found = compare(list(data), sources(400))
    assert found is not None
    assert found.p == pytest.approx(scipy.stats.ttest_1samp(data, 0).pvalue, abs=0.02)
    assert found.difference.interval is not None
    low, high = found.difference.interval
    assert found.p is not None
    assert (found.p < 0.05) == (low > 0 or high < 0)


def test_p_values_are_uniform_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(2)
    p_values = []
    for trial in range(200):
        found = compare(list(rng.normal(size=50)), [f"{trial}-{name}" for name in sources(50)])
        assert found is not None
        p_values.append(found.p)
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.01


def test_exchanging_the_two_changes_signs_only() -> None:
    data = list(np.random.default_rng(4).normal(0.3, 1, 30))
    one, other = compare(data, sources(30)), compare([-value for value in data], sources(30))
    assert one is not None
    assert other is not None
    assert one.p == other.p
    assert one.difference.interval is not None
    assert other.difference.interval == tuple(-end for end in reversed(one.difference.interval))


@given(st.lists(st.floats(0, 1), max_size=30))
def test_holm_by_its_definition(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    for alpha in (0.01, 0.05, 0.3):
        # Hypotheses are rejected from the smallest p-value on, until one is too large for the number that are left.
        rejected = set()
        for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
            if p_values[place] * (len(p_values) - rank) > alpha:
                break
            rejected.add(place)
        assert rejected == {place for place, p in enumerate(adjusted) if p is not None and p <= alpha}
    assert all(p is not None and p >= plain for p, plain in zip(adjusted, p_values, strict=True))


def test_tests_without_a_p_value_are_not_in_the_family() -> None:
    assert holm([None, 0.01, None, 0.04]) == [None, 0.02, None, 0.04]
    assert holm([]) == []


@pytest.mark.parametrize(
    "data", [[], [0.5], [0.5] * 20, [0.1] * 333, [0.0] * 20], ids=["none", "one", "alike", "tenths", "zeros"]
)
def test_without_enough_data_there_is_no_interval(data: list[float]) -> None:
    """There is no NaN either, and no warning, which would fail this test."""
    found, compared = mean(data, sources(len(data))), compare(data, sources(len(data)))
    assert (found is None) == (compared is None) == (not data)
    if found is not None and compared is not None:
        assert found.interval is None
        assert compared.difference == found
        assert compared.p is None
        json.dumps([asdict(found), asdict(compared)], allow_nan=False)


def test_a_rate_of_nothing_has_no_value() -> None:
    assert rate([0, 0], [0, 0], sources(2)) is None
    # One resample in four has no equation, which is too many for an interval.
    found = rate([1, 0], [2, 0], sources(2))
    assert found is not None
    assert (found.value, found.interval) == (0.5, None)


def test_one_source_says_nothing_about_others() -> None:
    found = mean([0.1, 0.9, 0.4], ["a", "a", "a"])
    assert found is not None
    assert found.interval is None


def test_a_statistic_without_value_is_none() -> None:
    assert estimate(lambda weights: np.full(len(weights), np.nan), sources(3)) is None
    assert estimate(lambda weights: weights.sum(axis=1), []) is None


def test_resamples_without_value_are_left_out_while_they_are_few() -> None:
    whole = np.linspace(0, 1, 1001)
    few, many = whole.copy(), whole.copy()
    few[:10] = np.nan
    many[:60] = np.nan
    assert interval(whole) == (0.025, 0.975)
    assert interval(few) == pytest.approx((0.03475, 0.97525))
    assert interval(many) is None
