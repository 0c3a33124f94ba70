"""Checks derivations for clients in child processes, so that neither the model nor other clients wait for long.

A derivation may take long to check, by accident or on purpose. There are two workers or more. Every other one serves
the quick lane of `lanes` alone, and the others both lanes. In the quick lane, a short derivation gets little CPU time.
If that is not enough, its child process is paused, and the check goes on in the slow lane. There a check ends after
`MAX_SECONDS`, and after `SHARE_SECONDS` if others wait. A derivation is refused if its lane is full, or if it has
waited for `LONGEST_WAIT`. A client that hangs up frees its place, and its check ends.
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
from mathderive.serving.check_processes import SAMPLE, CheckProcess
from mathderive.serving.lanes import Lanes
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import Refusal

QUICK_SECONDS = 0.2
"""CPU time of a check in the quick lane.

One in fifteen of our generator's derivations needs more where half of them are damaged. With 0.1 seconds it would be
one in five.
"""

LONG_QUICK_SECONDS = 0.6
"""CPU time of a check in the quick lane that may hold up others for longer.

These are the checks of batches, of which there are few in the lane, and those of the worker that serves the slow lane
too.
"""

QUICK_CHARACTERS = 2_000
"""Maximum characters of prompt and derivation together for the quick lane."""

MAX_QUICK, MAX_SLOW = 40, 14
"""Maximum number of derivations that wait in each lane, for every two workers."""

MAX_PAUSED = 4
"""Maximum number of paused checks for every two workers, each of which keeps its process; others begin again."""

MAX_SECONDS = 10.0
"""Maximum seconds of a check in the slow lane."""

SHARE_SECONDS = 1.5
"""Maximum seconds of a check in the slow lane while other derivations wait there."""

LONGEST_WAIT = 4.0
"""Maximum seconds that a derivation waits in a lane."""

_TICK = 0.05
"""Seconds between two looks at a running check."""


@dataclass(frozen=True)
class _Run:
    """A check in a child process, and its verdict."""

    process: CheckProcess
    verdict: "asyncio.Future[Validity]"


@dataclass(eq=False)
class _Job:
    """A derivation to check, and its verdict or the reason why it has none."""

    asked: CheckRequest
    of_batch: bool = False
    """Whether it belongs to a batch, and so waits for its turn in a lane as long as that takes."""
    paused: _Run | None = None
    """Its check, while that is paused."""
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
        self._every = [CheckProcess() for _ in range(processes + MAX_PAUSED * pairs)]
        self._free: asyncio.LifoQueue[CheckProcess] = asyncio.LifoQueue()  # warm caches first
        self._threads = ThreadPoolExecutor(len(self._every))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts child processes, checks derivations while the block runs, and then ends the child processes."""
        for process in self._every:
            self._free.put_nowait(process)
        await asyncio.gather(*[(await self._begin(SAMPLE)).verdict for _ in range(self.processes)])
        workers = [asyncio.create_task(self._work(serves_slow=number % 2 == 1)) for number in range(self.processes)]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            for process in self._every:
                process.stop()
            await asyncio.gather(*workers, return_exceptions=True)
            self._threads.shutdown(cancel_futures=True)

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
            if job.paused is not None:
                job.paused.process.interrupt()
            if not job.verdict.cancel():
                job.verdict.exception()  # asyncio would log one that nobody has seen

    async def _work(self, serves_slow: bool) -> None:
        while True:
            (job,), is_quick = await self._lanes.take(1, serves_slow)
            run, job.paused = job.paused or await self._begin(job.asked), None
            try:
                if is_quick:
                    has_time = serves_slow or job.of_batch
                    is_done = await self._run_quickly(run, job, LONG_QUICK_SECONDS if has_time else QUICK_SECONDS)
                else:
                    is_done = await self._run_slowly(run, job)
                if is_done:
                    job.end(run.verdict.result())
                elif not is_quick:
                    output, rules = job.asked.output, job.asked.rules
                    job.end(await asyncio.to_thread(unchecked, output, "the check takes too long", rules))
            except ValueError as error:
                job.fail(Refusal(400, f"prompt: {error}", param="prompt"))
            except Exception as error:  # the server goes on after any error; the framework logs it
                job.fail(error)

    async def _begin(self, asked: CheckRequest) -> _Run:
        """Starts a check in a process that is free, and free again afterwards."""
        process = await self._free.get()
        process.make_ready()
        verdict = asyncio.get_running_loop().run_in_executor(self._threads, process.check, asked)

        def end(_: "asyncio.Future[Validity]") -> None:
            self._free.put_nowait(process)
            if not verdict.cancelled():
                verdict.exception()  # asyncio would log one that nobody waits for any more

        verdict.add_done_callback(end)
        return _Run(process, verdict)

    async def _run_quickly(self, run: _Run, job: _Job, seconds: float) -> bool:
        """Checks in the quick lane; returns False if that takes longer, and the check is left to the slow lane."""
        while not run.verdict.done():
            left = seconds - run.process.seconds()
            if left <= 0 and run.process.pause():
                self._set_aside(run, job)
                return False
            await asyncio.wait({run.verdict}, timeout=max(left, _TICK))
        return True

    def _set_aside(self, run: _Run, job: _Job) -> None:
        """Puts a derivation in the slow lane, with its paused check if another process is left for the quick lane."""
        may_stay = not self._free.empty()
        if job.verdict.done() or not self._lanes.add(job, is_quick=False, of_batch=job.of_batch):
            job.fail(busy("other derivations take long to check"))
        elif may_stay:
            job.paused = run
        if job.paused is None:
            run.process.interrupt()

    async def _run_slowly(self, run: _Run, job: _Job) -> bool:
        """Checks in the slow lane; returns False if the check was ended."""
        started = time.monotonic()
        while not run.verdict.done():
            run.process.go_on()  # at every look, because the child may just be starting
            limit = SHARE_SECONDS if self._lanes.waiting_slow else MAX_SECONDS
            if job.verdict.done() or time.monotonic() - started > limit:
                return await _end(run)
            await _wait_for_first(run.verdict, job.verdict, _TICK)
        return True


async def _end(run: _Run) -> bool:
    """Ends a check; returns whether its verdict came first."""
    while not run.verdict.done():
        run.process.interrupt()  # again if the child was just being started
        await asyncio.wait({run.verdict}, timeout=_TICK)
    return not isinstance(run.verdict.exception(), InputError)


async def _wait_for_first(one: "asyncio.Future[Any]", other: "asyncio.Future[Any]", seconds: float) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def busy(message: str) -> Refusal:
    """The refusal of a check for which there is no room now."""
    return Refusal(429, f"{message}; expected a later try", code="queue_full", headers={"Retry-After": "2"})
