"""Runs the checker in a child process, for untrusted text.

The checker bounds its own work by sizes and counts. The child process is a second line of defence: the kernel ends a
child that exceeds its memory limit, or its CPU time for one equation, even inside a loop of C code. That equation is
undecided, and the check is repeated without it. When an answer's own CPU time is used up, its other equations are
undecided.
"""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

from mathderive.checker.checker import Checker, unchecked
from mathderive.checker.verdicts import Validity
from mathderive.core.piped_workers import PipedWorker
from mathderive.core.workers import Limits, WorkerProcess, mark
from mathderive.records import Rules
from mathderive.symbolic.latex.parser import prepare_parser

EQUATION_LIMITS = Limits(memory_bytes=2**30, cpu_seconds=0.6)
"""Limits for one equation; the libraries take 0.2 GB of the memory.

A model's equation takes 0.003 s on average, and the slowest of 6,367 took 0.12 s. The next child takes up to a second
to start, so an equation has its verdict within two seconds.
"""

MAX_ENDED = 4
"""Maximum number of an answer's equations that may end a child; after that, the whole answer is undecided."""

ANSWER_SECONDS = 4.0
"""CPU time, in seconds, after which no further equation of an answer is checked, in all its children together.

With the starts of `MAX_ENDED` further children, and of one in place of a child that had worked before, an answer has
its verdict within ten seconds.
"""

SEARCH_SECONDS = 4.0
"""CPU time, in seconds, after which no further search for the missing operators of an answer begins."""

MAX_SEARCHES_ENDED = 2
"""Maximum number of an answer's searches for missing operators that may end a child; then there are no more."""


@dataclass(frozen=True)
class CheckRequest:
    """A request to check an answer against its prompt, without the equations that `leave_out` numbers."""

    prompt: str
    output: str
    leave_out: frozenset[int] = frozenset()
    seed: str = ""
    """With the texts, it determines the points at which equations are tested."""
    seconds: float = ANSWER_SECONDS
    """CPU time after which no further equation is checked."""
    counts_missing: bool = False
    """Whether the missing operators of skipped equations are counted."""
    rules: Rules = "paper"
    """The steps that count as one."""
    leave_uncounted: frozenset[int] = frozenset()
    """The numbers of the skipped equations whose missing operators are not counted."""


@dataclass(frozen=True)
class EquationMark:
    """The work of a child: an equation's number, and the CPU time for the answer before it, in seconds.

    The number is 0 for the prompt and for the verdict.
    """

    number: int
    seconds: float
    searches: bool = False
    """Whether the child searches for the equation's missing operators."""


class _LeftOut(Collection[int]):
    """The numbers of the equations that are not checked: those given, and all of them once the time is used up."""

    def __init__(self, given: frozenset[int], is_used_up: Callable[[], bool]) -> None:
        self._given, self._is_used_up = given, is_used_up

    def __contains__(self, number: object) -> bool:
        return number in self._given or self._is_used_up()

    def __iter__(self) -> Iterator[int]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


CheckOutcome = Validity | str
"""A verdict, or the reason why the prompt cannot be read."""


def check_request(request: CheckRequest) -> CheckOutcome:
    """Checks an answer in the child, which marks the prompt, and each equation before it is checked."""
    prepare_parser()  # not in the time of the prompt
    started = time.process_time()

    def used() -> float:
        return time.process_time() - started

    def begin(number: int) -> None:
        mark(EquationMark(number, used()))

    def may_search(number: int) -> bool:
        mark(EquationMark(number, used(), searches=True))
        return number not in request.leave_uncounted and used() <= request.seconds + SEARCH_SECONDS

    mark(EquationMark(0, 0.0))
    try:
        checker = Checker(request.prompt, request.seed, request.rules)
    except ValueError as error:
        return str(error)
    left_out = _LeftOut(request.leave_out, lambda: used() > request.seconds)
    return checker.check(request.output, left_out, begin, may_search if request.counts_missing else None)


def check_in(worker: WorkerProcess[CheckRequest, CheckOutcome], request: CheckRequest) -> Validity:
    """Checks an answer in a worker that runs `check_request`; an equation that exceeds its limits is undecided.

    Raises:
        ValueError: the prompt has another form; the message says what was expected where.
        InputError, RuntimeError: as `WorkerProcess.run`.
    """
    while True:
        found = worker.ask(request)
        if isinstance(found, Validity):
            return found
        if isinstance(found, str):
            raise ValueError(found)
        reached: EquationMark = found.mark or EquationMark(0, 0.0)
        if reached.searches:
            uncounted = request.leave_uncounted | {reached.number}
            more = len(uncounted) <= MAX_SEARCHES_ENDED
            request = replace(request, leave_uncounted=uncounted, counts_missing=more)
            continue
        left = request.seconds - reached.seconds - EQUATION_LIMITS.cpu_seconds
        request = replace(request, seconds=max(0.0, left))
        if found.had_worked:
            continue  # what earlier requests left behind may have taken the memory, or the time to collect it
        if not reached.number or reached.number in request.leave_out or len(request.leave_out) >= MAX_ENDED:
            return unchecked(request.output, rules=request.rules)  # nothing more can be left out
        request = replace(request, leave_out=request.leave_out | {reached.number})


class ChildOwner:
    """Owns a child process, which ends with the block; a context manager."""

    _worker: WorkerProcess[Any, Any]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the child, and any check that it does for another thread."""
        self._worker.stop()


class SupervisedChecker(ChildOwner):
    """Checks derivations in a child process of its own; a context manager."""

    def __init__(self, limits: Limits = EQUATION_LIMITS, seed: str = "") -> None:
        """
        Args:
            seed: with the texts, it determines the points at which equations are tested. A process that trains against
                the checker keeps it secret.
        """
        self._worker = PipedWorker(check_request, limits, EquationMark)
        self._seed = seed

    def check(self, prompt: str, output: str, counts_missing: bool = False, rules: Rules = "paper") -> Validity:
        """Checks an answer; see `check_in`."""
        request = CheckRequest(prompt, output, seed=self._seed, counts_missing=counts_missing, rules=rules)
        return check_in(self._worker, request)
