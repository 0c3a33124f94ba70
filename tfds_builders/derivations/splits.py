"""Which attempts lie in which split: decided from the chunks' keys, then read from the chunks' files when written.

The lowest attempts fill the splits, no text stands in a split twice, and, unless the paper's plain way is asked for,
no two splits share a derivation up to renaming. The overlap is measured either way.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from mathderive.config.schema import DataSettings
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
from tfds_builders.derivations.generation import SPLITS, make_example, perturb, sample, split_by_hash, split_sizes

ATTEMPTS_PER_CHUNK = 64
"""A worker's unit of work: some seconds, which is what a kill can cost."""

STATIC_PER_CHUNK = 32

MAX_ATTEMPTS_PER_EXAMPLE = 200
"""Settings that yield less than one new derivation in so many attempts are taken for a mistake."""

EXPECTED_YIELD = 0.9
"""Derivations an attempt, until the first chunks are known; it is 0.99 with the default sampling."""


@dataclass(frozen=True)
class Slice:
    """The examples of one split that lie in one chunk.

    Attributes:
        path: the chunk's candidates.
        split: the split.
        attempts: which of the candidates, rising.
    """

    path: str
    split: Split
    attempts: tuple[int, ...]


@dataclass(frozen=True)
class Generated:
    """The examples of a dataset, in files still.

    Attributes:
        slices: by split, in order; no slices where a split is empty.
        overlap: for each split but train, how many of its examples are in train up to renaming.
        lost: what the backstop ended: `17` for an attempt, `variants of 4021` for a static example's.
    """

    slices: dict[Split, list[Slice]]
    overlap: dict[Split, int]
    lost: list[str]

    def examples(self) -> dict[Split, Iterator[Example]]:
        """Every split's examples, read as they are asked for."""
        return {name: read_slices(slices) for name, slices in self.slices.items()}


def generate(settings: DataSettings, seed: int, folder: str, computer: Computer, report: ProgressCallback) -> Generated:
    """Generates every split: train, validation, static, and static's variants vr, ee, ag and sr.

    Args:
        settings: sizes, sampling, `leak_free`.
        seed: of the run.
        folder: keeps finished chunks, for a later call with the same settings and seed to go on from.
        computer: computes the chunks.
        report: is told of the progress.

    Returns:
        The examples by split, by rising attempt. A variant is missing where its rule allows none and, in leak-free
        splits, where it is in train or validation up to renaming.

    Raises:
        InputError: the settings hardly ever give a new derivation, or as `Computer.compute`.
    """
    assignment, lost = _assign(settings, seed, f"{folder}/candidates", computer, report)
    slices = {
        name: list(_slices(f"{folder}/candidates", name, assignment.attempts[name], ATTEMPTS_PER_CHUNK))
        for name in SPLITS
    }
    in_train = set(assignment.forms["train"])
    overlap: dict[Split, int] = {name: _count(assignment.forms[name], in_train) for name in SPLITS if name != "train"}
    elsewhere = in_train.union(assignment.forms["validation"]) if settings.leak_free else frozenset[bytes]()

    task = Task(partial(perturb, settings.sampling, seed), f"{folder}/variants", load=_read_all)
    static = assignment.attempts["static"]
    groups = [static[start : start + STATIC_PER_CHUNK] for start in range(0, len(static), STATIC_PER_CHUNK)]
    chunks = [tuple(_slices(f"{folder}/candidates", "static", group, ATTEMPTS_PER_CHUNK)) for group in groups]
    variants: dict[Split, list[Slice]] = {name: [] for name in PERTURBED_SETS}
    overlap |= dict.fromkeys(PERTURBED_SETS, 0)
    for number, found in enumerate(computer.compute(task, chunks, lambda: len(chunks))):
        lost += [f"variants of {groups[number][loss.position]}" for loss in found.lost]
        for name in PERTURBED_SETS:
            kept = [key for key in found.keys if key.variant == name and _form(key) not in elsewhere]
            overlap[name] += _count(map(_form, kept), in_train)
            if kept:
                path = candidates_path(task.folder, number)
                variants[name].append(Slice(path, name, tuple(key.attempt for key in kept)))
        report("variants of static", min((number + 1) * STATIC_PER_CHUNK, len(static)), len(static))
    return Generated({**slices, **variants}, overlap, lost)


