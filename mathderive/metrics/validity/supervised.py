"""The checker in a child process, for text that nobody vouches for.

The checker bounds its own work by size and counts. Behind that stands a backstop: the kernel ends a child that uses
more memory than it may, or more CPU time on one equation, even inside a loop of C code. That equation is undecided, and
the check is done again without it.
"""

import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from mathderive.metrics.validity.checker import Checker, unchecked
from mathderive.metrics.validity.verdicts import Validity

MAX_ENDED = 4
"""Of one output's equations; after so many, the rest of it is undecided."""

OUT_OF_MEMORY = 77
"""A child's exit code after a MemoryError: nothing needs to be allocated to give it."""


@dataclass(frozen=True)
class Limits:
    """What one equation may use.

    Attributes:
        memory_bytes: of the child, of which 0.2 GB are the libraries'.
        cpu_seconds: of the child's own time; an equation of a model takes 0.01 on average, and 0.2 at most.
    """

    memory_bytes: int = 2**30
    cpu_seconds: float = 1.5


class SupervisedChecker:
    """Checks derivations in a child process, which it starts anew when it was ended; a context manager."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: multiprocessing.connection.Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self, prompt: str, output: str) -> Validity:
        """`checker.check`, with an undecided verdict for an equation that would take too much.

        Raises:
            ValueError: the prompt has another form; says what was expected where.
            RuntimeError: the child failed otherwise.
        """
        left_out: set[int] = set()
        while True:
            answer = self._ask(prompt, output, left_out)
            if isinstance(answer, Validity):
                return answer
            if answer == 0 or len(left_out) >= MAX_ENDED:
                return unchecked(prompt, output)
            left_out.add(answer)

    def stop(self) -> None:
        """Ends the child."""
        if self._process is not None and self._connection is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = self._connection = None

    def _ask(self, prompt: str, output: str, left_out: set[int]) -> Validity | int:
        """The verdict, or the number of the equation that ended the child; 0 is the prompt."""
        connection = self._started()
        number = 0
        try:
            connection.send((prompt, output, left_out))
            while True:
                kind, content = connection.recv()
                if kind == "verdict":
                    return content
                if kind == "refused":
                    raise ValueError(content)
                number = content
        except (EOFError, OSError):
            self._reap()
            return number

    def _started(self) -> multiprocessing.connection.Connection:
        if self._process is None or self._connection is None:
            context = multiprocessing.get_context("spawn")
            self._connection, theirs = context.Pipe()
            self._process = context.Process(target=_serve, args=(self._limits, theirs), daemon=True)
            self._process.start()
            theirs.close()  # so that the child's death shows as the end of file
        return self._connection

    def _reap(self) -> None:
        """Collects a child that ended; by anything but a limit is a fault of ours."""
        assert self._process is not None
        self._process.join()
        code = self._process.exitcode
        self.stop()
        if code not in (OUT_OF_MEMORY, -signal.SIGPROF, -signal.SIGSEGV, -signal.SIGABRT):
            raise RuntimeError(f"a checking process ended with exit code {code}; what it printed says why")


def _serve(limits: Limits, connection: multiprocessing.connection.Connection) -> None:
    """The child: answers each question, and says before each equation which one comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for limit, value in ((resource.RLIMIT_DATA, limits.memory_bytes), (resource.RLIMIT_CORE, 0)):
        _, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))

    def starts(number: int) -> None:
        connection.send(("equation", number))
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)

    while True:
        try:
            prompt, output, left_out = connection.recv()
        except EOFError:
            return
        try:
            _answer(connection, starts, prompt, output, left_out)
            signal.setitimer(signal.ITIMER_PROF, 0)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _answer(
    connection: multiprocessing.connection.Connection,
    starts: Callable[[int], None],
    prompt: str,
    output: str,
    left_out: set[int],
) -> None:
    starts(0)
    try:
        checker = Checker(prompt)
    except ValueError as error:
        connection.send(("refused", str(error)))
        return
    connection.send(("verdict", checker.check(output, left_out, starts)))
