"""Batches lose no request: each one in the queue is answered, cancelled, or told that its batch failed."""

import asyncio
import logging
from collections.abc import MutableMapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.model.tokenizer import Tokenizer, train_tokenizer
from mathderive.predictors.t5 import Completion
from mathderive.serving.batching import Batcher, BatchFailedError, Job, QueueFullError, Watch
from mathderive.serving.limits import BoundedBodies


class Echo:
    """Writes a prompt's ids as letters, one after another; fails on the id 0."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: Watch | None
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


def letters(text: str) -> list[int]:
    return list(map(ord, text))


async def collected(job: Job) -> list[str]:
    return [piece async for piece in job.pieces()]


def test_waiting_requests_share_batches_and_all_are_answered() -> None:
    async def run() -> None:
        batcher = Batcher(model := Echo(), batch_size=4, waiting=10)
        jobs = [batcher.submit(letters("abc" * (n + 1)), 5, streamed=False) for n in range(10)]
        with pytest.raises(QueueFullError) as full:
            batcher.submit([1], 1, streamed=False)
        assert full.value.seconds >= 1
        async with batcher.running():
            answers = await asyncio.gather(*(job.completion() for job in jobs))
        assert [answer.text for answer in answers] == ["abc", *["abcab"] * 9]
        assert sorted(model.batches) == [2, 4, 4]

    asyncio.run(run())


@given(st.lists(st.text(min_size=1, max_size=9).filter(lambda text: "\ufffd" not in text and "\0" not in text)))
@settings(deadline=None, max_examples=30)
def test_the_pieces_joined_are_the_whole_text(texts: list[str]) -> None:
    async def run() -> list[str]:
        batcher = Batcher(Echo(), batch_size=3, waiting=0)
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
                await bad.completion()
            with pytest.raises(BatchFailedError):
                await collected(streamed)
            assert (await good.completion()).text == "ok"
            assert batcher.is_healthy

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
            await jobs[3].completion()
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
