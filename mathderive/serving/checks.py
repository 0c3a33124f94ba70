"""Checks derivations for clients in child processes, so that neither the model nor other clients wait for long.

A derivation may take long to check, by accident or on purpose. There are two workers or more. Every other one serves
the quick lane of `lanes` alone, and the others both lanes. In the quick lane, a short derivation gets little CPU time.
If that is not enough, it is checked once more in the slow lane, where a check ends after `MAX_SECONDS`, and after
`SHARE_SECONDS` if others wait. A derivation is refused if its lane is full, or if it has waited for `LONGEST_WAIT`. A
client that hangs up frees its place, and its check ends.

A check that is ended costs more than its own time: it is repeated, and the child process that takes the place of the
ended one begins with cold caches. So a check has more time in the quick lane where that can hold up few others.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from mathderive.checker.checker import unchecked
from mathderive.checker.supervision import CheckRequest
from mathderive.checker.verdicts import Validity
from mathderive.core.errors import InputError
from mathderive.serving.check_processes import QUICK_SECONDS, SAMPLE, CheckProcesses
from mathderive.serving.lanes import Lanes
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import Refusal

QUICK_CHARACTERS = 2_000
"""Maximum characters of prompt and derivation together for the quick lane."""

MAX_QUICK, MAX_SLOW = 40, 14
"""Maximum number of derivations that wait in each lane, for every two workers."""

LONG_QUICK_SECONDS = 0.6
"""CPU time of a check in the quick lane that may hold up others for longer.

