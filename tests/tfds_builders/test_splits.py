"""Split assignment: properties that hold for any keys, and the effect of items that the backstop ends."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.config.schema import CopyVerified
from mathderive.core.errors import InputError
from mathderive.records import Split
from tfds_builders.derivations.chunks import Candidate, ChunkKeys, Key, LocalComputer, Task, candidates_path
from tfds_builders.derivations.generation import SPLITS
from tfds_builders.derivations.splits import ATTEMPTS_PER_CHUNK, Assignment, Generated, generate
from tfds_builders.example_features import content_hash

from .test_derivations import quiet, settings

hashes = st.integers(0, 7).map(lambda number: f"{number * 2**253 + 1:064x}")
"""A few hashes spread over the whole range, so that forms and texts recur and every split gets some."""


@st.composite
def chunks_of_keys(draw: st.DrawFn) -> list[ChunkKeys]:
    drawn = draw(st.lists(st.lists(st.tuples(hashes, hashes), max_size=6), max_size=6))
    attempts = iter(range(1000))
    return [
        ChunkKeys(
            keys=[
                Key(attempt=next(attempts), variant=None, canonical_hash=form, target_hash=text) for form, text in chunk
            ],
            lost=[],
        )
        for chunk in drawn
    ]


sizes = st.tuples(*(st.integers(1, 6) for _ in SPLITS)).map(lambda drawn: dict(zip(SPLITS, drawn, strict=True)))


@pytest.mark.parametrize(
    ("rule", "filled"),
    [("keep", ("train", "validation", "static")), ("train_only", ("train", "validation")), ("leave_out", ())],
)
def test_what_copying_solves_is_kept_out_of_splits(rule: CopyVerified, filled: tuple[Split, ...]) -> None:
    hashes = [f"{number * 2**253 + 1:064x}" for number in range(8)]
    assignment = Assignment(dict.fromkeys(SPLITS, 1), leak_free=True, copy_verified=rule)
    for is_copy_verified in (True, False):
        keys = [
            Key(
                attempt=8 * (not is_copy_verified) + number,
                variant=None,
                canonical_hash=text,
                target_hash=text,
                is_copy_verified=is_copy_verified,
            )
            for number, text in enumerate(hashes)
        ]
        assignment.add(ChunkKeys(keys=keys, lost=[]))
    assert assignment.filled == len(SPLITS)
    assert tuple(name for name in SPLITS if assignment.attempts[name][0] < 8) == filled


@given(chunks_of_keys(), sizes, st.booleans())
def test_the_lowest_attempts_fill_the_splits(chunks: list[ChunkKeys], sizes: dict[Split, int], leak_free: bool) -> None:
    assignment = Assignment(sizes, leak_free)
    for chunk in chunks:
        assignment.add(chunk)
    keys = {key.attempt: key for chunk in chunks for key in chunk.keys}
    taken = {name: list(assignment.attempts[name]) for name in SPLITS}
    assert assignment.filled == sum(map(len, taken.values()))
    everywhere = [attempt for attempts in taken.values() for attempt in attempts]
    assert len(set(everywhere)) == len(everywhere)
    for name, attempts in taken.items():
        assert attempts == sorted(attempts)
        assert len(attempts) <= sizes[name]
        texts = [keys[attempt].target_hash for attempt in attempts]
        assert len(set(texts)) == len(texts)
    if leak_free:
        forms = [{keys[attempt].canonical_hash for attempt in taken[name]} for name in SPLITS]
        assert not forms[0] & forms[1]
        assert not forms[0] & forms[2]
        assert not forms[1] & forms[2]
    else:
        assert everywhere == sorted(everywhere)
    for attempt, key in keys.items():
        if attempt in everywhere:
            continue
        # A candidate is left out only if a split has its text already or has no room.
        passed = any(keys[other].target_hash == key.target_hash and other < attempt for other in everywhere) or any(
            len(taken[name]) == sizes[name] for name in SPLITS
        )
        assert passed


@given(chunks_of_keys(), sizes, st.booleans())
def test_the_division_into_chunks_changes_nothing(
    chunks: list[ChunkKeys], sizes: dict[Split, int], leak_free: bool
) -> None:
    one, other = Assignment(sizes, leak_free), Assignment(sizes, leak_free)
    for chunk in chunks:
        one.add(chunk)
    other.add(ChunkKeys(keys=[key for chunk in chunks for key in chunk.keys], lost=[]))
    assert one.attempts == other.attempts
    assert one.forms == other.forms


def deadly(attempts: set[int], function: Callable[[Any], list[Candidate]], item: Any) -> list[Candidate]:
    if (item.attempt if isinstance(item, Candidate) else item) in attempts:
        os.kill(os.getpid(), signal.SIGABRT)
    return function(item)


@dataclass(frozen=True)
class Deadly(LocalComputer):
    """Computes chunks in workers whose process aborts at these attempts, or at the variants of these examples."""

    attempts: frozenset[int]

    def compute(self, task: Task[Any, Any], chunks: Iterable[Any], ahead: Callable[[], int]) -> Iterator[ChunkKeys]:
        function = partial(deadly, set(self.attempts), task.function)
        return super().compute(replace(task, function=function), chunks, ahead)


SMALL = settings(sizes={"train": 20, "validation": 4, "static": 6})


def generated(folder: Path, deadly: Iterable[int] = ()) -> Generated:
    return generate(SMALL, 0, str(folder), Deadly(1, frozenset(deadly)), quiet)


def sources(built: Generated, name: Split) -> list[int]:
    return [attempt for part in built.slices[name] for attempt in part.attempts]


@pytest.mark.slow
@pytest.mark.long
def test_an_item_ended_by_the_backstop_is_left_out_and_named_by_later_calls_too(tmp_path: Path) -> None:
    sound = generated(tmp_path / "sound")
    assert sound.lost == []
    victim = sources(sound, "train")[3]
    for victims in ([victim], []):  # the second call resumes what the first one left, and aborts nothing
        built = generated(tmp_path / "train", victims)
        assert built.lost == [str(victim)]
        assert victim not in sources(built, "train")
    assert set(sources(sound, "train")) - set(sources(built, "train")) == {victim}


@pytest.mark.slow
@pytest.mark.long
def test_losing_variants_does_not_lose_their_static_example(tmp_path: Path) -> None:
    sound = generated(tmp_path)
    victim = sources(sound, "static")[2]
    for path in (tmp_path / "variants").iterdir():
        path.unlink()
    built = generated(tmp_path, [victim])
    assert built.lost == [f"variants of {victim}"]
    assert sources(built, "static") == sources(sound, "static")
    for name in ("vr", "ee", "ag", "sr"):
        assert sources(built, name) == [source for source in sources(sound, name) if source != victim]


@pytest.mark.slow
@pytest.mark.long
def test_a_half_done_folder_is_finished_to_the_same_contents(tmp_path: Path) -> None:
    sound = generated(tmp_path)
    whole = content_hash(sound.examples())
    for path in sorted(tmp_path.rglob("*.keys.json"))[1:]:  # a kill can leave candidates without keys
        path.unlink()
    again = generated(tmp_path)
    assert again.slices == sound.slices
    assert content_hash(again.examples()) == whole


@pytest.mark.slow
@pytest.mark.long
def test_a_damaged_chunk_is_one_line(tmp_path: Path) -> None:
    victim = sources(generated(tmp_path), "train")[0]
    path = Path(candidates_path(f"{tmp_path}/candidates", victim // ATTEMPTS_PER_CHUNK))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if f'"attempt":{victim},' not in line), encoding="utf-8")
    with pytest.raises(InputError, match=f"attempt {victim} is missing"):
        list(generated(tmp_path).examples()["train"])
    path.write_text(lines[0][:40], encoding="utf-8")
    with pytest.raises(InputError, match=f"{path.name}:1: "):
        list(generated(tmp_path).examples()["train"])
