"""Gathers requests into batches for the device, in a bounded queue.

When the device becomes free, all waiting requests go there together, up to the batch size; no request waits for a
batch to fill. Two batches are computed at once, as in `devices.overlapped`.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mathderive.predictors.t5 import Completion

_AT_ONCE = 2

_log = logging.getLogger(__name__)

_INCOMPLETE = "\ufffd"
"""The character at the end of a text while its last character is incomplete."""


class CompletesBatches(Protocol):
    """The part of `T5Model` that the batcher uses; `watch` receives a row and its text so far."""

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: "Watch | None"
    ) -> list[Completion]: ...


class Watch(Protocol):
    def __call__(self, row: int, text: str, /) -> None: ...


class QueueFullError(Exception):
    """The queue has no room; `seconds` estimates when there will be some."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"the queue is full for about {seconds} s")
        self.seconds = seconds


class BatchFailedError(Exception):
    """The model raised an error; the log has its traceback."""


@dataclass(eq=False)
class Job:
    """A request in the queue or on the device.

    Attributes:
        source: the prompt's ids.
        limit: maximum tokens of the answer.
        streamed: whether the client reads `pieces`, or else `completion`.
    """

    source: Sequence[int]
    limit: int
    streamed: bool
    _texts: "asyncio.Queue[str | None]" = field(default_factory=asyncio.Queue)
    _completion: "asyncio.Future[Completion]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    async def completion(self) -> Completion:
        """The answer. Cancelling the caller takes the request out of the queue."""
        return await self._completion

    async def pieces(self) -> AsyncIterator[str]:
        """Yields the answer's text as it is written; the pieces joined are the text of `completion`."""
        sent = ""
        while (text := await self._texts.get()) is not None:
            complete = text.rstrip(_INCOMPLETE)
            if len(complete) > len(sent) and complete.startswith(sent):
                yield complete[len(sent) :]
                sent = complete
        whole = (await self._completion).text
        if not whole.startswith(sent):
            raise BatchFailedError("the tokenizer changed text that it had decoded before")
        if whole != sent:
            yield whole[len(sent) :]

    def give_up(self) -> None:
        """Cancels the request because nobody waits for the answer any more."""
        self._completion.cancel()

    @property
    def is_over(self) -> bool:
        return self._completion.done()

    def add_text(self, text: str) -> None:
        """Passes on the text so far."""
        self._texts.put_nowait(text)

    def end(self, outcome: Completion | BatchFailedError) -> None:
        """Passes on the answer or the failure."""
        if not self.is_over:
            if isinstance(outcome, Completion):
                self._completion.set_result(outcome)
            else:
                self._completion.set_exception(outcome)
        self._texts.put_nowait(None)


class Batcher:
    """Answers requests in batches of at most `batch_size`, with a queue of at most `waiting` requests."""

    def __init__(self, model: CompletesBatches, batch_size: int, waiting: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._queue: asyncio.Queue[Job] = asyncio.Queue(waiting)
        self._seconds = 1.0
        self.is_healthy = True

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return self._queue.qsize()

    def submit(self, source: Sequence[int], limit: int, streamed: bool) -> Job:
        """Puts a request in the queue.

        Raises:
            QueueFullError: there is no room.
        """
        job = Job(source, limit, streamed)
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            batches = math.ceil(self.waiting / self._batch_size / _AT_ONCE)
            raise QueueFullError(math.ceil(batches * self._seconds)) from None
        return job

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers submitted requests while the block runs."""
        workers = [asyncio.create_task(self._work()) for _ in range(_AT_ONCE)]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            jobs = [await self._queue.get()]
            while len(jobs) < self._batch_size and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            jobs = [job for job in jobs if not job.is_over]
            if jobs:
                await self._answer(jobs)

    async def _answer(self, jobs: Sequence[Job]) -> None:
        started = time.monotonic()
        outcomes: Sequence[Completion | BatchFailedError]
        try:
            outcomes = await asyncio.to_thread(self._complete, jobs, asyncio.get_running_loop())
            self.is_healthy = True
        except Exception:  # after any error, the server tells each client and continues
            _log.exception("a batch of %d failed", len(jobs))
            outcomes = [BatchFailedError() for _ in jobs]
            self.is_healthy = False
        self._seconds += (time.monotonic() - started - self._seconds) / 4
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.end(outcome)

    def _complete(self, jobs: Sequence[Job], loop: asyncio.AbstractEventLoop) -> list[Completion]:
        def watch(row: int, text: str, /) -> None:
            if jobs[row].streamed:
                loop.call_soon_threadsafe(jobs[row].add_text, text)

        is_watched = any(job.streamed for job in jobs)
        sources, limits = [job.source for job in jobs], [job.limit for job in jobs]
        return self._model.complete(sources, limits, watch if is_watched else None)
