"""Supervised worker processes: an item that ends its process is lost, and no other item with it.

The engine bounds its own work by size and method. The backstop behind that is a child process with a memory cap and a
limit of CPU time for every item; an item that ends a fresh child of its own is lost and named. The kernel counts the
child's own CPU time, never the wall clock, and ends the child even inside a loop of C code.
"""

import gc
import multiprocessing
import multiprocessing.connection
import multiprocessing.process
import os
import resource
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, SpawnContext
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.core.extensions import load_inherited_extensions
from mathderive.core.orphans import end_with_parent, kill_with_parent

ItemT = TypeVar("ItemT")
ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")

OUT_OF_MEMORY = 77
"""A child's exit code after a MemoryError, which it can give without allocating memory."""

_FAULTS = {
    signal.SIGABRT: "aborted",
    signal.SIGSEGV: "a segmentation fault",
    signal.SIGBUS: "a bus error",
    signal.SIGFPE: "an arithmetic fault",
    signal.SIGILL: "an illegal instruction",
}
"""Signals by which a process ends itself; GMP divides by zero on purpose where a number would be too large."""

MOST_LOST_IN_A_ROW = 8
"""Number of items lost in a row from which the machine is at fault. Sound work loses one item in many thousands."""

ALLOCATIONS_PER_COLLECTION = 50_000
"""Number of allocations between two runs of the garbage collector in a worker."""

SPAWN = multiprocessing.get_context("spawn")
"""Starts a child process as a new interpreter, which takes a second of CPU time."""

KILLED = "a worker process was killed from outside"
"""Beginning of the message when neither the work nor the backstop ended a worker."""


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


@dataclass(frozen=True)
class Outcome(Generic[ResultT]):
    """The outcome of running some items.

    Attributes:
        results: results of the items that were not lost, in their order.
        lost: cause of each loss by the item's position.
    """

    results: list[ResultT]
    lost: dict[int, str]


@dataclass(frozen=True)
class Ended:
    """The answer to an item for which the backstop ended the child.

    Attributes:
        cause: the limit that was exceeded, in words.
        mark: the last argument of `mark`; None if it was not called.
        for_memory: whether it was the memory cap.
        had_worked: whether the child had run other items before, which may have left little memory.
    """

    cause: str
    mark: Any
    for_memory: bool
    had_worked: bool


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


class WorkerProcess(Generic[ItemT, ResultT]):
    """Runs a function on items, one at a time, in a child process that it starts anew when one has ended.

    Args:
        function: picklable, a pure function of an item.
        limits: the limits on each item.
        context: starts the child. It is never a fork of this process: it inherits nothing, so its results cannot
            depend on what this process did before.
    """

    def __init__(
        self,
        function: Callable[[ItemT], ResultT],
        limits: Limits = Limits(),
        context: SpawnContext | ForkServerContext = SPAWN,
    ) -> None:
        self._function = function
        self._limits = limits
        self._context = context
        self._lock = threading.Lock()
        self._stopped = False
        self._interrupted = False
        """Whether this process has ended the child."""
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: multiprocessing.connection.Connection | None = None
        self._held: multiprocessing.connection.Connection | None = None
        """The writing end of a pipe that this process alone holds, so that the pipe's end tells that it has died."""
        self._has_worked = False

    def run(self, items: Iterable[ItemT]) -> Outcome[ResultT]:
        """Runs every item.

        Raises:
            InputError: the child was killed from outside, by a person or because the whole machine lacks memory; or
                too many items were lost in a row.
            RuntimeError: the function failed; the message holds the child's traceback.
        """
        results: list[ResultT] = []
        lost: dict[int, str] = {}
        in_a_row = 0
        for position, item in enumerate(items):
            answer = self.ask(item)
            if isinstance(answer, Ended):
                # Earlier items may have left little memory: only a fresh process shows what the item itself needs.
                answer = self.ask(item)
            if isinstance(answer, Ended):
                lost[position] = answer.cause
                in_a_row += 1
                if in_a_row == MOST_LOST_IN_A_ROW:
                    raise InputError(
                        f"{in_a_row} items in a row ended their processes (the last one: {answer.cause}); none is "
                        "taken for lost: expected a machine with more memory to spare, or fewer workers"
                    )
            else:
                in_a_row = 0
                results.append(answer)
        return Outcome(results, lost)

    def stop(self) -> None:
        """Ends the child at once, even while another thread waits for its answer; it cannot be used afterwards."""
        with self._lock:
            self._stopped = True
            self._kill()

    def interrupt(self) -> None:
        """Ends the child and the item in progress, for which `ask` raises InputError; the next item starts a child."""
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            self._interrupted = True
            self._process.kill()

    def ask(self, item: ItemT) -> ResultT | Ended:
        """Runs one item, once.

        Raises:
            InputError, RuntimeError: as `run`.
        """
        connection = self._started()
        had_worked, self._has_worked = self._has_worked, True
        marked = None
        try:
            connection.send(item)
            while True:
                kind, content = connection.recv()
                if kind != "mark":
                    break
                marked = content
        except (EOFError, OSError):
            cause, code = self._reap()
            return Ended(cause, marked, code == OUT_OF_MEMORY, had_worked)
        if kind == "failed":
            raise RuntimeError(f"a worker process failed:\n{content}")
        return content

    def _started(self) -> multiprocessing.connection.Connection:
        """Returns the connection to a living child, which is started if there is none."""
        if self._interrupted:  # after the last item had its answer
            with suppress(InputError):
                self._reap()
        with self._lock:
            if self._stopped:
                raise InputError("the work was stopped")
            if self._process is None or self._connection is None:
                self._connection, theirs = self._context.Pipe()
                watched, self._held = self._context.Pipe(duplex=False)
                arguments = (self._function, self._limits, theirs, watched)
                self._process = self._context.Process(target=_serve, args=arguments, daemon=True)
                self._process.start()
                assert self._process.pid is not None
                kill_with_parent(watched.fileno(), self._process.pid)
                self._has_worked = False
                theirs.close()  # the child's end lives in the child alone, so that its death shows as the end of file
                watched.close()
            return self._connection

    def _reap(self) -> tuple[str, int]:
        """Collects a child that has ended; returns the limit it exceeded, in words, and its exit code.

        Raises:
            InputError, RuntimeError: as `run`, if the child did not end by the backstop.
        """
        with self._lock:
            process, connection, held = self._process, self._connection, self._held
            assert process is not None
            assert connection is not None
            assert held is not None
            self._process = self._connection = self._held = None
            was_interrupted, self._interrupted = self._interrupted, False
        connection.close()
        # Another thread that starts a child may be collecting this exit code, which then arrives a moment later.
        while (code := process.exitcode) is None:
            process.join(0.05)
        held.close()
        if code == OUT_OF_MEMORY:
            return f"more than {self._limits.memory_bytes / 2**30:.3g} GB of memory", code
        if code == -signal.SIGPROF:
            return f"more than {self._limits.cpu_seconds:.3g} s of CPU time", code
        if code < 0 and -code in _FAULTS:
            return _FAULTS[signal.Signals(-code)], code
        if was_interrupted:
            raise InputError("the work was stopped")
        if code < 0:
            raise InputError(
                f"{KILLED} (by signal {-code}), most likely for lack of memory on this machine; "
                "the same command goes on from there, and needs less with fewer workers"
            )
        raise RuntimeError(f"a worker process ended with exit code {code}; what it printed says why")


