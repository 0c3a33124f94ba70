"""Answers one request after another in a child process: one may take long, and a thread would hold up others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Generic, TypeVar

from starlette.requests import Request

from mathderive.core.workers import Ended, Limits, WorkerProcess
from mathderive.serving.children import CHILDREN, SLOW_NICENESS, give_way
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import Refusal

AskedT = TypeVar("AskedT")
FoundT = TypeVar("FoundT")

MAX_WAITING = 16
"""Maximum number of requests that wait or are being answered."""

_LIMITS = Limits(memory_bytes=2**30, cpu_seconds=2.0)
"""Limits of a request; one from the page takes a tenth of a second."""


class OneByOne(Generic[AskedT, FoundT]):
    """Answers requests of one kind."""

    def __init__(self, answer: Callable[[AskedT], FoundT], otherwise: Callable[[AskedT], FoundT]) -> None:
        """
        Args:
            answer: answers a request in the child process; picklable.
            otherwise: gives the answer to a request that exceeds its limits there.
        """
        self._otherwise = otherwise
        self._thread = ThreadPoolExecutor(1)
        self._worker = WorkerProcess(partial(_at_low_priority, answer), _LIMITS, CHILDREN)
        self._waiting = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answers while the block runs, and ends the child process after it."""
        try:
            yield
        finally:
            self._worker.stop()
            self._thread.shutdown(cancel_futures=True)

    async def answer(self, asked: AskedT, request: Request) -> FoundT:
        """Answers a request.

        Raises:
            Refusal: too many requests wait, or the client hung up.
            InputError: the server is ending.
        """
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "many requests of this kind wait", code="queue_full", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._worker.ask, asked)
            found = await result_for(request, work)
        finally:
            self._waiting -= 1
        return self._otherwise(asked) if isinstance(found, Ended) else found


def _at_low_priority(answer: Callable[[AskedT], FoundT], asked: AskedT) -> FoundT:
    give_way(SLOW_NICENESS)
    return answer(asked)
