"""Checks derivations for clients in child processes, so that neither the model nor other clients wait for long.

A derivation may take long to check, by accident or on purpose. Two child processes check at once. A check ends after
`MOST_SECONDS`, and after `SHARE_SECONDS` if others wait. A request that has waited for `LONGEST_WAIT` is refused. A
client that hangs up frees its place, and its check ends.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
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

MOST_ACCEPTED = 16
"""Maximum number of derivations that wait or are being checked."""

MOST_SECONDS = 10.0
"""Maximum seconds of a check."""

SHARE_SECONDS = 2.0
"""Maximum seconds of a check while other derivations wait."""

LONGEST_WAIT = 2.5
"""Maximum seconds that a derivation waits for a child process."""

_TICK = 0.05
"""Seconds between two looks at a running check."""

_SAMPLE = ("Given x = 1, then obtain x = 1", "x = 1")
"""A prompt and a derivation that start a child process."""


class Checks:
    """Accepts derivations and distributes them to the child processes."""

    def __init__(self) -> None:
        self._checkers = [SupervisedChecker() for _ in range(AT_ONCE)]
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._free: asyncio.Queue[SupervisedChecker] = asyncio.Queue()
        self._restarts: set[asyncio.Task[None]] = set()
        self._accepted = 0
        self._waiting = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Checks derivations while the block runs, and ends the child processes after it."""
        for checker in self._checkers:
            self._spawn(self._restart(checker))
        try:
            yield
        finally:
            for task in self._restarts:
                task.cancel()
            for checker in self._checkers:
                checker.stop()
            self._threads.shutdown(cancel_futures=True)

    async def check(self, prompt: str, derivation: str, request: Request) -> Validity:
        """Returns the verdict on a derivation; every equation is undecided if the check takes too long.

        Raises:
            Refusal: the prompt has another form, too many derivations wait, or the client hung up.
        """
        if self._accepted >= MOST_ACCEPTED:
            raise _busy(f"{MOST_ACCEPTED} derivations wait to be checked")
        self._accepted += 1
        gone = asyncio.ensure_future(wait_for_hang_up(request))
        try:
            checker = await self._wait_for_checker(gone)
            return await self._check(checker, prompt, derivation, gone)
        finally:
            self._accepted -= 1
            gone.cancel()

    async def _wait_for_checker(self, gone: "asyncio.Future[None]") -> SupervisedChecker:
        free = asyncio.ensure_future(self._free.get())
        is_taken = False
        self._waiting += 1
        try:
            await _wait_for_first(free, gone, LONGEST_WAIT)
            if gone.done():
                raise _hung_up()
            if not free.done():
                raise _busy("other derivations take long to check")
            is_taken = True
            return free.result()
        finally:
            self._waiting -= 1
            if not is_taken and not free.cancel():
                self._free.put_nowait(free.result())

    async def _check(
        self, checker: SupervisedChecker, prompt: str, derivation: str, gone: "asyncio.Future[None]"
    ) -> Validity:
        started = time.monotonic()
        job = asyncio.get_running_loop().run_in_executor(self._threads, checker.check, prompt, derivation)
        try:
            while not job.done():
                limit = SHARE_SECONDS if self._waiting else MOST_SECONDS
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
                self._free.put_nowait(checker)
            else:
                self._spawn(self._restart(checker, job))

    def _spawn(self, restart: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(restart)
        self._restarts.add(task)  # a task that nothing refers to may be collected
        task.add_done_callback(self._restarts.discard)

    async def _restart(self, checker: SupervisedChecker, job: "asyncio.Future[Validity] | None" = None) -> None:
        """Ends the checker's job if it still runs; frees the checker once its child process is ready."""
        if job is not None and not job.done():
            checker.interrupt()
            await asyncio.wait({job})
            job.exception()  # is expected, and asyncio would log it
        for _ in range(2):  # an interrupt just after the job's end hits the first sample
            with suppress(InputError):
                await asyncio.get_running_loop().run_in_executor(self._threads, checker.check, *_SAMPLE)
                break
        self._free.put_nowait(checker)


async def _wait_for_first(one: "asyncio.Future[Any]", other: "asyncio.Future[Any]", seconds: float) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _busy(message: str) -> Refusal:
    return Refusal(429, f"{message}; expected a later try", code="queue_full", headers={"Retry-After": "2"})


def _hung_up() -> Refusal:
    return Refusal(499, "the client hung up")  # nobody reads it
