"""Chunks of generated derivations as files, each whole or absent, on a local disk or in an object store.

A chunk is two files: `NUMBER.jsonl` holds its candidates, and `NUMBER.keys.json`, written after it, says that the
chunk is done, what it holds, and what was lost. Everything that decides which candidate lies in which split is in the
keys, of some 200 bytes a candidate; the candidates themselves are read once, when a dataset is written.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol

from etils import epath

from mathderive.core.errors import InputError
from mathderive.core.files import write_text
from mathderive.core.workers import ChunkT, ItemT, WorkerProcess, run_in_workers
from mathderive.records import EvaluationSet, Record, StepRecord, parse_line, to_line


class Key(Record):
    """What decides where a derivation belongs.

    Attributes:
        attempt: of the derivation, or of the static one that this is a variant of.
        variant: null for a derivation as sampled.
        canonical_hash: SHA-256 of the canonical form, the same for derivations that are equal up to renaming.
        target_hash: SHA-256 of the target text.
    """

    attempt: int
    variant: EvaluationSet | None
    canonical_hash: str
    target_hash: str


class Candidate(Key):
    """A generated derivation, or a variant of one, with the texts of an example."""

    prompt: str
    target: str
    steps: list[StepRecord]

    @property
    def key(self) -> Key:
        return Key(**{name: getattr(self, name) for name in Key.model_fields})


class Loss(Record):
    """An item of a chunk that the backstop ended, by its position in the chunk."""

    position: int
    cause: str


class ChunkKeys(Record):
    """What a finished chunk holds, in the order of its items."""

    keys: list[Key]
    lost: list[Loss]


@dataclass(frozen=True)
class Task(Generic[ItemT, ChunkT]):
    """Work that comes in chunks.

    Attributes:
        function: a picklable, pure function of an item.
        folder: where the chunks' files lie; a local path, or one that `etils.epath` knows.
        load: a chunk's items; called in the process that supervises, picklable.
    """

    function: Callable[[ItemT], list[Candidate]]
    folder: str
    load: Callable[[ChunkT], Iterable[ItemT]]


class Computer(Protocol):
    """Whatever computes chunks: processes on this machine, or an Apache Beam runner."""

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        """Yields what each chunk holds, in the chunks' order; chunks whose files are there are not computed again.

        Args:
            task: what is done.
            chunks: numbered from 0 in this order; may be endless.
            ahead: about how many more chunks will be wanted, asked whenever the last ones were consumed.

        Raises:
            InputError: work was killed from outside, or a chunk's file is damaged.
        """
        ...


@dataclass(frozen=True)
class LocalComputer:
    """Worker processes on this machine; 0 is one per core this process may use."""

    workers: int

    def compute(
        self, task: Task[ItemT, ChunkT], chunks: Iterable[ChunkT], ahead: Callable[[], int]
    ) -> Iterator[ChunkKeys]:
        finished = finished_chunks(task.folder)

        def work(worker: WorkerProcess[ItemT, list[Candidate]], numbered: tuple[int, ChunkT]) -> ChunkKeys:
            number, chunk = numbered
            if number not in finished:
                compute_chunk(task, worker, number, chunk)
            return read_keys(task.folder, number)

        yield from run_in_workers(task.function, work, enumerate(chunks), self.workers)


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
    """The numbers of the chunks whose files are there."""
    place = epath.Path(folder)
    if not place.exists():
        return set()
    return {int(path.name.partition(".")[0]) for path in place.glob("[0-9]*.keys.json")}


def read_keys(folder: str, number: int) -> ChunkKeys:
    """What a finished chunk holds.

    Raises:
        InputError: the file is missing or damaged.
    """
    path = _keys_path(folder, number)
    return parse_line(_read(path), ChunkKeys, str(path))


def read_candidates(path: str) -> Iterator[Candidate]:
    """The candidates of a finished chunk.

    Raises:
        InputError: the file is missing or damaged.
    """
    for number, line in enumerate(filter(None, _read(path).split("\n")), start=1):
        yield parse_line(line, Candidate, f"{path}:{number}")


def candidates_path(folder: str, number: int) -> str:
    """Where a chunk's candidates lie."""
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
        place.write_text(text)  # an object store shows an object when it is whole
    else:
        write_text(Path(path), text)


def is_remote(path: str) -> bool:
    """Whether a path is an object store's: `gs://bucket/folder`."""
    return "://" in path
