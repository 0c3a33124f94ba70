"""Batches lose no request: each one in the queue is answered, cancelled, or told that its batch failed."""

import asyncio
import logging
from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.model.sampling import Sampling
from mathderive.model.tokenizer import Tokenizer, train_tokenizer
from mathderive.predictors.t5 import Completion
from mathderive.serving.batching import Batcher, SampleWatch, Watch
from mathderive.serving.jobs import BatchFailedError, Job, QueueFullError
from mathderive.serving.limits import BoundedBodies


class Echo:
    """Writes a prompt's ids as letters, one after another; fails on the id 0."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: Watch | None, min_source_length: int
    ) -> list[Completion]:
        self.batches.append(len(sources))
        if any(0 in source for source in sources):
            raise ZeroDivisionError
        texts = ["".join(map(chr, source[:limit])) for source, limit in zip(sources, limits, strict=True)]
        for row, text in enumerate(texts):
            for end in range(len(text)):
                if watch:
                    watch(row, text[:end] + "\ufffd")
        return [Completion(text, "stop", len(text), len(text)) for text in texts]

    def complete_with_samples(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        watch: SampleWatch | None,
    ) -> list[list[Completion]]:
        """Writes each sample's key before the prompt."""
        assert len({one.top_p < 1 for one in samplings}) == 1
        self.batches.append(sum(len(one.keys) for one in samplings))
        answers = []
        for row, (source, one) in enumerate(zip(sources, samplings, strict=True)):
            texts = [f"{number}:" + "".join(map(chr, source)) for _, number in one.keys]
            for end in range(max(map(len, texts))):
                for number, text in enumerate(texts):
                    if watch:
                        watch(row, number, text[:end])
            answers.append([Completion(text, "stop", len(source), len(text)) for text in texts])
        return answers

    def compile_short(self, source_length: int, target_length: int) -> None:
        pass


def sampling(first: int, count: int, top_p: float = 1.0) -> Sampling:
    return Sampling([(0, first + number) for number in range(count)], top_p=top_p)


def letters(text: str) -> list[int]:
    return list(map(ord, text))


async def collected(job: Job) -> list[str]:
    return [piece async for _, piece in job.pieces()]


def test_waiting_requests_share_batches_and_all_are_answered() -> None:
    async def run() -> None:
        batcher = Batcher(model := Echo(), batch_size=4, waiting=10)
        jobs = [batcher.submit(letters("abc" * (n + 1)), 5, streamed=False) for n in range(10)]
        with pytest.raises(QueueFullError) as full:
            batcher.submit([1], 1, streamed=False)
        assert full.value.seconds >= 1
        async with batcher.running():
            answers = await asyncio.gather(*(job.completions() for job in jobs))
        assert [answer.text for (answer,) in answers] == ["abc", *["abcab"] * 9]
        assert sorted(model.batches) == [2, 4, 4]

    asyncio.run(run())


def test_every_request_gets_its_own_samples_in_batches_of_bounded_size() -> None:
    async def run() -> None:
        batcher = Batcher(model := Echo(), batch_size=4, waiting=40)
        counts = [1, 1, 1, 1, 2, 2, 4, 3, 1, 1]
        jobs = [
            batcher.submit(letters(chr(97 + n)), 5, n % 2 == 0, sampling(10 * n, count, 0.5 if n > 7 else 1.0))
            for n, count in enumerate(counts)
        ]
        greedy = batcher.submit(letters("z"), 5, streamed=False)
        async with batcher.running():
            answers = await asyncio.gather(*(job.completions() for job in jobs))
            assert [one.text for one in await greedy.completions()] == ["z"]
            for n, (count, texts) in enumerate(zip(counts, answers, strict=True)):
                assert [one.text for one in texts] == [f"{10 * n + m}:{chr(97 + n)}" for m in range(count)]
            written: dict[int, str] = {}
            async for number, piece in jobs[4].pieces():
                written[number] = written.get(number, "") + piece
            assert written == {0: "40:e", 1: "41:e"}
        assert max(model.batches) <= 4
        assert len(model.batches) < len(jobs)

    asyncio.run(run())


@given(st.lists(st.text(min_size=1, max_size=9).filter(lambda text: "\ufffd" not in text and "\0" not in text)))
@settings(deadline=None, max_examples=30)
def test_the_pieces_joined_are_the_whole_text(texts: list[str]) -> None:
    async def run() -> list[str]:
        batcher = Batcher(Echo(), batch_size=3, waiting=1000)
        async with batcher.running():
            jobs = [batcher.submit(letters(text), 100, streamed=True) for text in texts]
            return ["".join(pieces) for pieces in await asyncio.gather(*map(collected, jobs))]

    assert asyncio.run(run()) == texts


def test_a_failed_batch_does_not_affect_others(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        batcher = Batcher(Echo(), batch_size=1, waiting=9)
        async with batcher.running():
            bad, streamed, good = (
                batcher.submit(source, 9, is_streamed)
                for source, is_streamed in (([0], False), ([0], True), (letters("ok"), False))
            )
            with pytest.raises(BatchFailedError):
                await bad.completions()
            with pytest.raises(BatchFailedError):
                await collected(streamed)
            assert [one.text for one in await good.completions()] == ["ok"]
            await batcher.submit(letters("ok"), 9, streamed=False).completions()
            assert batcher.is_healthy  # by the last batch; the three before may end in any order

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert "ZeroDivisionError" in caplog.text


def test_cancelled_requests_are_not_computed() -> None:
    async def run() -> None:
        batcher = Batcher(model := Echo(), batch_size=4, waiting=9)
        jobs = [batcher.submit(letters("x"), 1, streamed=False) for _ in range(4)]
        for job in jobs[:3]:
            job.give_up()
        async with batcher.running():
            await jobs[3].completions()
        assert model.batches == [1]

    asyncio.run(run())


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    texts = [f"\\theta_{{{n}}} = \\frac{{d}}{{d x}} é日本🙂 {n}" for n in range(20)]
    return train_tokenizer(texts, tmp_path_factory.mktemp("tokenizer"), 44)


@settings(max_examples=500, deadline=None)
@given(data=st.data(), text=st.text(max_size=20))
def test_a_tokenizer_never_changes_text_that_it_has_decoded(
    tokenizer: Tokenizer, data: st.DataObject, text: str
) -> None:
    # The ids are arbitrary: a model may write half of a character and continue with something else.
    written = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=30)) + tokenizer.encode(text)
    part = tokenizer.decode(written[: data.draw(st.integers(0, len(written)))])
    assert tokenizer.decode(written).startswith(part.rstrip("\ufffd"))


def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathderive.serving.limits.BODY_SECONDS", 0.05)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError

    scope = {"type": "http", "headers": [(b"content-length", b"10")]}
    asyncio.run(BoundedBodies(app)(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]