def run_in_workers(
    function: Callable[[ItemT], ResultT],
    work: Callable[[WorkerProcess[ItemT, ResultT], ChunkT], Any],
    chunks: Iterable[ChunkT],
    workers: int,
    limits: Limits = Limits(),
) -> Generator[Any]:
    """Yields `work(worker, chunk)` for each chunk, in the chunks' order, computed by several workers at once.

    Args:
        function: the function that the worker processes run.
        work: called in a thread of this process, with a worker of its own, whose child starts when first asked.
        chunks: may be endless; only a few are taken ahead of those consumed.
        workers: number of worker processes; 0 is one per core this process may use.
        limits: the limits on each item.

    Raises:
        InputError, RuntimeError: as `WorkerProcess.run`.
    """
    count = workers or cores()
    processes = [WorkerProcess(function, limits) for _ in range(count)]
    free: SimpleQueue[WorkerProcess[ItemT, ResultT]] = SimpleQueue()
    for process in processes:
        free.put(process)

    def work_when_free(chunk: ChunkT) -> Any:
        process = free.get()
        try:
            return work(process, chunk)
        finally:
            free.put(process)

    with ExitStack() as stack:
        threads = ThreadPoolExecutor(count)
        stack.callback(threads.shutdown, wait=True, cancel_futures=True)
        for process in processes:
            stack.callback(process.stop)  # before the threads are waited for
        waiting: deque[Future[Any]] = deque()
        remaining = iter(chunks)
        while True:
            while len(waiting) < 2 * count and (chunk := next(remaining, None)) is not None:
                waiting.append(threads.submit(work_when_free, chunk))
            if not waiting:
                return
            yield waiting.popleft().result()


def _serve(
    function: Callable[[Any], Any],
    limits: Limits,
    connection: multiprocessing.connection.Connection,
    watched: multiprocessing.connection.Connection,
) -> None:
    """The child's loop: answers each item with ("result", result) or ("failed", traceback), after any ("mark", ...).

    Args:
        watched: the reading end of the pipe that the parent holds; it stays open as long as this process.
    """
    global _report_mark
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _cap(resource.RLIMIT_DATA, limits.memory_bytes)
    _cap(resource.RLIMIT_CORE, 0)
    end_with_parent()
    load_inherited_extensions()
    collect_garbage_rarely()

    def report_mark(what: object) -> None:
        connection.send(("mark", what))
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)

    _report_mark = report_mark
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
            answer = _answer(function, item)
            signal.setitimer(signal.ITIMER_PROF, 0)
            connection.send(answer)
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
