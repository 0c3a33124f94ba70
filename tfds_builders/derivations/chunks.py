"""Chunks of generated derivations as files, each whole or absent, on a local disk or in an object store.

A chunk is two files: `NUMBER.jsonl` holds its candidates. `NUMBER.keys.json` is written after it, so its presence means
that the chunk is finished; it holds a key for each candidate and the lost items. Split assignment reads only the keys,
about 200 bytes for each candidate. The candidates are read once, when the dataset is written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol

from etils import epath

from mathderive.core.errors import InputError
from mathderive.core.files import write_text
from mathderive.core.workers import ChunkT, ItemT, WorkerProcess, run_in_workers
from mathderive.records import Record, parse_line, to_line
from tfds_builders.derivations.candidates import Candidate, Key


class Loss(Record):
    """An item of a chunk that the backstop ended: its position in the chunk and the cause."""

    position: int
    cause: str


class ChunkKeys(Record):
    """The keys of a finished chunk's candidates, in the order of its items, and its lost items."""

    keys: list[Key]
    lost: list[Loss]


@dataclass(frozen=True)
class Task(Generic[ItemT, ChunkT]):
    """Work that is done in chunks.

    Attributes:
        function: a picklable, pure function of an item.
        folder: the folder of the chunks' files, as a local path or one that `etils.epath` supports.
        load: a picklable function that returns a chunk's items; called in the process that supervises the workers.
    """

    function: Callable[[ItemT], list[Candidate]]
    folder: str
    load: Callable[[ChunkT], Iterable[ItemT]]


class Computer(Protocol):
    """Computes chunks, by worker processes on this machine or by an Apache Beam runner."""

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        """Yields the keys of each chunk, in the chunks' order; finished chunks are not computed again.

        Args:
            task: the work.
            chunks: the chunks, numbered from 0 in this order; may be endless.
            ahead: estimates how many more chunks will be needed; called when all chunks so far were consumed.

        Raises:
            InputError: a worker was killed from outside, or a chunk's file is damaged.
        """
        ...


@dataclass(frozen=True)
class LocalComputer:
    """Computes chunks by worker processes on this machine.

    Attributes:
        workers: number of processes; 0 is one for each core that this process may use.
        make_worker: makes a worker of a function and its limits.
    """

    workers: int
    make_worker: Callable[..., WorkerProcess[Any, Any]] = field(default=WorkerProcess, kw_only=True)

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        finished = finished_chunks(task.folder)

        def work(worker: WorkerProcess[ItemT, list[Candidate]], numbered: tuple[int, ChunkT]) -> ChunkKeys:
            number, chunk = numbered
            if number not in finished:
                compute_chunk(task, worker, number, chunk)
            return read_keys(task.folder, number)

        yield from run_in_workers(task.function, work, enumerate(chunks), self.workers, make_worker=self.make_worker)


def compute_chunk(
    task: Task[ItemT, ChunkT], worker: WorkerProcess[ItemT, list[Candidate]], number: int, chunk: ChunkT
) -> None:
    """Runs a chunk in the worker process, and writes its files."""
    outcome = worker.run(task.load(chunk))
    candidates = [candidate for found in outcome.results for candidate in found]
    lost = [Loss(position=position, cause=cause) for position, cause in outcome.lost.items()]
    _write(candidates_path(task.folder, number), "".join(map(to_line, candidates)))
    keys = ChunkKeys(keys=[candidate.key for candidate in candidates], lost=lost)
    _write(_keys_path(task.folder, number), to_line(keys))


def finished_chunks(folder: str) -> set[int]:
    """Returns the numbers of the finished chunks."""
    place = epath.Path(folder)
    if not place.exists():
        return set()
    return {int(path.name.partition(".")[0]) for path in place.glob("[0-9]*.keys.json")}


def read_keys(folder: str, number: int) -> ChunkKeys:
    """Reads the keys of a finished chunk.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = _keys_path(folder, number)
    return parse_line(_read(path), ChunkKeys, str(path))


def read_candidates(path: str) -> Iterator[Candidate]:
    """Yields the candidates of a finished chunk.

    Raises:
        InputError: the file is missing or damaged.
    """
    for number, line in enumerate(filter(None, _read(path).split("\n")), start=1):
        yield parse_line(line, Candidate, f"{path}:{number}")


def candidates_path(folder: str, number: int) -> str:
    """Returns the path of a chunk's candidates."""
    return str(epath.Path(folder) / f"{number:06d}.jsonl")


def _keys_path(folder: str, number: int) -> str:
    return str(epath.Path(folder) / f"{number:06d}.keys.json")


def _read(path: str) -> str:
    try:
        return str(epath.Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a finished chunk") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from None


def _write(path: str, text: str) -> None:
    if is_remote(path):
        place: Any = epath.Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)  # an object store shows an object only when it is complete
    else:
        write_text(Path(path), text)


def is_remote(path: str) -> bool:
    """Whether a path lies in an object store, such as `gs://bucket/folder`."""
    return "://" in path
