"""Budgets hold over every minute, and money is never spent beyond its limit."""

import asyncio
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.predictors.budgets import CostBudget, Prices, RateLimit, TokenEstimate

WINDOW = 0.2


async def passed(limit, sizes):
    """(time, tokens) of each attempt, all asking at once."""

    async def one(tokens):
        return await limit.passes(tokens)

    return [(spent.time, spent.tokens) for spent in await asyncio.gather(*map(one, sizes))]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 6), st.integers(40, 80))
def test_no_window_holds_more_than_the_limits(sizes, requests, tokens) -> None:
    passes = asyncio.run(passed(RateLimit(requests, tokens, window=WINDOW), sizes))
    assert [size for _, size in sorted(passes)] == sizes  # first come, first served
    for start, _ in passes:
        near = [size for time, size in passes if start <= time < start + WINDOW]
        assert len(near) <= requests
        assert sum(near) <= tokens


def test_without_limits_nothing_waits() -> None:
    passes = asyncio.run(passed(RateLimit(None, None, window=3600), [10**9] * 50))
    assert passes[-1][0] - passes[0][0] < 10


def test_an_attempt_larger_than_the_limit_passes_alone() -> None:
    first, second, third = asyncio.run(passed(RateLimit(None, 10, window=WINDOW), [5, 50, 5]))
    assert second[0] - first[0] >= WINDOW
    assert third[0] - second[0] >= WINDOW


def test_a_correction_makes_room() -> None:
    async def run():
        limit = RateLimit(None, 100, window=3600)
        spent = await limit.passes(90)
        spent.tokens = 10
        await asyncio.wait_for(limit.passes(90), timeout=10)

    asyncio.run(run())


def test_attempts_before_the_start_count() -> None:
    limit = RateLimit(3, None, recent=[(WINDOW / 2, 1), (0.0, 1)], window=WINDOW)
    started = time.monotonic()
    passes = [at - started for at, _ in asyncio.run(passed(limit, [1, 1, 1, 1]))]
    assert passes[0] < WINDOW / 2  # one of three is left
    assert passes[1] >= WINDOW / 2
    assert passes[2] >= WINDOW


def test_money_under_way_counts_at_its_worst() -> None:
    async def run():
        purse = CostBudget(1.0, 0.25, "chat")
        await purse.reserve(0.5)
        waiting = asyncio.create_task(purse.reserve(0.5))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await purse.settle(0.5, 0.125)
        await waiting
        assert purse.spent == 0.375
        await purse.settle(0.5, 0.5)
        with pytest.raises(InputError, match=r"chat: max_cost: 0\.8750 of 1\.0000 dollars"):
            await purse.reserve(0.5)

    asyncio.run(run())


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_the_limit_is_never_passed(costs) -> None:
    async def attempt(purse, worst, share):
        await purse.reserve(worst)
        await asyncio.sleep(0)
        await purse.settle(worst, worst * share)
        assert purse.spent <= 3.0 + 1e-9

    async def run():
        purse = CostBudget(3.0, 0.0, "chat")
        ends = await asyncio.gather(*(attempt(purse, *cost) for cost in costs), return_exceptions=True)
        assert all(end is None or isinstance(end, InputError) for end in ends)

    asyncio.run(run())


def test_prices_are_a_million_tokens() -> None:
    assert Prices(prompt=30, completion=60).cost(1000, 500) == pytest.approx(0.06)


def test_estimates_follow_what_was_counted() -> None:
    estimate = TokenEstimate(longest=0)
    messages = [{"role": "user", "content": "x" * 3000}]
    assert 1000 <= estimate.of(messages) <= 1020
    estimate.correct(messages, 600, 1)
    assert 600 <= estimate.of(messages) <= 620
    estimate.correct(messages, 1500, 1)
    assert 1500 <= estimate.of(messages) <= 1520


@pytest.mark.parametrize(("longest", "sizes"), [(100, [100, 100, 100, 100]), (None, [512, 30, 700, 700])])
def test_a_completion_is_as_long_as_asked_for_or_as_the_longest_before(longest, sizes) -> None:
    estimate, nothing = TokenEstimate(longest), TokenEstimate(longest=0)
    seen = []
    for completion in (30, 700, 200, None):
        seen.append(estimate.of([]) - nothing.of([]))
        if completion is not None:
            estimate.correct([], 0, completion)
    assert seen == sizes
