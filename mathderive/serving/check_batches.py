"""Checks batches of derivations for clients that have many, such as a trainer with the answers to a prompt.

A batch is accepted or refused as a whole. The derivations of accepted batches form one queue, in the order of arrival.
They are passed on to the lanes of `checks` a few at a time, as many as there are check processes, and take turns there
with single derivations. So batches keep all processes busy, and neither kind holds up the other for long.
"""

import asyncio
import logging
from collections.abc import Sequence

from starlette.requests import Request

from mathderive.serving.checks import Checks, busy
from mathderive.serving.derivations import Checked, CheckedBatch, Derivation, DerivationBatch
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import ErrorBody, Refusal, server_error

MAX_WAITING = 1_024
"""Maximum number of derivations in accepted batches that have no verdict yet."""

_RETRY_SECONDS = 0.25
"""Seconds after which a derivation tries again to get into a full lane."""

_log = logging.getLogger(__name__)


class CheckBatches:
    """Accepts batches, and passes their derivations on to the checks."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._places = asyncio.Semaphore(checks.processes)  # it serves those that wait in the order of arrival
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """The number of derivations in accepted batches that have no verdict yet."""
        return self._waiting

    async def check(self, batch: DerivationBatch, request: Request) -> CheckedBatch:
        """Returns the verdict on each derivation, or its error.

        Raises:
            Refusal: too many derivations of batches wait, or the client hung up.
        """
        if self._waiting + len(batch.derivations) > MAX_WAITING:
            raise busy("many batches wait to be checked")
        checks = [asyncio.create_task(self._check(asked)) for asked in batch.derivations]
        self._waiting += len(checks)
        for check in checks:
            check.add_done_callback(self._note_end)  # it is also called for a task that is cancelled before it began
        try:
            return CheckedBatch(results=await result_for(request, asyncio.ensure_future(_results(checks))))
        finally:
            for check in checks:
                check.cancel()

    def _note_end(self, _: "asyncio.Task[Checked | ErrorBody]") -> None:
        self._waiting -= 1

    async def _check(self, asked: Derivation) -> Checked | ErrorBody:
        async with self._places:
            while True:
                try:
                    return Checked.answer(asked, await self._checks.check_of_batch(asked.check_request))
                except Refusal as refusal:
                    if refusal.status != 429:
                        return refusal.body
                except Exception:  # an error of the server, which has no other way to the log
                    _log.exception("a derivation of a batch was not checked")
                    return server_error().body
                await asyncio.sleep(_RETRY_SECONDS)


async def _results(checks: "Sequence[asyncio.Task[Checked | ErrorBody]]") -> list[Checked | ErrorBody]:
    return [await check for check in checks]
