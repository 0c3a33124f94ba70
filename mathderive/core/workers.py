"""Supervised worker processes: an item that ends its process is lost, and no other item with it.

The engine bounds its own work by size and method. The backstop behind that is a child process with a memory cap and a
limit of CPU time for every item; an item that ends a fresh child of its own is lost and named. The kernel counts the
child's own CPU time, never the wall clock, and ends the child even inside a loop of C code.
"""

import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, SpawnContext
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from mathderive.core.children import SPAWN, Child, SpawnedChild
from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.core.worker_loop import DEFAULT_LIMITS, OUT_OF_MEMORY, Limits, collect_garbage_rarely, mark

__all__ = [
    "DEFAULT_LIMITS",
    "KILLED",
    "MOST_LOST_IN_A_ROW",
    "Ended",
    "Limits",
    "Outcome",
    "WorkerProcess",
    "collect_garbage_rarely",
    "mark",
    "run_in_workers",
]

ItemT = TypeVar("ItemT")
ChunkT = TypeVar("ChunkT")
ResultT = TypeVar("ResultT")
T = TypeVar("T")

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

KILLED = "a worker process was killed from outside"
"""Beginning of the message when neither the work nor the backstop ended a worker."""


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


class WorkerProcess(Generic[ItemT, ResultT]):
    """Runs a function on items, one at a time, in a child process that it starts anew when one has ended.

    Threads that share a worker wait for each other.

    Args:
        function: picklable, a pure function of an item.
        limits: the limits on each item.
        context: starts the child. It is never a fork of this process: it inherits nothing, so its results cannot
            depend on what this process did before.
    """

    def __init__(
        self,
        function: Callable[[ItemT], ResultT],
        limits: Limits = DEFAULT_LIMITS,
        context: SpawnContext | ForkServerContext = SPAWN,
    ) -> None:
        self._function = function
        self._limits = limits
        self._context = context
        self._turn = threading.Lock()
        """Held while an item is worked on."""
        self._lock = threading.Lock()
        """Held while a child is started, ended or forgotten."""
        self._stopped = False
        self._interrupted = False
        """Whether this process has ended the child."""
        self._child: Child | None = None
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
        if self._turn.acquire(blocking=False):  # otherwise the thread that waits for an answer collects the child
            try:
                if self._child is not None:
                    with suppress(InputError, RuntimeError):
                        self._reap()
            finally:
                self._turn.release()

    def interrupt(self) -> None:
        """Ends the child and the item in progress, for which `ask` raises InputError; the next item starts a child."""
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        if self._child is not None:
            self._interrupted = True
            self._child.kill()

    def on_child(self, act: Callable[[int], T]) -> T | None:
        """Does something with the number of the child's process; returns None where there is none, or it is ended."""
        with self._lock:
            if self._child is None or self._interrupted:
                return None
            try:
                return act(self._child.number)
            except OSError:
                return None  # it has ended, which the next answer will say

    def ask(self, item: ItemT) -> ResultT | Ended:
        """Runs one item, once.

        Raises:
            InputError, RuntimeError: as `run`.
        """
        with self._turn:
            return self._ask(item)

    def _ask(self, item: ItemT) -> ResultT | Ended:
        child = self._started()
        had_worked, self._has_worked = self._has_worked, True
        marked = None
        try:
            child.send(item)
            while True:
                kind, content = child.receive()
                if kind != "mark":
                    break
                marked = content
        except (EOFError, OSError):
            cause, code = self._reap()
            return Ended(cause, marked, code == OUT_OF_MEMORY, had_worked)
        except BaseException:
            # After a KeyboardInterrupt, say, the child would answer this item where the next one is asked.
            self.interrupt()
            raise
        if kind == "failed":
            raise RuntimeError(f"a worker process failed:\n{content}")
        result: ResultT = content
        return result

    def _start_child(self) -> Child:
        return SpawnedChild(self._function, self._limits, self._context)

    def _started(self) -> Child:
        """Returns a living child, which is started if there is none."""
        if self._interrupted:  # after the last item had its answer
            with suppress(InputError):
                self._reap()
        with self._lock:
            if self._stopped:
                raise InputError("the work was stopped")
            if self._child is None:
                self._child = self._start_child()
                self._has_worked = False
            return self._child

    def _reap(self) -> tuple[str, int]:
        """Collects a child that has ended; returns the limit it exceeded, in words, and its exit code.

        Raises:
            InputError, RuntimeError: as `run`, if the child did not end by the backstop.
        """
        with self._lock:
            child, self._child = self._child, None
            assert child is not None
            was_interrupted, self._interrupted = self._interrupted, False
        code = child.collect()
        if code == OUT_OF_MEMORY:
            return f"more than {self._limits.memory_bytes / 2**30:.3g} GB of memory", code
        if code == -signal.SIGPROF:
            return f"more than {self._limits.cpu_seconds:.3g} s of CPU time", code
        if code < 0 and -code in _FAULTS:
            return _FAULTS[signal.Signals(-code)], code
        if was_interrupted:
            raise InputError("the work was stopped")
        if code == 0:  # a program that ignores SIGCHLD is not told how its children end
            return "an end of its process for an unknown reason", code
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
    limits: Limits = DEFAULT_LIMITS,
    make_worker: Callable[[Callable[[ItemT], ResultT], Limits], WorkerProcess[ItemT, ResultT]] = WorkerProcess,
) -> Generator[Any]:
    """Yields `work(worker, chunk)` for each chunk, in the chunks' order, computed by several workers at once.

    Args:
        function: the function that the worker processes run.
        work: called in a thread of this process, with a worker of its own, whose child starts when first asked.
        chunks: may be endless; only a few are taken ahead of those consumed.
        workers: number of worker processes; 0 is one per core this process may use.
        limits: the limits on each item.
        make_worker: makes a worker of the function and the limits.

    Raises:
        InputError, RuntimeError: as `WorkerProcess.run`.
    """
    count = workers or cores()
    processes = [make_worker(function, limits) for _ in range(count)]
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
