"""Checks derivations for clients in child processes, so that neither the model nor other clients wait for long.

A derivation may take long to check, by accident or on purpose. There are two workers, one for each lane of `lanes`. In
the quick lane, a short derivation gets little CPU time. If that is not enough, it is checked once more in the slow
lane, where a check ends after `MAX_SECONDS`, and after `SHARE_SECONDS` if others wait. A derivation is refused if its
lane is full, or if it has waited for `LONGEST_WAIT`. A client that hangs up frees its place, and its check ends.
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
from mathderive.checker.verdicts import Validity
from mathderive.core.errors import InputError
from mathderive.records import Rules
from mathderive.serving.check_processes import SAMPLE, CheckProcesses
from mathderive.serving.lanes import Lanes
from mathderive.serving.limits import wait_for_hang_up
from mathderive.serving.protocol import Refusal

QUICK_CHARACTERS = 2_000
"""Maximum characters of prompt and derivation together for the quick lane."""

MAX_QUICK, MAX_SLOW = 64, 14
"""Maximum number of derivations that wait in each lane."""

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

    prompt: str
    derivation: str
    rules: Rules
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
    """Accepts derivations and distributes them to the workers."""

    def __init__(self) -> None:
        self._lanes: Lanes[_Job] = Lanes(MAX_QUICK, MAX_SLOW)
        self._threads = ThreadPoolExecutor(2)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Starts the child processes, checks derivations while the block runs, and then ends the child processes."""
        both = (CheckProcesses(), CheckProcesses())
        for processes in both:
            for is_quick in (True, False):
                await asyncio.to_thread(processes.check, SAMPLE.prompt, SAMPLE.output, is_quick)
        workers = [asyncio.create_task(self._work(both[0], False)), asyncio.create_task(self._work(both[1], True))]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            for processes in both:
                processes.stop()
            await asyncio.gather(*workers, return_exceptions=True)
            self._threads.shutdown(cancel_futures=True)

    async def check(self, prompt: str, derivation: str, request: Request, rules: Rules = "textbook") -> Validity:
        """Returns the verdict on a derivation; every equation is undecided if the check takes too long.

        Args:
            rules: the steps that count as one.

        Raises:
            Refusal: the prompt has another form, too many derivations wait, or the client hung up.
        """
        job = _Job(prompt, derivation, rules)
        if not self._lanes.add(job, len(prompt) + len(derivation) <= QUICK_CHARACTERS):
            raise _busy("many derivations wait to be checked")
        gone = asyncio.ensure_future(wait_for_hang_up(request))
        try:
            while not job.verdict.done():
                await _wait_for_first(job.verdict, gone, LONGEST_WAIT)
                if gone.done():
                    raise Refusal(499, "the client hung up")  # nobody reads it
                if self._lanes.remove(job):
                    raise _busy("other derivations take long to check")
            return job.verdict.result()
        finally:
            gone.cancel()
            self._lanes.remove(job)
            if not job.verdict.cancel():
                job.verdict.exception()  # asyncio would log one that nobody has seen

    async def _work(self, processes: CheckProcesses, serves_slow: bool) -> None:
        while True:
            (job,), is_quick = await self._lanes.take(1, serves_slow)
            try:
                verdict = await self._run(processes, job, is_quick)
            except ValueError as error:
                job.fail(Refusal(400, f"prompt: {error}", param="prompt"))
            except Exception as error:  # the server goes on after any error; the framework logs it
                job.fail(error)
            else:
                if verdict is not None:
                    job.end(verdict)
                elif not (is_quick and not job.verdict.done() and self._lanes.add(job, is_quick=False)):
                    job.end(await asyncio.to_thread(unchecked, job.derivation, "the check takes too long", job.rules))

    async def _run(self, processes: CheckProcesses, job: _Job, is_quick: bool) -> Validity | None:
        """Checks in a child process; returns None if the check was ended."""
        started = time.monotonic()
        run = asyncio.get_running_loop().run_in_executor(
            self._threads, processes.check, job.prompt, job.derivation, is_quick, job.rules
        )
        run.add_done_callback(_mark_exception_seen)
        if is_quick:
            return await run  # it ends by itself
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


def _busy(message: str) -> Refusal:
    return Refusal(429, f"{message}; expected a later try", code="queue_full", headers={"Retry-After": "2"})
