"""Runs a function over chunks of work in worker processes; each chunk's records are a file, whole or absent.

A run that was killed goes on: chunks whose file is there are read, not computed again. Which worker computes what,
and how many there are, has no influence on the records or their order.
"""

import multiprocessing
import multiprocessing.connection
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from mathderive.errors import InputError
from mathderive.records import RecordT, read_jsonl, write_jsonl

ChunkT = TypeVar("ChunkT")


def compute_chunks(
    function: Callable[[ChunkT], list[RecordT]],
    chunks: Iterable[ChunkT],
    kind: type[RecordT],
    folder: Path,
    workers: int,
) -> Iterator[list[RecordT]]:
    """Yields each chunk's records, in the chunks' order.

    Args:
        function: a pure function of a chunk, picklable; its records are of type `kind`.
        chunks: may be endless; only a few are taken ahead of what is consumed.
        kind: the records' type, for reading them back.
        folder: keeps the chunks' files.
        workers: processes; 0 is one per core this process may use.

    Raises:
        InputError: a worker died, or a chunk's file is damaged.
    """
    workers = workers or len(os.sched_getaffinity(0))
    waiting: deque[tuple[Path, Future[None] | None]] = deque()
    numbered = enumerate(chunks)
    with ExitStack() as stack:
        pool: ProcessPoolExecutor | None = None
        while True:
            while len(waiting) < 2 * workers and (item := next(numbered, None)) is not None:
                path = folder / f"{item[0]:06d}.jsonl"
                if path.exists():
                    waiting.append((path, None))
                    continue
                if pool is None:
                    pool = _pool(workers)
                    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
                waiting.append((path, pool.submit(_compute, function, item[1], path)))
            if not waiting:
                return
            path, future = waiting.popleft()
            if future is not None:
                try:
                    future.result()
                except BrokenProcessPool:
                    raise InputError(
                        f"{folder}: a generating process was killed, most likely for lack of memory; "
                        "the same command goes on from here, data.workers=1 needs least"
                    ) from None
            yield read_jsonl(path, kind)


def _compute(function: Callable[[ChunkT], list[RecordT]], chunk: ChunkT, path: Path) -> None:
    write_jsonl(path, function(chunk))


def _pool(workers: int) -> ProcessPoolExecutor:
    # spawn: a worker starts from nothing, so what it computes cannot depend on what this process did before
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Ends this worker when its parent is gone: a pool's workers hold each other's pipes and would wait forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_wait_and_exit, args=(parent.sentinel,), daemon=True).start()


def _wait_and_exit(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
