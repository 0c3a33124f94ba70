"""Short work passes long work, and the answers are those without lanes."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from mathderive.model.sampling import Sampling
from mathderive.predictors.t5 import Completion
from mathderive.serving.batching import QUICK_PROMPT_TOKENS, QUICK_TOKENS, Batcher, SampleWatch, Watch
from mathderive.serving.jobs import Job, QueueFullError
from mathderive.serving.lanes import Lanes


class Counting:
    """Writes as many tokens as a prompt's first number says; a sample has one more."""

    def __init__(self) -> None:
        self.limits: list[int] = []
        self.padded: set[int] = set()
        self.compiled: list[tuple[int, int]] = []

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: Watch | None, min_source_length: int
    ) -> list[Completion]:
        self.padded.add(min_source_length)
        found = []
        for row, (source, limit) in enumerate(zip(sources, limits, strict=True)):
            text = "x" * min(source[0], limit)
            self.limits.append(limit)
            if watch:
                watch(row, text)
            found.append(Completion(text, "stop" if source[0] <= limit else "length", len(source), len(text)))
        return found

    def complete_with_samples(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        watch: SampleWatch | None,
    ) -> list[list[Completion]]:
        found = self.complete([[source[0] + 1] for source in sources], limits, None, 0)
        return [[one] * len(sampling.keys) for one, sampling in zip(found, samplings, strict=True)]

    def compile_short(self, source_length: int, target_length: int) -> None:
        self.compiled.append((source_length, target_length))


async def answer(job: Job) -> Completion:
    (found,) = await job.completions()
    return found


def test_the_quick_worker_leaves_the_slow_lane_alone() -> None:
    async def run() -> None:
        lanes: Lanes[str] = Lanes(2, 2)
        assert lanes.add("long", is_quick=False)
        assert lanes.add("short", is_quick=True)
        assert await lanes.take(9, serves_slow=False) == (["short"], True)
        waiting = asyncio.create_task(lanes.take(9, serves_slow=False))
        assert await lanes.take(9, serves_slow=True) == (["long"], False)
        lanes.add("another", is_quick=True)
        assert await waiting == (["another"], True)

    asyncio.run(run())


def test_the_slow_worker_helps_where_nothing_waits_for_it() -> None:
    async def run() -> None:
        lanes: Lanes[str] = Lanes(3, 3)
        for item in ("a", "b", "c"):
            lanes.add(item, is_quick=True)
        assert await lanes.take(2, serves_slow=True) == (["a", "b"], True)

    asyncio.run(run())


@pytest.mark.parametrize("is_quick", [True, False])
def test_work_of_batches_and_other_work_take_turns(is_quick: bool) -> None:
    async def run() -> list[str]:
        lanes: Lanes[str] = Lanes(7, 7)
        for item in ("a", "b", "C", "d", "E", "F", "G"):
            assert lanes.add(item, is_quick, of_batch=item.isupper())
        assert not lanes.add("h", is_quick)
        assert lanes.remove("E")
        return [(await lanes.take(1, serves_slow=True))[0][0] for _ in range(6)]

    assert asyncio.run(run()) == ["a", "C", "b", "F", "d", "G"]


def test_a_full_lane_refuses_and_the_other_does_not() -> None:
    async def run() -> None:
        lanes: Lanes[int] = Lanes(1, 1)
        assert [lanes.add(1, True), lanes.add(2, True), lanes.add(3, False), lanes.add(4, False)] == [
            True,
            False,
            True,
            False,
        ]
        assert [lanes.remove(1), lanes.remove(1), len(lanes)] == [True, False, 1]

    asyncio.run(run())


def test_long_answers_are_whole() -> None:
    async def run() -> None:
        batcher = Batcher(model := Counting(), batch_size=4, waiting=9)
        lengths = [1, QUICK_TOKENS, QUICK_TOKENS + 1, 3 * QUICK_TOKENS]
        jobs = [batcher.submit([length], 2 * QUICK_TOKENS, streamed=False) for length in lengths]
        streamed = batcher.submit([3 * QUICK_TOKENS], 2 * QUICK_TOKENS, streamed=True)
        async with batcher.running():
            answers = [await answer(job) for job in jobs]
            pieces = [piece async for _, piece in streamed.pieces()]
        assert [len(answer.text) for answer in answers] == [1, QUICK_TOKENS, QUICK_TOKENS + 1, 2 * QUICK_TOKENS]
        assert [answer.finish_reason for answer in answers] == ["stop", "stop", "stop", "length"]
        assert "".join(pieces) == "x" * 2 * QUICK_TOKENS
        assert sorted(model.limits) == [QUICK_TOKENS] * 5 + [2 * QUICK_TOKENS] * 3
        assert model.padded == {QUICK_PROMPT_TOKENS, 0}

    asyncio.run(run())


