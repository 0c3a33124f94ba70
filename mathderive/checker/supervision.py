"""The checker in a child process, for text that nobody vouches for.

The checker bounds its own work by size and counts. Behind that stands a backstop: the kernel ends a child that uses
more memory than it may, or more CPU time on one equation, even inside a loop of C code. That equation is undecided, and
the check is done again without it.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from mathderive.checker.checker import Checker, unchecked
from mathderive.checker.verdicts import Validity
from mathderive.core.workers import Limits, WorkerProcess, mark

EQUATION = Limits(memory_bytes=2**30, cpu_seconds=0.6)
"""What one equation may use, 0.2 GB for the libraries among it; a model's equation takes 0.003 s on average, and the
slowest of 6,367 took 0.12 s.

With a second for the next child to start in, an equation has its verdict within two.
"""

MAX_ENDED = 4
"""Of one output's equations; after so many, all of it is undecided."""


@dataclass(frozen=True)
class Request:
    """An output to be checked against its prompt, without the equations of these numbers."""

    prompt: str
    output: str
    leave_out: frozenset[int] = frozenset()
    stop_file: Path | None = None
    """The check stops before an equation if this file exists."""


class _StoppedError(Exception):
    """The request's stop file exists."""


Answer = Validity | str
"""A verdict, or what is wrong with the prompt."""


def answer(request: Request) -> Answer:
    """What the child does. Before each equation it says which one comes; the prompt is 0."""
    mark(0)

    def begin(number: int) -> None:
        mark(number)
        if request.stop_file is not None and request.stop_file.exists():
            raise _StoppedError

    try:
        checker = Checker(request.prompt)
    except ValueError as error:
        return str(error)
    try:
        return checker.check(request.output, request.leave_out, begin)
    except _StoppedError:
        return unchecked(request.output, "the check was stopped")


def check_in(lane: WorkerProcess[Request, Answer], prompt: str, output: str, stop_file: Path | None = None) -> Validity:
    """`checker.check` in a lane that runs `answer`, with an undecided verdict for an equation that takes too much.

    Raises:
        ValueError: the prompt has another form; says what was expected where.
        InputError, RuntimeError: as `WorkerProcess.run`.
    """
    left_out: frozenset[int] = frozenset()
    while True:
        found = lane.ask(Request(prompt, output, left_out, stop_file))
        if isinstance(found, Validity):
            return found
        if isinstance(found, str):
            raise ValueError(found)
        if found.for_memory and found.had_worked:
            continue  # others' traces may have filled it
        if not found.mark or found.mark in left_out or len(left_out) >= MAX_ENDED:
            return unchecked(output)  # nothing more can be left out
        left_out |= {found.mark}


class SupervisedChecker:
    """Checks derivations in a child process of its own; a context manager."""

    def __init__(self, limits: Limits = EQUATION) -> None:
        self._lane = WorkerProcess(answer, limits)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the child, and any check that another thread has it do."""
        self._lane.stop()

    def interrupt(self) -> None:
        """Ends the check in progress, which raises InputError; the next check starts a new child."""
        self._lane.interrupt()

    def check(self, prompt: str, output: str, stop_file: Path | None = None) -> Validity:
        """See `check_in`; the check stops before the next equation once the file `stop_file` exists."""
        return check_in(self._lane, prompt, output, stop_file)
