"""From settings and a seed to the examples of every split.

A candidate is a function of (seed, attempt) and the sampling settings alone; its split follows from the hash of its
canonical form, so two derivations that are equal up to renaming never lie in different splits. The lowest attempts
fill the splits.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mathderive.config import DataSettings
from mathderive.errors import InputError
from mathderive.progress import Report
from mathderive.prompts import has_intermediate, prompt, target
from mathderive.records import PERTURBED_SETS, EvaluationSet, Example, Record, Split, StepRecord
from mathderive.symbolic.derivation import (
    Derivation,
    annotation_to_json,
    canonical_form,
    derivation_from_json,
    write_srepr,
)
from mathderive.symbolic.perturbations import (
    alternative_goal,
    expression_exchange,
    variable_renaming,
)
from mathderive.symbolic.sampling import sample_derivation
from mathderive.symbolic.settings import SamplingSettings
from tfds_builders.derivations.workers import compute_chunks

SPLITS: tuple[Split, ...] = ("train", "validation", "static")

ATTEMPTS_PER_CHUNK = 64
"""A worker's unit of work: some seconds, which is what a kill can cost."""

STATIC_PER_CHUNK = 32

MAX_ATTEMPTS_PER_EXAMPLE = 200
"""Settings that yield less than one new derivation in so many attempts are taken for a mistake."""

MAX_ATTEMPTS_TO_SHOW = 20_000
"""So many attempts for one more example of a split, which may be a hundredth of all, are taken for a mistake too."""


class Candidate(Record):
    """An attempt that gave a derivation. `canonical_hash` is the SHA-256 of its canonical form."""

    attempt: int
    canonical_hash: str
    prompt: str
    target: str
    steps: list[StepRecord]


def generate_examples(settings: DataSettings, seed: int, folder: Path, report: Report) -> dict[Split, list[Example]]:
    """Generates every split: train, validation, static, and static's variants vr, ee, ag and sr.

    Args:
        settings: sizes, sampling, workers.
        seed: of the run.
        folder: keeps finished chunks, for a later call with the same settings and seed to go on from.
        report: is told of the progress.

    Returns:
        Examples by split, by rising attempt. A variant is missing where its rule allows none.

    Raises:
        InputError: the settings hardly ever give a new derivation.
    """
    splits = _fill_splits(settings, seed, folder / "candidates", report)
    variants = _variants_of(splits["static"], settings, seed, folder / "variants", report)
    for name in PERTURBED_SETS:
        splits[name] = [variant for variant in variants if variant.set == name]
    return splits


def preview(settings: DataSettings, seed: int, split: Split) -> Iterator[Example]:
    """The examples of one split, made one by one without end: the dataset's own, as far as its size goes.

    Without `settings.leak_free`, where the sizes decide what lies in which split, they come as they are sampled.

    Raises:
        InputError: the settings hardly ever give a new one.
    """
    sizes = _sizes(settings)
    base: Split = "static" if split in PERTURBED_SETS else split
    texts: set[str] = set()
    last = 0
    for attempt in itertools.count():
        if attempt - last > MAX_ATTEMPTS_TO_SHOW:
            raise InputError(f"data.sampling: no new example of {split} in {MAX_ATTEMPTS_TO_SHOW} attempts")
        for candidate in _candidates(settings.sampling, seed, range(attempt, attempt + 1)):
            elsewhere = settings.leak_free and _split_of(candidate, sizes, {}, leak_free=True) != base
            if elsewhere or candidate.target in texts:
                continue
            texts.add(candidate.target)
            example = _example(candidate, base)
            found = [example] if split == base else _variants(settings.sampling, seed, [example])
            for variant in found:
                if variant.set == split:
                    last = attempt
                    yield variant


def _sizes(settings: DataSettings) -> dict[Split, int]:
    return {name: getattr(settings.sizes, name) for name in SPLITS}


