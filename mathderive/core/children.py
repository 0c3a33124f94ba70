"""A child process that works on items: what its parent needs of it, and the one that `multiprocessing` starts."""

import multiprocessing
import multiprocessing.connection
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, SpawnContext
from typing import Any, Protocol

from mathderive.core.orphans import end_with_parent, kill_with_parent
from mathderive.core.worker_loop import Limits, answer_items, limit_memory

SPAWN = multiprocessing.get_context("spawn")
"""Starts a child process as a new interpreter, which takes a second of CPU time."""


class Child(Protocol):
    """A child process that answers items in turn.

    Attributes:
        number: the number of its process.
    """

    number: int

    def send(self, item: Any) -> None:
        """Sends an item.

        Raises:
            OSError: the child has ended.
        """
        ...

    def receive(self) -> tuple[str, Any]:
        """Waits for the next ("mark" | "result" | "failed", content).

        Raises:
            EOFError, OSError: the child has ended.
        """
        ...

    def kill(self) -> None:
        """Ends the child at once."""
        ...

    def collect(self) -> int:
        """Waits for the end of the child and frees what belongs to it; returns its exit code, negative for a signal."""
        ...


class SpawnedChild:
    """A child that `multiprocessing` starts; items and results are pickled.

    It imports the main module of this process, which therefore needs an `if __name__ == "__main__"` guard.
    """

    def __init__(
        self, function: Callable[[Any], Any], limits: Limits, context: SpawnContext | ForkServerContext
    ) -> None:
        self._connection, theirs = context.Pipe()
        watched, self._held = context.Pipe(duplex=False)
        self._process = context.Process(target=_serve, args=(function, limits, theirs, watched), daemon=True)
        self._process.start()
        assert self._process.pid is not None
        self.number = self._process.pid
        kill_with_parent(watched.fileno(), self.number)
        theirs.close()  # the child's end lives in the child alone, so that its death shows as the end of file
        watched.close()

    def send(self, item: Any) -> None:
        self._connection.send(item)

    def receive(self) -> tuple[str, Any]:
        kind, content = self._connection.recv()
        return kind, content

    def kill(self) -> None:
        self._process.kill()

    def collect(self) -> int:
        self._connection.close()
        # Another thread that starts a child may be collecting this exit code, which then arrives a moment later.
        while (code := self._process.exitcode) is None:
            self._process.join(0.05)
        self._held.close()
        return code


def cpu_seconds(process: int | None) -> float:
    """The CPU time that a process has used; where the system does not tell, a clock that runs on while it waits.

    Args:
        process: its number; None for a process that is yet to be started.

    Raises:
        OSError: there is no such process.
    """
    if sys.platform != "linux":
        return time.monotonic()
    return 0.0 if process is None else time.clock_gettime(~process << 3 | _CPU_CLOCK)


_CPU_CLOCK = 2
"""With a process's number, this makes the number of its CPU clock (clock_getcpuclockid)."""


class _PickledItems:
    """The child's end of the connection."""

    def __init__(self, connection: multiprocessing.connection.Connection) -> None:
        self._connection = connection

    def receive(self) -> Any:
        return self._connection.recv()

    def send(self, kind: str, content: Any) -> None:
        self._connection.send((kind, content))


def _serve(
    function: Callable[[Any], Any],
    limits: Limits,
    connection: multiprocessing.connection.Connection,
    watched: multiprocessing.connection.Connection,
) -> None:
    """Runs in the child.

    Args:
        watched: the reading end of the pipe that the parent holds; it stays open as long as this process.
    """
    limit_memory(limits)
    end_with_parent()
    answer_items(function, limits, _PickledItems(connection))