def read_slice(part: Slice) -> Iterator[Example]:
    """The examples of a slice.

    Raises:
        InputError: the chunk's file is damaged.
    """
    for candidate in _chosen(part):
        yield make_example(candidate, part.split)


def read_slices(slices: Iterable[Slice]) -> Iterator[Example]:
    """`read_slice`, one slice after another."""
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
    """Fills the splits, attempt by attempt, from keys.

    Attributes:
        sizes: how many examples each split takes.
        leak_free: a split is chosen by the hash of the canonical form; otherwise the first with room takes all.
        attempts: what each split holds so far.
        forms: the canonical hashes of those.
    """

    def __init__(self, sizes: Mapping[Split, int], leak_free: bool) -> None:
        self.sizes = dict(sizes)
        self.leak_free = leak_free
        self.attempts: dict[Split, array[int]] = {name: array("q") for name in sizes}
        self.forms: dict[Split, list[bytes]] = {name: [] for name in sizes}
        self._texts: dict[Split, set[bytes]] = {name: set() for name in sizes}
        self._chunks = 0
        self._candidates = 0

    def add(self, chunk: ChunkKeys) -> None:
        """Takes what the next chunk's candidates have room for."""
        self._chunks += 1
        self._candidates += len(chunk.keys)
        for key in chunk.keys:
            name, text = self._split_of(key), bytes.fromhex(key.target_hash)
            if len(self.attempts[name]) < self.sizes[name] and text not in self._texts[name]:
                self._texts[name].add(text)
                self.attempts[name].append(key.attempt)
                self.forms[name].append(_form(key))

    @property
    def filled(self) -> int:
        """Examples so far, over all splits."""
        return sum(map(len, self.attempts.values()))

    def chunks_wanted(self) -> int:
        """About how many more chunks fill the splits, with a margin that makes another round unlikely."""
        found = self._candidates or EXPECTED_YIELD * ATTEMPTS_PER_CHUNK
        per_chunk = max(found / max(self._chunks, 1), 1 / MAX_ATTEMPTS_PER_EXAMPLE)
        wanted = sum(self.sizes.values())
        missing = {name: (size - len(self.attempts[name]), size / wanted) for name, size in self.sizes.items()}
        if not self.leak_free:
            missing = {"train": (wanted - self.filled, 1.0)}
        # A split gets its share of the candidates, give or take a square root.
        return math.ceil(max((count + 2 * math.sqrt(count)) / share for count, share in missing.values()) / per_chunk)

    def _split_of(self, key: Key) -> Split:
        if self.leak_free:
            return split_by_hash(key.canonical_hash, self.sizes)
        return next((name for name, size in self.sizes.items() if len(self.attempts[name]) < size), "static")


def _assign(
    settings: DataSettings, seed: int, folder: str, computer: Computer, report: ProgressCallback
) -> tuple[Assignment, list[str]]:
    assignment = Assignment(split_sizes(settings), settings.leak_free)
    wanted = sum(assignment.sizes.values())
    most = MAX_ATTEMPTS_PER_EXAMPLE * wanted
    starts = range(0, most, ATTEMPTS_PER_CHUNK)
    chunks = (range(start, start + ATTEMPTS_PER_CHUNK) for start in starts)
    task: Task[int, range] = Task(partial(sample, settings.sampling, seed), folder, load=iter)
    lost: list[str] = []
    for start, found in zip(starts, computer.compute(task, chunks, assignment.chunks_wanted), strict=False):
        assignment.add(found)
        lost += [str(start + loss.position) for loss in found.lost]
        report("derivations", assignment.filled, wanted)
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
