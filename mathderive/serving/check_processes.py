"""Child processes for checks: one for short checks, with little CPU time, and one for others, which can be ended."""

import signal
from dataclasses import replace

from mathderive.checker.checker import Checker
from mathderive.checker.supervision import EQUATION_LIMITS, CheckOutcome, CheckRequest, check_in, check_request
from mathderive.checker.verdicts import Validity
from mathderive.core.workers import Ended, WorkerProcess
from mathderive.serving.children import CHILDREN, QUICK_NICENESS, SLOW_NICENESS, give_way

QUICK_SECONDS = 0.2
"""CPU time of a whole check in the quick lane.

One in fifteen of our generator's derivations needs more where half of them are damaged. With 0.1 seconds it would be
one in five, and the server would check a fifth fewer.
"""

SAMPLE = CheckRequest(
    r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}",
    r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} and \frac{d}{d x} f{(x)} = \cos{(x)}",
)
"""A prompt and a derivation that use the parser and the checker."""


def _check_quickly(request: CheckRequest) -> CheckOutcome:
    """Checks an answer in the child; it marks no equations, so its limit of CPU time is for all of them together."""
    give_way(QUICK_NICENESS)
    signal.setitimer(signal.ITIMER_PROF, request.seconds)
    try:
        checker = Checker(request.prompt, rules=request.rules)
        return checker.check(request.output, may_search=_search if request.counts_missing else None)
    except ValueError as error:
        return str(error)


def _search(_: int) -> bool:
    """Lets every search for missing steps begin; the limit of CPU time holds for them too."""
    return True


def _check_slowly(request: CheckRequest) -> CheckOutcome:
    give_way(SLOW_NICENESS)
    return check_request(request)


class CheckProcesses:
    """Checks one derivation at a time, in the child process of its lane."""

    def __init__(self) -> None:
        self._quick = WorkerProcess(_check_quickly, EQUATION_LIMITS, CHILDREN)
        self._slow = WorkerProcess(_check_slowly, EQUATION_LIMITS, CHILDREN)

    def check(self, request: CheckRequest, quick_seconds: float | None = None) -> Validity | None:
        """Checks a derivation; returns None if the CPU time in the quick lane does not suffice.

        Args:
            quick_seconds: CPU time in the quick lane; null checks in the slow lane.

        Raises:
            ValueError: the prompt has another form; the message says what was expected where.
            InputError, RuntimeError: as `WorkerProcess.run`.
        """
        if quick_seconds is None:
            return check_in(self._slow, request)
        outcome = self._quick.ask(replace(request, seconds=quick_seconds))
        if isinstance(outcome, str):
            raise ValueError(outcome)
        return None if isinstance(outcome, Ended) else outcome

    def interrupt(self) -> None:
        """Ends the slow lane's child, whose check raises InputError; if it is just being started, this does nothing."""
        self._slow.interrupt()

    def stop(self) -> None:
        """Ends the children; the processes cannot be used afterwards."""
        self._quick.stop()
        self._slow.stop()
