"""Child processes for checks, which can be paused, and ended."""

import math
import os
import signal

from mathderive.checker.supervision import EQUATION_LIMITS, CheckOutcome, CheckRequest, check_in, check_request
from mathderive.checker.verdicts import Validity
from mathderive.core.children import cpu_seconds
from mathderive.core.workers import WorkerProcess
from mathderive.serving.children import CHILDREN, QUICK_NICENESS, SLOW_NICENESS, give_way

SAMPLE = CheckRequest(
    r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}",
    r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} and \frac{d}{d x} f{(x)} = \cos{(x)}",
)
"""A prompt and a derivation that use the parser and the checker."""


def _check(request: CheckRequest) -> CheckOutcome:
    give_way(QUICK_NICENESS)
    return check_request(request)


def _send(number: int, what: signal.Signals) -> bool:
    os.kill(number, what)
    return True


class CheckProcess:
    """Checks one derivation at a time, in a child process."""

    def __init__(self) -> None:
        self._worker = WorkerProcess(_check, EQUATION_LIMITS, CHILDREN)
        self._child: int | None = None
        self._before = 0.0
        self._gives_way = False

    def check(self, request: CheckRequest) -> Validity:
        """Checks a derivation; meant for a thread, which waits for as long as the check is paused.

        Raises:
            ValueError: the prompt has another form; the message says what was expected where.
            InputError, RuntimeError: as `WorkerProcess.run`.
        """
        return check_in(self._worker, request)

    def make_ready(self) -> None:
        """Prepares for the next check, from which `seconds` counts.

        A child that has worked in the slow lane cannot have its priority back, so it ends.
        """
        if self._gives_way:
            self._gives_way = False
            self._worker.interrupt()
        self._child, self._before = self._now() or (None, cpu_seconds(None))

    def _now(self) -> tuple[int, float] | None:
        """The number of the child and the CPU time that it has used."""
        return self._worker.on_child(lambda number: (number, cpu_seconds(number)))

    def seconds(self) -> float:
        """The CPU time of the check so far; infinite once an equation has ended the child, which takes long."""
        now = self._now()
        if now is None:
            return 0.0  # the child is just being started
        child, seconds = now
        if self._child is None:
            self._child = child
        return seconds - self._before if child == self._child else math.inf

    def pause(self) -> bool:
        """Pauses the check; returns False if the child is just being started."""
        return self._worker.on_child(lambda number: _send(number, signal.SIGSTOP)) is not None

    def go_on(self) -> None:
        """Lets the check go on, if it is paused, with the low priority of the slow lane."""
        self._gives_way = True
        self._worker.on_child(lambda number: give_way(SLOW_NICENESS, number))
        self._worker.on_child(lambda number: _send(number, signal.SIGCONT))

    def interrupt(self) -> None:
        """Ends the child, whose check raises InputError; if it is just being started, this does nothing."""
        self._worker.interrupt()

    def stop(self) -> None:
        """Ends the child; the process cannot be used afterwards."""
        self._worker.stop()
