"""Checks derivations for clients: one at a time in a child process, with a short queue."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.serving.protocol import Refusal

MAX_WAITING = 16
"""Maximum number of derivations that wait or are being checked."""


class Checks:
    """Runs the checker in a process of its own, so that it does not delay the model's batches."""

    def __init__(self) -> None:
        self._checker = SupervisedChecker()
        self._thread = ThreadPoolExecutor(1)
        self._waiting = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Checks derivations while the block runs, and ends the child process after it."""
        try:
            yield
        finally:
            self._checker.stop()
            self._thread.shutdown(cancel_futures=True)

    async def check(self, prompt: str, derivation: str) -> Validity:
        """The verdict on a derivation.

        Raises:
            Refusal: the prompt has another form, or the queue is full.
        """
        if self._waiting >= MAX_WAITING:
            message = f"{MAX_WAITING} derivations wait to be checked; expected a later try"
            raise Refusal(429, message, code="queue_full", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._thread, self._checker.check, prompt, derivation
            )
        except ValueError as error:
            raise Refusal(400, f"prompt: {error}", param="prompt") from None
        finally:
            self._waiting -= 1