def test_long_prompts_and_beam_search_use_the_slow_lane_alone() -> None:
    async def run() -> None:
        for model, source, has_quick_lane in (
            (Counting(), [1] * (QUICK_PROMPT_TOKENS + 1), True),
            (Counting(), [1], False),
        ):
            batcher = Batcher(model, batch_size=4, waiting=1, has_quick_lane=has_quick_lane)
            async with batcher.running():
                await answer(batcher.submit(source, 10 * QUICK_TOKENS, streamed=False))
            assert model.limits == [10 * QUICK_TOKENS]
            assert model.compiled == [(QUICK_PROMPT_TOKENS, QUICK_TOKENS)] * has_quick_lane
            assert model.padded == {0}

    asyncio.run(run())


def test_an_unfinished_answer_is_refused_where_the_slow_lane_is_full() -> None:
    async def run() -> None:
        batcher = Batcher(Counting(), batch_size=9, waiting=3)
        jobs = [batcher.submit([2 * QUICK_TOKENS], 2 * QUICK_TOKENS, streamed=False) for _ in range(3)]
        waiting = [batcher.submit([1] * 99, 1, streamed=False) for _ in range(2)]
        await batcher._answer(jobs, is_quick=True)
        for job in jobs[1:]:
            with pytest.raises(QueueFullError):
                await answer(job)
        async with batcher.running():
            assert len((await answer(jobs[0])).text) == 2 * QUICK_TOKENS
            await asyncio.gather(*map(answer, waiting))

    asyncio.run(run())


def test_a_batch_that_nobody_waits_for_ends() -> None:
    async def run() -> None:
        batcher = Batcher(Counting(), batch_size=9, waiting=3)
        jobs = [batcher.submit([1] * 99, 1, streamed=False) for _ in range(2)]
        for job in jobs:
            job.give_up()
        await batcher._answer(jobs, is_quick=False)
        assert batcher.is_healthy

    asyncio.run(run())


@pytest.mark.parametrize("length", [1, QUICK_PROMPT_TOKENS + 1], ids=["quick", "slow"])
def test_a_request_that_is_given_up_frees_its_place(length: int) -> None:
    async def run() -> None:
        batcher = Batcher(Counting(), batch_size=4, waiting=1)
        for _ in range(3):
            job = batcher.submit([1] * length, 9, streamed=False)
            with pytest.raises(QueueFullError):
                batcher.submit([1] * length, 9, streamed=False)
            job.give_up()
            await asyncio.sleep(0)
        assert batcher.waiting == 0

    asyncio.run(run())


def test_samples_use_the_slow_lane_alone() -> None:
    async def run() -> None:
        batcher = Batcher(model := Counting(), batch_size=4, waiting=2)
        sampled = [batcher.submit([1], 1000, False, Sampling([(0, n) for n in range(count)])) for count in (1, 3)]
        with pytest.raises(QueueFullError):
            batcher.submit([1], 1000, False, Sampling([(0, 0)]))
        greedy = batcher.submit([1], 1000, streamed=False)
        async with batcher.running():
            assert len((await answer(greedy)).text) == 1
            assert [[len(one.text) for one in await job.completions()] for job in sampled] == [[2], [2, 2, 2]]
        assert sorted(model.limits) == [QUICK_TOKENS, 1000, 1000]

    asyncio.run(run())


class Ordered(Counting):
    """Notes when a batch begins and ends; a long one goes on as soon as a short one has begun, or after a second."""

    def __init__(self) -> None:
        super().__init__()
        self.order: list[str] = []

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: Watch | None, min_source_length: int
    ) -> list[Completion]:
        name = "long" if len(sources[0]) > QUICK_PROMPT_TOKENS else "short"
        self.order.append(f"{name} begins")
        deadline = time.monotonic() + 1
        while name == "long" and "short begins" not in self.order and time.monotonic() < deadline:
            time.sleep(0.01)
        if name == "short":
            time.sleep(0.3)
        completions = super().complete(sources, limits, watch, min_source_length)
        self.order.append(f"{name} ends")
        return completions


def test_a_long_batch_pauses_while_a_short_one_is_computed() -> None:
    async def run() -> None:
        batcher = Batcher(model := Ordered(), batch_size=4, waiting=2)
        async with batcher.running():
            long = batcher.submit([1] * (QUICK_PROMPT_TOKENS + 1), 9, streamed=False)
            while not model.order:
                await asyncio.sleep(0.01)
            await asyncio.gather(answer(long), answer(batcher.submit([1], 9, streamed=False)))
        assert model.order == ["long begins", "short begins", "short ends", "long ends"]

    asyncio.run(run())
