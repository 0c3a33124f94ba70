"""From settings, a seed and an attempt's number to a derivation and its variants, and a look at them one by one.

A candidate is a function of (seed, attempt) and the sampling settings alone. The hash of its canonical form decides
its split, so two derivations that are equal up to renaming never lie in different splits.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator
from typing import Any

from mathderive.config.schema import DataSettings
from mathderive.core.errors import InputError
from mathderive.core.random_streams import keyed_random
from mathderive.records import PERTURBED_SETS, EvaluationSet, Example, Split, StepRecord
from mathderive.symbolic.engine.derivation import (
    Derivation,
    annotation_to_json,
    canonical_form,
    derivation_from_json,
    write_srepr,
)
from mathderive.symbolic.engine.perturbations import (
    alternative_goal,
    expression_exchange,
    variable_renaming,
)
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import has_intermediate, prompt, target
from tfds_builders.derivations.chunks import Candidate

SPLITS: tuple[Split, ...] = ("train", "validation", "static")

MAX_ATTEMPTS_TO_SHOW = 20_000
"""So many attempts for one more example of a split, which may be a hundredth of all, are taken for a mistake."""


def sample(sampling: SamplingSettings, seed: int, attempt: int) -> list[Candidate]:
    """What an attempt gives: one candidate, or none."""
    derivation = sample_derivation(sampling, seed, attempt)
    return [] if derivation is None else [_candidate(attempt, None, derivation)]


def perturb(sampling: SamplingSettings, seed: int, static: Candidate) -> list[Candidate]:
    """The variants of a static derivation, each from a random stream of its own; one whose rule allows none is left
    out."""
    derivation = derivation_from_json([(step.annotation, step.srepr) for step in static.steps])
    derived: dict[EvaluationSet, Derivation | None] = {
        "vr": variable_renaming(derivation, _random(seed, static.attempt, "vr")),
        "ee": expression_exchange(derivation),
        "ag": alternative_goal(derivation, sampling, _random(seed, static.attempt, "ag")),
    }
    variants = [_candidate(static.attempt, name, variant) for name, variant in derived.items() if variant is not None]
    if has_intermediate(derivation):
        question = prompt(derivation, with_intermediate=False)
        variants.append(static.model_copy(update={"variant": "sr", "prompt": question}))
    return variants


def make_example(candidate: Candidate, split: Split) -> Example:
    """The example that a candidate is in its split."""
    source = str(candidate.attempt)
    texts: dict[str, Any] = {name: getattr(candidate, name) for name in ("prompt", "target", "steps")}
    return Example(id=f"{source}-{split}", source_id=source, set=split, **texts)


def split_sizes(settings: DataSettings) -> dict[Split, int]:
    """How many examples are wanted, by split."""
    return {name: getattr(settings.sizes, name) for name in SPLITS}


def split_by_hash(canonical_hash: str, sizes: dict[Split, int]) -> Split:
    """The split of every derivation with this canonical form, in proportion to the sizes."""
    position = int(canonical_hash, 16) * sum(sizes.values()) >> 256
    for name, size in sizes.items():
        if position < size:
            return name
        position -= size
    raise AssertionError("a 256-bit hash lies below 2**256")


def preview(settings: DataSettings, seed: int, split: Split) -> Iterator[Example]:
    """The examples of one split, made one by one without end: the dataset's own, as far as its size goes.

    Without `settings.leak_free`, where the sizes decide what lies in which split, they come as they are sampled. With
    it, variants that the dataset leaves out because they occur in train or validation are shown all the same: only
    the whole dataset knows them.

    Raises:
        InputError: the settings hardly ever give a new one.
    """
    sizes = split_sizes(settings)
    base: Split = "static" if split in PERTURBED_SETS else split
    texts: set[str] = set()
    last = 0
    for attempt in itertools.count():
        if attempt - last > MAX_ATTEMPTS_TO_SHOW:
            raise InputError(f"data.sampling: no new example of {split} in {MAX_ATTEMPTS_TO_SHOW} attempts")
        for candidate in sample(settings.sampling, seed, attempt):
            elsewhere = settings.leak_free and split_by_hash(candidate.canonical_hash, sizes) != base
            if elsewhere or candidate.target in texts:
                continue
            texts.add(candidate.target)
            found = [candidate] if split == base else perturb(settings.sampling, seed, candidate)
            for variant in found:
                if (variant.variant or base) == split:
                    last = attempt
                    yield make_example(variant, split)


def _candidate(attempt: int, variant: EvaluationSet | None, derivation: Derivation) -> Candidate:
    text = target(derivation)
    steps = [
        StepRecord(annotation=annotation_to_json(step.annotation), srepr=write_srepr(step.equation))
        for step in derivation.steps
    ]
    return Candidate(
        attempt=attempt,
        variant=variant,
        canonical_hash=_sha256(canonical_form(derivation)),
        target_hash=_sha256(text),
        prompt=prompt(derivation),
        target=text,
        steps=steps,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _random(seed: int, attempt: int, purpose: str) -> random.Random:
    return keyed_random(f"{purpose} {seed} {attempt}")