These are the checks of batches, of which there are few in the lane, and those that the slow lane's worker takes: it
would begin them again.
"""

MAX_SECONDS = 10.0
"""Maximum seconds of a check in the slow lane."""

SHARE_SECONDS = 1.5
"""Maximum seconds of a check in the slow lane while other derivations wait there."""

LONGEST_WAIT = 4.0
"""Maximum seconds that a derivation waits in a lane."""

_TICK = 0.05
"""Seconds between two looks at a running check."""


@dataclass(eq=False)
class _Job:
    """A derivation to check, and its verdict or the reason why it has none."""

    asked: CheckRequest
    of_batch: bool = False
    """Whether it belongs to a batch, and so waits for its turn in a lane as long as that takes."""
    verdict: "asyncio.Future[Validity]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def fail(self, error: Exception) -> None:
        """Passes on a refusal or an error of the server, unless nobody waits any more."""
        if not self.verdict.done():
            self.verdict.set_exception(error)

    def end(self, verdict: Validity) -> None:
        """Passes on the verdict, unless nobody waits any more."""
        if not self.verdict.done():
            self.verdict.set_result(verdict)


class Checks:
    """Accepts derivations and distributes them to the workers.

    Args:
        processes: number of derivations that are checked at once, at least 2.
    """

    def __init__(self, processes: int = 2) -> None:
        self.processes = processes
        pairs = processes // 2
        self._lanes: Lanes[_Job] = Lanes(MAX_QUICK * pairs, MAX_SLOW * pairs)
        self._threads = ThreadPoolExecutor(processes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts the child processes, checks derivations while the block runs, and then ends the child processes."""
        every = [(CheckProcesses(), number % 2 == 1) for number in range(self.processes)]
        await asyncio.gather(*(self._warm_up(*one) for one in every))
        workers = [asyncio.create_task(self._work(*one)) for one in every]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            for processes, _ in every:
                processes.stop()
            await asyncio.gather(*workers, return_exceptions=True)
            self._threads.shutdown(cancel_futures=True)

    async def _warm_up(self, processes: CheckProcesses, serves_slow: bool) -> None:
        """Starts the children that a worker needs."""
        for quick_seconds in (MAX_SECONDS, None) if serves_slow else (MAX_SECONDS,):
            await asyncio.get_running_loop().run_in_executor(self._threads, processes.check, SAMPLE, quick_seconds)

    async def check(self, asked: CheckRequest, request: Request) -> Validity:
        """Returns the verdict on a derivation; every equation is undecided if the check takes too long.

        Raises:
            Refusal: the prompt has another form, too many derivations wait, or the client hung up.
        """
        return await result_for(request, asyncio.ensure_future(self._verdict(_Job(asked))))

    async def check_of_batch(self, asked: CheckRequest) -> Validity:
        """Like `check`, for a derivation that stays in its lane until its turn; if it is cancelled, its check ends.

        Raises:
            Refusal: the prompt has another form, or a lane is full.
        """
        return await self._verdict(_Job(asked, of_batch=True))

    async def _verdict(self, job: _Job) -> Validity:
        is_quick = len(job.asked.prompt) + len(job.asked.output) <= QUICK_CHARACTERS
        if not self._lanes.add(job, is_quick, of_batch=job.of_batch):
            raise busy("many derivations wait to be checked")
        try:
            while not job.verdict.done():
                await asyncio.wait({job.verdict}, timeout=None if job.of_batch else LONGEST_WAIT)
                if self._lanes.remove(job):
                    raise busy("other derivations take long to check")
            return job.verdict.result()
        finally:
            self._lanes.remove(job)
            if not job.verdict.cancel():
                job.verdict.exception()  # asyncio would log one that nobody has seen

    async def _work(self, processes: CheckProcesses, serves_slow: bool) -> None:
        while True:
            (job,), is_quick = await self._lanes.take(1, serves_slow)
            try:
                if is_quick:
                    has_time = serves_slow or job.of_batch
                    verdict = await self._start(processes, job, LONG_QUICK_SECONDS if has_time else QUICK_SECONDS)
                else:
                    verdict = await self._run_slowly(processes, job)
            except ValueError as error:
                job.fail(Refusal(400, f"prompt: {error}", param="prompt"))
            except Exception as error:  # the server goes on after any error; the framework logs it
                job.fail(error)
            else:
                if verdict is not None:
                    job.end(verdict)
                elif not is_quick:
                    output, rules = job.asked.output, job.asked.rules
                    job.end(await asyncio.to_thread(unchecked, output, "the check takes too long", rules))
                elif not job.verdict.done() and not self._lanes.add(job, is_quick=False, of_batch=job.of_batch):
                    job.fail(busy("other derivations take long to check"))

    def _start(
        self, processes: CheckProcesses, job: _Job, quick_seconds: float | None = None
    ) -> "asyncio.Future[Validity | None]":
        """Starts a check in the child process of its lane; see `CheckProcesses.check`."""
        run = asyncio.get_running_loop().run_in_executor(self._threads, processes.check, job.asked, quick_seconds)
        run.add_done_callback(_mark_exception_seen)
        return run

    async def _run_slowly(self, processes: CheckProcesses, job: _Job) -> Validity | None:
        """Checks in the slow lane's child process; returns None if the check was ended."""
        started = time.monotonic()
        run = self._start(processes, job)
        while not run.done():
            limit = SHARE_SECONDS if self._lanes.waiting_slow else MAX_SECONDS
            if job.verdict.done() or time.monotonic() - started > limit:
                return await _end(processes, run)
            await _wait_for_first(run, job.verdict, _TICK)
        return run.result()


def _mark_exception_seen(run: "asyncio.Future[Validity | None]") -> None:
    """Keeps asyncio from logging the exception of a check that nobody waits for, because the server ends."""
    if not run.cancelled():
        run.exception()


async def _end(processes: CheckProcesses, run: "asyncio.Future[Validity | None]") -> Validity | None:
    """Ends a check in the slow lane; returns its verdict if it came first."""
    while not run.done():
        processes.interrupt()  # again if the child was just being started
        await asyncio.wait({run}, timeout=_TICK)
    try:
        return run.result()
    except InputError:
        return None


async def _wait_for_first(one: "asyncio.Future[Any]", other: "asyncio.Future[Any]", seconds: float) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def busy(message: str) -> Refusal:
    """The refusal of a check for which there is no room now."""
    return Refusal(429, f"{message}; expected a later try", code="queue_full", headers={"Retry-After": "2"})
