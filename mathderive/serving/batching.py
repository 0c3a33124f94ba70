"""Gathers requests into batches for the device, from the two bounded queues of `lanes`.

When the device becomes free, all requests that wait in a lane go there together, up to the batch size in answers; no
request waits for a batch to fill. Those that share a compiled program are computed together: greedy answers in one
part, sampled ones by their number and whether `top_p` is set. Two batches are computed at once, as in
`devices.overlapped`.

The quick lane takes greedy requests with a short prompt, and writes at most `QUICK_TOKENS`. An answer that needs more
is written again in the slow lane, from the start: greedy search finds the same tokens and more. A sample would do so
too, but sampled requests go to the slow lane, because each number of samples needs another program, whose compilation
would hold up the quick lane. A batch of the slow lane pauses while the quick lane computes, and ends once all its
clients have hung up.
"""

import asyncio
import contextlib
import logging
import math
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol

from mathderive.model.sampling import Sampling
from mathderive.predictors.t5 import Completion
from mathderive.serving.jobs import BatchFailedError, Job, QueueFullError
from mathderive.serving.lanes import Lanes

_AT_ONCE = 2

QUICK_PROMPT_TOKENS = 96
"""Maximum tokens of a prompt in the quick lane, and the length that they are padded to; the page's have up to 91."""

QUICK_TOKENS = 192
"""Maximum tokens of an answer in the quick lane. The answers to the page's examples have up to 168."""

_MAX_PAUSE = 10.0
"""Maximum seconds for which a batch of the slow lane pauses in all."""

_log = logging.getLogger(__name__)


class CompletesBatches(Protocol):
    """The part of `T5Model` that the batcher uses; `watch` receives a row, a sample's number, and its text so far."""

    def complete(
        self,
        sources: Sequence[Sequence[int]],
        limits: Sequence[int],
        watch: "Watch | None",
        min_source_length: int,
    ) -> list[Completion]: ...

    def complete_with_samples(
        self,
        sources: Sequence[Sequence[int]],
        samplings: Sequence[Sampling],
        limits: Sequence[int],
        watch: "SampleWatch | None",
    ) -> list[list[Completion]]: ...

    def compile_short(self, source_length: int, target_length: int) -> None: ...


class Watch(Protocol):
    def __call__(self, row: int, text: str, /) -> None: ...


class SampleWatch(Protocol):
    def __call__(self, row: int, number: int, text: str, /) -> None: ...


class _AbandonedError(Exception):
    """All clients of a batch have hung up."""


class Batcher:
    """Answers requests in batches of at most `batch_size` answers, with at most `waiting` requests in each lane.

    Args:
        has_quick_lane: whether the model's search is greedy, so that a short answer is the beginning of a longer one.
    """

    def __init__(self, model: CompletesBatches, batch_size: int, waiting: int, has_quick_lane: bool = True) -> None:
        self._model, self._batch_size = model, batch_size
        self._lanes: Lanes[Job] = Lanes(waiting, waiting)
        self._has_quick_lane = has_quick_lane
        self._quick_lane_rests = threading.Event()
        self._quick_lane_rests.set()
        self._seconds = 1.0
        self.is_healthy = True

    @property
    def waiting(self) -> int:
        """The number of requests in both lanes."""
        return len(self._lanes)

    def submit(self, source: Sequence[int], limit: int, streamed: bool, sampling: Sampling | None = None) -> Job:
        """Puts a request for at most `batch_size` answers in a lane.

        Raises:
            QueueFullError: there is no room.
        """
        job = Job(source, limit, streamed, sampling)
        job.call_when_over(lambda: self._lanes.remove(job))
        self._add(job, self._has_quick_lane and sampling is None and len(source) <= QUICK_PROMPT_TOKENS)
        return job

    def _add(self, job: Job, is_quick: bool) -> None:
        if not self._lanes.add(job, is_quick):
            batches = math.ceil(self.waiting / self._batch_size / _AT_ONCE)
            raise QueueFullError(math.ceil(batches * self._seconds))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Compiles the programs of the quick lane, and answers submitted requests while the block runs."""
        if self._has_quick_lane:
            await asyncio.to_thread(self._model.compile_short, QUICK_PROMPT_TOKENS, QUICK_TOKENS)
        workers = [
            asyncio.create_task(self._work(serves_slow=number > 0 or not self._has_quick_lane))
            for number in range(_AT_ONCE)
        ]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, serves_slow: bool) -> None:
        while True:
            jobs, is_quick = await self._lanes.take(self._batch_size, serves_slow)
            with contextlib.nullcontext() if serves_slow else self._slow_lane_paused():
                for batch in self._batches(jobs):
                    if waited_for := [job for job in batch if not job.is_over]:
                        await self._answer(waited_for, is_quick)

    @contextlib.contextmanager
    def _slow_lane_paused(self) -> Iterator[None]:
        self._quick_lane_rests.clear()
        try:
            yield
        finally:
            self._quick_lane_rests.set()

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

    async def _answer(self, jobs: Sequence[Job], is_quick: bool) -> None:
        """Answers requests that share a program, or puts them in the slow lane if the quick one has cut the answer."""
        started = time.monotonic()
        outcomes: Sequence[Sequence[Completion] | BatchFailedError]
        try:
            outcomes = await asyncio.to_thread(self._complete, jobs, is_quick, asyncio.get_running_loop())
            self.is_healthy = True
        except _AbandonedError:
            return
        except Exception:  # after any error, the server tells each client and continues
            _log.exception("a batch of %d failed", len(jobs))
            outcomes = [BatchFailedError() for _ in jobs]
            self.is_healthy = False
        self._seconds += (time.monotonic() - started - self._seconds) / 4
        for job, outcome in zip(jobs, outcomes, strict=True):
            if is_quick and not isinstance(outcome, BatchFailedError) and _is_cut(job, outcome[0]):
                try:
                    self._add(job, is_quick=False)
                except QueueFullError as full:
                    job.end(full)
            else:
                job.end(outcome)

    def _complete(
        self, jobs: Sequence[Job], is_quick: bool, loop: asyncio.AbstractEventLoop
    ) -> Sequence[Sequence[Completion]]:
        pause_left = _MAX_PAUSE

        def watch_sample(row: int, number: int, text: str, /) -> None:
            nonlocal pause_left
            if jobs[row].streamed:
                loop.call_soon_threadsafe(jobs[row].add_text, number, text)
            if all(job.is_over for job in jobs):
                raise _AbandonedError
            if not is_quick:
                started = time.monotonic()
                self._quick_lane_rests.wait(pause_left)
                pause_left = max(0.0, pause_left - (time.monotonic() - started))

        def watch(row: int, text: str, /) -> None:
            watch_sample(row, 0, text)

        sources = [job.source for job in jobs]
        limits = [min(job.limit, QUICK_TOKENS) if is_quick else job.limit for job in jobs]
        if samplings := [job.sampling for job in jobs if job.sampling]:
            return self._model.complete_with_samples(sources, samplings, limits, watch_sample)
        is_watched = not is_quick or any(job.streamed for job in jobs)
        min_length = QUICK_PROMPT_TOKENS if is_quick else 0
        return [[one] for one in self._model.complete(sources, limits, watch if is_watched else None, min_length)]


def _is_cut(job: Job, completion: Completion) -> bool:
    """Whether the quick lane's limit cut the answer, and somebody still waits for it."""
    return completion.finish_reason == "length" and completion.completion_tokens < job.limit and not job.is_over
