"""Assigns attempts to splits from the chunks' keys, and reads the examples of a split from the chunks' files.

The lowest attempts fill the splits. No text occurs in a split twice. No two splits share a derivation up to renaming,
unless the config asks for the paper's plain splits. The overlap is measured in both cases.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from mathderive.config.schema import CopyVerified, DataSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.records import PERTURBED_SETS, Example, Split
from tfds_builders.derivations.chunks import (
    Candidate,
    ChunkKeys,
    Computer,
    Key,
    Task,
    candidates_path,
    read_candidates,
)
from tfds_builders.derivations.generation import (
    SPLITS,
    make_example,
    may_be_in,
    perturb,
    sample,
    split_by_hash,
    split_sizes,
)

ATTEMPTS_PER_CHUNK = 64
"""Number of attempts in a chunk: some seconds of work, which a kill can lose."""

STATIC_PER_CHUNK = 32
"""Number of static examples in a chunk of variants."""

MAX_ATTEMPTS_PER_EXAMPLE = 200
"""Maximum number of attempts for each derivation; settings that need more are refused."""

EXPECTED_YIELD = 0.9
"""Assumed derivations per attempt until the first chunks are finished; the default sampling gives 0.99."""


@dataclass(frozen=True)
class Slice:
    """The examples of one split that lie in one chunk.

    Attributes:
        path: the file of the chunk's candidates.
        split: the split.
        attempts: the attempts of the candidates that are in the split, in ascending order.
    """

    path: str
    split: Split
    attempts: tuple[int, ...]


@dataclass(frozen=True)
class Generated:
    """The examples of a dataset, before they are read from the chunks' files.

    Attributes:
        slices: the slices of each split, in order; an empty split has none.
        overlap: for each split except train, the number of its examples that are in train up to renaming.
        lost: the items that the backstop ended: `17` for an attempt, `variants of 4021` for a static example.
    """

    slices: dict[Split, list[Slice]]
    overlap: dict[Split, int]
    lost: list[str]

    def examples(self) -> dict[Split, Iterator[Example]]:
        """Returns an iterator over the examples of each split."""
        return {name: read_slices(slices) for name, slices in self.slices.items()}


def generate(
    settings: DataSettings, seed: int, folder: str, computer: Computer, on_progress: ProgressCallback
) -> Generated:
    """Generates every split: train, validation, static, and a split of variants for each registered set.

    Args:
        settings: sizes, sampling, `leak_free`, `copy_verified`.
        seed: the seed of the run.
        folder: keeps finished chunks, from which a later call with the same settings and seed resumes.
        computer: computes the chunks.
        on_progress: is called with the number of finished derivations.

    Returns:
        The examples of each split, sorted by attempt. A variant is missing if its set has none of this derivation, if
        `copy_verified` leaves it out or, in leak-free splits, if it is in train or validation up to renaming.

    Raises:
        InputError: the settings hardly ever give a new derivation, or `Computer.compute` raises it.
    """
    assignment, lost = _assign(settings, seed, f"{folder}/candidates", computer, on_progress)
    slices = {
        name: list(_slices(f"{folder}/candidates", name, assignment.attempts[name], ATTEMPTS_PER_CHUNK))
        for name in SPLITS
    }
    in_train = set(assignment.forms["train"])
    overlap: dict[Split, int] = {name: _count(assignment.forms[name], in_train) for name in SPLITS if name != "train"}
    elsewhere = in_train.union(assignment.forms["validation"]) if settings.leak_free else frozenset[bytes]()

    task = Task(partial(perturb, settings, seed), f"{folder}/variants", load=_read_all)
    static = assignment.attempts["static"]
    groups = [static[start : start + STATIC_PER_CHUNK] for start in range(0, len(static), STATIC_PER_CHUNK)]
    chunks = [tuple(_slices(f"{folder}/candidates", "static", group, ATTEMPTS_PER_CHUNK)) for group in groups]
    variants: dict[Split, list[Slice]] = {name: [] for name in PERTURBED_SETS}
    overlap |= dict.fromkeys(PERTURBED_SETS, 0)
    for number, found in enumerate(computer.compute(task, chunks, lambda: len(chunks))):
        lost += [f"variants of {groups[number][loss.position]}" for loss in found.lost]
        for name in PERTURBED_SETS:
            kept = [
                key
                for key in found.keys
                if key.variant == name
                and _form(key) not in elsewhere
                and may_be_in(name, key.is_copy_verified, settings.copy_verified)
            ]
            overlap[name] += _count(map(_form, kept), in_train)
            if kept:
                path = candidates_path(task.folder, number)
                variants[name].append(Slice(path, name, tuple(key.attempt for key in kept)))
        on_progress("variants of static", min((number + 1) * STATIC_PER_CHUNK, len(static)), len(static))
    return Generated({**slices, **variants}, overlap, lost)


def read_slice(part: Slice) -> Iterator[Example]:
    """Yields the examples of a slice.

    Raises:
        InputError: the chunk's file is damaged.
    """
    for candidate in _chosen(part):
        yield make_example(candidate, part.split)


def read_slices(slices: Iterable[Slice]) -> Iterator[Example]:
    """Yields the examples of one slice after another."""
    for part in slices:
        yield from read_slice(part)


def _chosen(part: Slice) -> Iterator[Candidate]:
    wanted = set(part.attempts)
    variant = part.split if part.split in PERTURBED_SETS else None
    for candidate in read_candidates(part.path):
        if candidate.variant == variant and candidate.attempt in wanted:
            wanted.remove(candidate.attempt)
            yield candidate
    if wanted:
        raise InputError(f"{part.path}: attempt {min(wanted)} is missing; remove the folder above to generate it anew")


def _read_all(slices: Sequence[Slice]) -> Iterator[Candidate]:
    for part in slices:
        yield from _chosen(part)


def _slices(folder: str, split: Split, attempts: Iterable[int], attempts_per_chunk: int) -> Iterator[Slice]:
    for number, group in groupby(attempts, lambda attempt: attempt // attempts_per_chunk):
        yield Slice(candidates_path(folder, number), split, tuple(group))


class Assignment:
    """Fills the splits from keys, attempt by attempt.

    Attributes:
        sizes: the number of examples that each split takes.
        leak_free: choose the split by the hash of the canonical form; otherwise choose the first split with room.
        copy_verified: see `DataSettings`.
        attempts: the attempts in each split so far.
        forms: the canonical hashes of these attempts.
    """

    def __init__(self, sizes: Mapping[Split, int], leak_free: bool, copy_verified: CopyVerified = "keep") -> None:
        self.sizes = dict(sizes)
        self.leak_free = leak_free
        self.copy_verified = copy_verified
        self.attempts: dict[Split, array[int]] = {name: array("q") for name in sizes}
        self.forms: dict[Split, list[bytes]] = {name: [] for name in sizes}
        self._texts: dict[Split, set[bytes]] = {name: set() for name in sizes}
        self._chunks = 0
        self._candidates = 0

    def add(self, chunk: ChunkKeys) -> None:
        """Adds those candidates of the next chunk that a split has room for."""
        self._chunks += 1
        for key in chunk.keys:
            name, text = self._split_of(key), bytes.fromhex(key.target_hash)
            if not may_be_in(name, key.is_copy_verified, self.copy_verified):
                continue
            self._candidates += 1
            if len(self.attempts[name]) < self.sizes[name] and text not in self._texts[name]:
                self._texts[name].add(text)
                self.attempts[name].append(key.attempt)
                self.forms[name].append(_form(key))

    @property
    def filled(self) -> int:
        """The number of examples so far, over all splits."""
        return sum(map(len, self.attempts.values()))

    def chunks_wanted(self) -> int:
        """Estimates how many more chunks fill the splits, with a margin that makes another round unlikely."""
        found = self._candidates or EXPECTED_YIELD * ATTEMPTS_PER_CHUNK
        per_chunk = max(found / max(self._chunks, 1), 1 / MAX_ATTEMPTS_PER_EXAMPLE)
        wanted = sum(self.sizes.values())
        missing = {name: (size - len(self.attempts[name]), size / wanted) for name, size in self.sizes.items()}
        if not self.leak_free:
            missing = {"train": (wanted - self.filled, 1.0)}
        # The number of candidates in a split varies about its share by about a square root.
        return math.ceil(max((count + 2 * math.sqrt(count)) / share for count, share in missing.values()) / per_chunk)

    def _split_of(self, key: Key) -> Split:
        if self.leak_free:
            return split_by_hash(key.canonical_hash, self.sizes)
        return next((name for name, size in self.sizes.items() if len(self.attempts[name]) < size), "static")


def _assign(
    settings: DataSettings, seed: int, folder: str, computer: Computer, on_progress: ProgressCallback
) -> tuple[Assignment, list[str]]:
    assignment = Assignment(split_sizes(settings), settings.leak_free, settings.copy_verified)
    wanted = sum(assignment.sizes.values())
    most = MAX_ATTEMPTS_PER_EXAMPLE * wanted
    starts = range(0, most, ATTEMPTS_PER_CHUNK)
    chunks = (range(start, start + ATTEMPTS_PER_CHUNK) for start in starts)
    task: Task[int, range] = Task(partial(sample, settings, seed), folder, load=iter)
    lost: list[str] = []
    for start, found in zip(starts, computer.compute(task, chunks, assignment.chunks_wanted), strict=False):
        assignment.add(found)
        lost += [str(start + loss.position) for loss in found.lost]
        on_progress("derivations", assignment.filled, wanted)
        if assignment.filled == wanted:
            return assignment, lost
    raise InputError(
        f"data.sampling: {assignment.filled} new derivations in {most} attempts, {wanted} wanted; "
        "expected settings that allow more, or smaller data.sizes"
    )


def _form(key: Key) -> bytes:
    return bytes.fromhex(key.canonical_hash)


def _count(forms: Iterable[bytes], among: set[bytes]) -> int:
    return sum(form in among for form in forms)
