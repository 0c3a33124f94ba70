"""Checks derivations for clients in child processes, so that neither the model nor other clients wait for long.

A derivation may take long to check, by accident or on purpose. Two child processes check at once, and the shortest
derivation goes first. A check ends after `MOST_SECONDS`, and after `SHARE_SECONDS` if others wait. A derivation is
refused if it has waited for `LONGEST_WAIT`, or if the queue is full of shorter ones. A client that hangs up frees its
place, and its check ends.
"""

import asyncio
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from starlette.requests import Request

from mathderive.checker.checker import unchecked
from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.core.errors import InputError
from mathderive.serving.limits import wait_for_hang_up
from mathderive.serving.protocol import Refusal

AT_ONCE = 2
"""Number of child processes."""

MOST_WAITING = 14
"""Maximum number of derivations in the queue."""

MOST_SECONDS = 10.0
"""Maximum seconds of a check."""

SHARE_SECONDS = 1.5
"""Maximum seconds of a check while other derivations wait."""

LONGEST_WAIT = 2.5
"""Maximum seconds that a derivation waits for a child process."""

_SECONDS_TO_STOP = 3.0
"""Maximum seconds in which a stopped check ends by itself; after that, its child process is ended and started anew."""

_TICK = 0.05
"""Seconds between two looks at a running check."""

_SAMPLE = ("Given x = 1, then obtain x = 1", "x = 1")
"""A prompt and a derivation that start a child process."""


class Checks:
    """Accepts derivations and distributes them to the child processes."""

    def __init__(self) -> None:
        self._checkers = [SupervisedChecker() for _ in range(AT_ONCE)]
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._free: list[SupervisedChecker] = []
        self._queue: list[tuple[int, int, asyncio.Future[SupervisedChecker]]] = []
        self._arrivals = itertools.count()
        self._folder = Path()
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Checks derivations while the block runs, and ends the child processes after it."""
        with tempfile.TemporaryDirectory(prefix="mathderive-checks-") as folder:
            self._folder = Path(folder)
            for checker in self._checkers:
                self._spawn(self._start(checker))
            try:
                yield
            finally:
                for task in self._tasks:
                    task.cancel()
                for checker in self._checkers:
                    checker.stop()
                self._threads.shutdown(cancel_futures=True)

    async def check(self, prompt: str, derivation: str, request: Request) -> Validity:
        """Returns the verdict on a derivation; every equation is undecided if the check takes too long.

        Raises:
            Refusal: the prompt has another form, too many derivations wait, or the client hung up.
        """
        gone = asyncio.ensure_future(wait_for_hang_up(request))
        try:
            checker = await self._wait_for_checker(len(prompt) + len(derivation), gone)
            return await self._check(checker, prompt, derivation, gone)
        finally:
            gone.cancel()

    async def _wait_for_checker(self, length: int, gone: "asyncio.Future[None]") -> SupervisedChecker:
        if self._free:
            return self._free.pop()
        place = (length, next(self._arrivals), asyncio.get_running_loop().create_future())
        self._queue.append(place)
        if len(self._queue) > MOST_WAITING:
            longest = max(self._queue)  # arrivals differ, so futures are never compared
            self._queue.remove(longest)
            longest[2].set_exception(_busy(f"{MOST_WAITING} derivations wait to be checked"))
        checker = place[2]
        try:
            await _wait_for_first(checker, gone, LONGEST_WAIT)
            if checker.done():
                return checker.result()
            raise _hung_up() if gone.done() else _busy("other derivations take long to check")
        except asyncio.CancelledError:
            if checker.done() and checker.exception() is None:
                self._release(checker.result())
            raise
        finally:
            if place in self._queue:
                self._queue.remove(place)

    def _release(self, checker: SupervisedChecker) -> None:
        """Gives the checker to the shortest derivation that waits."""
        if self._queue:
            shortest = min(self._queue)
            self._queue.remove(shortest)
            shortest[2].set_result(checker)
        else:
            self._free.append(checker)

    async def _check(
        self, checker: SupervisedChecker, prompt: str, derivation: str, gone: "asyncio.Future[None]"
    ) -> Validity:
        started = time.monotonic()
        stop_file = self._folder / str(next(self._arrivals))
        job = asyncio.get_running_loop().run_in_executor(self._threads, checker.check, prompt, derivation, stop_file)
        job.add_done_callback(_retrieve)
        try:
            while not job.done():
                limit = SHARE_SECONDS if self._queue else MOST_SECONDS
                if gone.done() or time.monotonic() - started > limit:
                    break
                await _wait_for_first(job, gone, _TICK)
            if job.done():
                return job.result()
            if gone.done():
                raise _hung_up()
            return await asyncio.to_thread(unchecked, derivation, "the check takes too long")
        except ValueError as error:
            raise Refusal(400, f"prompt: {error}", param="prompt") from None
        finally:
            if job.done() and isinstance(job.exception(), ValueError | None):
                self._release(checker)
            else:
                self._spawn(self._stop(checker, job, stop_file))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # a task that nothing refers to may be collected
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, checker: SupervisedChecker, job: "asyncio.Future[Validity]", stop_file: Path) -> None:
        """Stops the checker's job and frees the checker."""
        stop_file.touch()
        await asyncio.wait({job}, timeout=_SECONDS_TO_STOP)
        stop_file.unlink(missing_ok=True)
        if job.done() and job.exception() is None:
            self._release(checker)
            return
        checker.interrupt()
        await asyncio.wait({job})
        await self._start(checker)

    async def _start(self, checker: SupervisedChecker) -> None:
        """Starts the checker's child process and frees the checker."""
        for _ in range(2):  # an interrupt just after the job's end hits the first sample
            with suppress(InputError):
                await asyncio.get_running_loop().run_in_executor(self._threads, checker.check, *_SAMPLE)
                break
        self._release(checker)


def _retrieve(job: "asyncio.Future[Validity]") -> None:
    """Marks the exception of a job as seen: nobody waits for a stopped job, and asyncio would log its exception."""
    if not job.cancelled():
        job.exception()


async def _wait_for_first(one: "asyncio.Future[Any]", other: "asyncio.Future[Any]", seconds: float) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _busy(message: str) -> Refusal:
    return Refusal(429, f"{message}; expected a later try", code="queue_full", headers={"Retry-After": "2"})


def _hung_up() -> Refusal:
    return Refusal(499, "the client hung up")  # nobody reads it