def _fill_splits(settings: DataSettings, seed: int, folder: Path, report: Report) -> dict[Split, list[Example]]:
    sizes = _sizes(settings)
    wanted = sum(sizes.values())
    splits: dict[Split, list[Example]] = {name: [] for name in SPLITS}
    texts: dict[Split, set[str]] = {name: set() for name in SPLITS}
    chunks = (
        range(start, start + ATTEMPTS_PER_CHUNK)
        for start in range(0, MAX_ATTEMPTS_PER_EXAMPLE * wanted, ATTEMPTS_PER_CHUNK)
    )
    compute = partial(_candidates, settings.sampling, seed)
    for candidates in compute_chunks(compute, chunks, Candidate, folder, settings.workers):
        for candidate in candidates:
            name = _split_of(candidate, sizes, splits, settings.leak_free)
            if len(splits[name]) < sizes[name] and candidate.target not in texts[name]:
                texts[name].add(candidate.target)
                splits[name].append(_example(candidate, name))
        done = sum(map(len, splits.values()))
        report("derivations", done, wanted)
        if done == wanted:
            return splits
    raise InputError(
        f"data.sampling: {done} new derivations in {MAX_ATTEMPTS_PER_EXAMPLE * wanted} attempts, {wanted} wanted; "
        "expected settings that allow more, or smaller data.sizes"
    )


def _split_of(
    candidate: Candidate, sizes: dict[Split, int], splits: dict[Split, list[Example]], leak_free: bool
) -> Split:
    """By the hash of the canonical form, in proportion to the sizes; or plainly the first split with room."""
    if not leak_free:
        return next((name for name in sizes if len(splits[name]) < sizes[name]), "static")
    position = int(candidate.canonical_hash, 16) * sum(sizes.values()) >> 256
    for name, size in sizes.items():
        if position < size:
            return name
        position -= size
    raise AssertionError("a 256-bit hash lies below 2**256")


def _candidates(sampling: SamplingSettings, seed: int, attempts: range) -> list[Candidate]:
    candidates: list[Candidate] = []
    for attempt in attempts:
        derivation = sample_derivation(sampling, seed, attempt)
        if derivation is not None:
            canonical_hash = hashlib.sha256(canonical_form(derivation).encode()).hexdigest()
            candidates.append(Candidate(attempt=attempt, canonical_hash=canonical_hash, **_texts(derivation)))
    return candidates


def _texts(derivation: Derivation) -> dict[str, Any]:
    """What an example says of a derivation, in its record's fields."""
    steps = [
        StepRecord(annotation=annotation_to_json(step.annotation), srepr=write_srepr(step.equation))
        for step in derivation.steps
    ]
    return {"prompt": prompt(derivation), "target": target(derivation), "steps": steps}


def _example(candidate: Candidate, split: Split) -> Example:
    source = str(candidate.attempt)
    texts = candidate.model_dump(include={"prompt", "target"})
    return Example(id=f"{source}-{split}", source_id=source, set=split, steps=candidate.steps, **texts)


def _variants_of(
    static: list[Example], settings: DataSettings, seed: int, folder: Path, report: Report
) -> list[Example]:
    chunks = [static[start : start + STATIC_PER_CHUNK] for start in range(0, len(static), STATIC_PER_CHUNK)]
    compute = partial(_variants, settings.sampling, seed)
    variants: list[Example] = []
    for done, records in enumerate(compute_chunks(compute, chunks, Example, folder, settings.workers), start=1):
        variants += records
        report("variants of static", sum(map(len, chunks[:done])), len(static))
    return variants


def _variants(sampling: SamplingSettings, seed: int, static: Sequence[Example]) -> list[Example]:
    """The variants of some static examples; each draws from a random stream of its own."""
    variants = []
    for example in static:
        derivation = derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
        derived: dict[EvaluationSet, Derivation | None] = {
            "vr": variable_renaming(derivation, _random(seed, example, "vr")),
            "ee": expression_exchange(derivation),
            "ag": alternative_goal(derivation, sampling, _random(seed, example, "ag")),
        }
        texts = {name: _texts(variant) for name, variant in derived.items() if variant is not None}
        if has_intermediate(derivation):
            texts["sr"] = {**_texts(derivation), "prompt": prompt(derivation, with_intermediate=False)}
        variants += [
            Example(id=f"{example.source_id}-{name}", source_id=example.source_id, set=name, **fields)
            for name, fields in texts.items()
        ]
    return variants


def _random(seed: int, example: Example, purpose: str) -> random.Random:
    return random.Random(hashlib.sha256(f"{purpose} {seed} {example.source_id}".encode()).digest())
