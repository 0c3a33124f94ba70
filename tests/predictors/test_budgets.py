"""Rate limits hold in every minute, and spending never exceeds its limit."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.predictors.budgets import CostBudget, Prices, RateLimit, TokenEstimate

WINDOW = 0.2


async def admitted(limit: RateLimit, sizes: Sequence[int]) -> list[tuple[float, int]]:
    """The (time, tokens) of attempts that all ask at once."""
    attempts = await asyncio.gather(*(limit.admit(tokens) for tokens in sizes))
    return [(attempt.time, attempt.tokens) for attempt in attempts]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 6), st.integers(40, 80))
def test_no_window_holds_more_than_the_limits(sizes: list[int], requests: int, tokens: int) -> None:
    passes = asyncio.run(admitted(RateLimit(requests, tokens, window=WINDOW), sizes))
    assert [size for _, size in sorted(passes)] == sizes  # first come, first served
    for start, _ in passes:
        near = [size for time, size in passes if start <= time < start + WINDOW]
        assert len(near) <= requests
        assert sum(near) <= tokens


def test_without_limits_nothing_waits() -> None:
    passes = asyncio.run(admitted(RateLimit(None, None, window=3600), [10**9] * 50))
    assert passes[-1][0] - passes[0][0] < 10


def test_an_attempt_larger_than_the_limit_is_admitted_alone() -> None:
    first, second, third = asyncio.run(admitted(RateLimit(None, 10, window=WINDOW), [5, 50, 5]))
    assert second[0] - first[0] >= WINDOW
    assert third[0] - second[0] >= WINDOW


def test_a_correction_makes_room() -> None:
    async def run() -> None:
        limit = RateLimit(None, 100, window=3600)
        attempt = await limit.admit(90)
        attempt.tokens = 10
        await asyncio.wait_for(limit.admit(90), timeout=10)

    asyncio.run(run())


def test_attempts_of_an_earlier_run_count() -> None:
    limit = RateLimit(3, None, recent=[(WINDOW / 2, 1), (0.0, 1)], window=WINDOW)
    started = time.monotonic()
    passes = [at - started for at, _ in asyncio.run(admitted(limit, [1, 1, 1, 1]))]
    assert passes[0] < WINDOW / 2  # one of three is left
    assert passes[1] >= WINDOW / 2
    assert passes[2] >= WINDOW


def test_attempts_in_flight_count_at_their_maximum_cost() -> None:
    async def run() -> None:
        budget = CostBudget(1.0, 0.25, "chat")
        await budget.reserve(0.5)
        waiting = asyncio.create_task(budget.reserve(0.5))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await budget.settle(0.5, 0.125)
        await waiting
        assert budget.spent == 0.375
        await budget.settle(0.5, 0.5)
        with pytest.raises(InputError, match=r"chat: max_cost: 0\.8750 of 1\.0000 dollars"):
            await budget.reserve(0.5)

    asyncio.run(run())


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=30))
def test_the_limit_is_never_exceeded(costs: list[tuple[float, float]]) -> None:
    async def attempt(budget: CostBudget, maximum: float, share: float) -> None:
        await budget.reserve(maximum)
        await asyncio.sleep(0)
        await budget.settle(maximum, maximum * share)
        assert budget.spent <= 3.0 + 1e-9

    async def run() -> None:
        budget = CostBudget(3.0, 0.0, "chat")
        ends = await asyncio.gather(*(attempt(budget, *cost) for cost in costs), return_exceptions=True)
        assert all(end is None or isinstance(end, InputError) for end in ends)

    asyncio.run(run())


def test_prices_are_per_million_tokens() -> None:
    assert Prices(prompt=30, completion=60).cost(1000, 500) == pytest.approx(0.06)


def test_estimates_follow_the_counted_tokens() -> None:
    estimate = TokenEstimate(longest=0)
    messages = [{"role": "user", "content": "x" * 3000}]
    assert 1000 <= estimate.estimate(messages) <= 1020
    estimate.correct(messages, 600, 1)
    assert 600 <= estimate.estimate(messages) <= 620
    estimate.correct(messages, 1500, 1)
    assert 1500 <= estimate.estimate(messages) <= 1520


@pytest.mark.parametrize(("longest", "sizes"), [(100, [100, 100, 100, 100]), (None, [512, 30, 700, 700])])
def test_a_completion_is_estimated_by_its_limit_or_the_longest_one_so_far(
    longest: int | None, sizes: list[int]
) -> None:
    estimate, nothing = TokenEstimate(longest), TokenEstimate(longest=0)
    seen: list[int] = []
    for completion in (30, 700, 200, None):
        seen.append(estimate.estimate([]) - nothing.estimate([]))
        if completion is not None:
            estimate.correct([], 0, completion)
    assert seen == sizes
