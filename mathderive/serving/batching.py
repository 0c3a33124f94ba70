"""Gathers requests into batches for the device, in a bounded queue.

When the device becomes free, all waiting requests go there together, up to the batch size in answers; no request waits
for a batch to fill. Those that share a compiled program are computed together: greedy answers in one part, sampled ones
by their number and whether `top_p` is set. Two batches are computed at once, as in `devices.overlapped`.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mathderive.model.sampling import Sampling
from mathderive.predictors.t5 import Completion, padded_number

_AT_ONCE = 2

_log = logging.getLogger(__name__)

_INCOMPLETE = "\ufffd"
"""The character at the end of a text while its last character is incomplete."""


class CompletesBatches(Protocol):
    """The part of `T5Model` that the batcher uses; `watch` receives a row, a sample's number, and its text so far."""

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: "Watch | None"
    ) -> list[Completion]: ...

    def complete_with_samples(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        watch: "SampleWatch | None",
    ) -> list[list[Completion]]: ...


class Watch(Protocol):
    def __call__(self, row: int, text: str, /) -> None: ...


class SampleWatch(Protocol):
    def __call__(self, row: int, number: int, text: str, /) -> None: ...


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
        limit: maximum tokens of an answer.
        streamed: whether the client reads `pieces`, or else `completions`.
        sampling: how its answers are sampled; null asks for the one greedy answer.
    """

    source: Sequence[int]
    limit: int
    streamed: bool
    sampling: Sampling | None = None
    _texts: "asyncio.Queue[tuple[int, str] | None]" = field(default_factory=asyncio.Queue)
    _completions: "asyncio.Future[Sequence[Completion]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def size(self) -> int:
        """The number of answers."""
        return 1 if self.sampling is None else len(self.sampling.keys)

    @property
    def program(self) -> tuple[int, bool]:
        """Names the compiled program: requests are computed together if they share it."""
        return (0, False) if self.sampling is None else (padded_number(self.size), self.sampling.top_p < 1)

    async def completions(self) -> Sequence[Completion]:
        """The answers. Cancelling the caller takes the request out of the queue."""
        return await self._completions

    async def pieces(self) -> AsyncIterator[tuple[int, str]]:
        """Yields (number of the answer, piece) as text is written.

        The pieces of an answer joined are its text in `completions`.
        """
        sent: defaultdict[int, str] = defaultdict(str)
        while (written := await self._texts.get()) is not None:
            number, text = written
            complete = text.rstrip(_INCOMPLETE)
            if len(complete) > len(sent[number]) and complete.startswith(sent[number]):
                yield number, complete[len(sent[number]) :]
                sent[number] = complete
        for number, completion in enumerate(await self._completions):
            if not completion.text.startswith(sent[number]):
                raise BatchFailedError("the tokenizer changed text that it had decoded before")
            if completion.text != sent[number]:
                yield number, completion.text[len(sent[number]) :]

    def give_up(self) -> None:
        """Cancels the request because nobody waits for the answer any more."""
        self._completions.cancel()

    @property
    def is_over(self) -> bool:
        return self._completions.done()

    def add_text(self, number: int, text: str) -> None:
        """Passes on the text of an answer so far."""
        self._texts.put_nowait((number, text))

    def end(self, outcome: Sequence[Completion] | BatchFailedError) -> None:
        """Passes on the answers or the failure."""
        if not self.is_over:
            if isinstance(outcome, BatchFailedError):
                self._completions.set_exception(outcome)
            else:
                self._completions.set_result(outcome)
        self._texts.put_nowait(None)


class Batcher:
    """Answers requests in batches of at most `batch_size` answers, with a queue of at most `waiting` requests."""

    def __init__(self, model: CompletesBatches, batch_size: int, waiting: int) -> None:
        self._model, self._batch_size = model, batch_size
        self._queue: asyncio.Queue[Job] = asyncio.Queue(waiting)
        self._seconds = 1.0
        self.is_healthy = True

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return self._queue.qsize()

    def submit(self, source: Sequence[int], limit: int, streamed: bool, sampling: Sampling | None = None) -> Job:
        """Puts a request for at most `batch_size` answers in the queue.

        Raises:
            QueueFullError: there is no room.
        """
        job = Job(source, limit, streamed, sampling)
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
            while sum(job.size for job in jobs) < self._batch_size and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            for batch in self._batches(jobs):
                if waited_for := [job for job in batch if not job.is_over]:
                    await self._answer(waited_for)

    def _batches(self, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
        """Divides requests into batches that share a program, each of `batch_size` answers or a single request."""
        by_program: defaultdict[tuple[int, bool], list[Job]] = defaultdict(list)
        for job in jobs:
            if not job.is_over:
                by_program[job.program].append(job)
        for (size, _), alike in by_program.items():
            rows = max(1, self._batch_size // max(1, size))
            for start in range(0, len(alike), rows):
                yield alike[start : start + rows]

    async def _answer(self, jobs: Sequence[Job]) -> None:
        """Answers requests that share a program."""
        started = time.monotonic()
        outcomes: Sequence[Sequence[Completion] | BatchFailedError]
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

    def _complete(self, jobs: Sequence[Job], loop: asyncio.AbstractEventLoop) -> Sequence[Sequence[Completion]]:
        def watch_sample(row: int, number: int, text: str, /) -> None:
            if jobs[row].streamed:
                loop.call_soon_threadsafe(jobs[row].add_text, number, text)

        def watch(row: int, text: str, /) -> None:
            watch_sample(row, 0, text)

        is_watched = any(job.streamed for job in jobs)
        sources, limits = [job.source for job in jobs], [job.limit for job in jobs]
        samplings = [job.sampling for job in jobs if job.sampling]
        if samplings:
            return self._model.complete_with_samples(sources, samplings, limits, watch_sample if is_watched else None)
        return [[one] for one in self._model.complete(sources, limits, watch if is_watched else None)]
