"""The loop of a worker process: it answers one item after another, within limits on memory and CPU time."""

import gc
import os
import resource
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from mathderive.core.extensions import load_inherited_extensions

OUT_OF_MEMORY = 77
"""A child's exit code after a MemoryError, which it can give without allocating memory."""

ALLOCATIONS_PER_COLLECTION = 50_000
"""Number of allocations between two runs of the garbage collector in a worker."""


@dataclass(frozen=True)
class Limits:
    """Limits on what one item may use in a fresh process.

    Attributes:
        memory_bytes: memory of the whole child, imports included (0.1 GB); normal work stays below 0.5 GB.
        cpu_seconds: CPU time of the child for one item, or from one mark to the next; a normal attempt takes 0.05 to
            5 seconds.
    """

    memory_bytes: int = 3 * 2**30
    cpu_seconds: float = 120.0


DEFAULT_LIMITS = Limits()
"""Limits for an attempt of the generator."""


class Channel(Protocol):
    """A child's connection to its parent."""

    def receive(self) -> Any:
        """Waits for the next item.

        Raises:
            EOFError: the parent has no more.
        """
        ...

    def send(self, kind: str, content: Any) -> None:
        """Sends `mark`, `result` or `failed` with its content."""
        ...


def collect_garbage_rarely() -> None:
    """Runs Python's garbage collector less often in this process.

    SymPy's expressions hardly ever form cycles, and the default rate takes a twelfth of a worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS_PER_COLLECTION)


def mark(what: object) -> None:
    """Names the next part of the work in a worker process, and starts its limit of CPU time anew.

    Outside a worker process this does nothing.
    """
    if _report_mark is not None:
        _report_mark(what)


_report_mark: Callable[[object], None] | None = None


def limit_memory(limits: Limits) -> None:
    """Caps this process's memory, and lets the signals of a worker process end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGPROF})
    _cap(resource.RLIMIT_DATA, limits.memory_bytes)
    _cap(resource.RLIMIT_CORE, 0)


def answer_items(function: Callable[[Any], Any], limits: Limits, channel: Channel) -> None:
    """Answers each item with ("result", result) or ("failed", traceback), after any ("mark", ...)."""
    global _report_mark
    load_inherited_extensions()
    collect_garbage_rarely()

    def report_mark(what: object) -> None:
        channel.send("mark", what)
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)

    _report_mark = report_mark
    while True:
        try:
            item = channel.receive()
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
            answer = _answer(function, item)
            signal.setitimer(signal.ITIMER_PROF, 0)
            channel.send(*answer)
        except EOFError:
            return
        except MemoryError:
            os._exit(OUT_OF_MEMORY)


def _answer(function: Callable[[Any], Any], item: Any) -> tuple[str, Any]:
    try:
        return "result", function(item)
    except MemoryError:
        raise
    except Exception:
        return "failed", traceback.format_exc()


def _cap(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
