"""Generates a derivation and its variants from settings, a seed and the number of an attempt.

A candidate depends only on the seed, the attempt and the sampling settings. The hash of its canonical form decides its
split, so two derivations that are equal up to renaming never lie in different splits.
"""

import hashlib
import itertools
import random
from collections.abc import Iterator
from typing import Any

from mathderive.checker.checker import check
from mathderive.config.schema import CopyVerified, DataSettings
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
from mathderive.symbolic.engine.evaluation_sets import STATIC, evaluation_set
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.texts import prompt, target
from mathderive.symbolic.prompts import repeat_prompt
from tfds_builders.derivations.candidates import Candidate

SPLITS: tuple[Split, ...] = ("train", "validation", "static")

MAX_ATTEMPTS_TO_SHOW = 20_000
"""Maximum number of attempts for one more example of a preview; a split may be a hundredth of all derivations."""


def sample(settings: DataSettings, seed: int, attempt: int) -> list[Candidate]:
    """Runs one attempt, which gives one candidate or none."""
    derivation = sample_derivation(settings.sampling, seed, attempt)
    if derivation is None:
        return []
    return [_with_check_of_copy(make_candidate(attempt, None, derivation), settings)]


def perturb(settings: DataSettings, seed: int, static: Candidate) -> list[Candidate]:
    """Makes the variants of a static derivation, in the order of the sets; a set may have no variant of it.

    Each variant has a random stream of its own.
    """
    derivation = derivation_from_json([(step.annotation, step.srepr) for step in static.steps])
    variants = []
    for key in PERTURBED_SETS:
        definition = evaluation_set(key)
        assert definition.make_variant is not None
        variant = definition.make_variant(derivation, settings.sampling, variant_random(seed, str(static.attempt), key))
        if variant is not None:
            # A set that changes the prompt alone shares all the rest with the static example.
            candidate = static if variant == derivation else make_candidate(static.attempt, key, variant)
            changes = {"variant": key, "prompt": definition.write_prompt(variant)}
            variants.append(_with_check_of_copy(candidate.model_copy(update=changes), settings))
    return variants


def may_be_in(split: Split, is_copy_verified: bool, rule: CopyVerified) -> bool:
    """Whether a split may hold a candidate under `data.copy_verified`."""
    return not is_copy_verified or rule == "keep" or (rule == "train_only" and split in ("train", "validation"))


def make_example(candidate: Candidate, split: Split) -> Example:
    """Makes the example of a candidate in its split."""
    source = str(candidate.attempt)
    texts: dict[str, Any] = {name: getattr(candidate, name) for name in ("prompt", "target", "steps")}
    return Example(id=f"{source}-{split}", source_id=source, set=split, **texts)


def split_sizes(settings: DataSettings) -> dict[Split, int]:
    """Returns the number of examples to generate for each split."""
    return {name: getattr(settings.sizes, name) for name in SPLITS}


def split_by_hash(canonical_hash: str, sizes: dict[Split, int]) -> Split:
    """Returns the split of the derivations with this canonical form; splits get shares in proportion to their sizes."""
    position = int(canonical_hash, 16) * sum(sizes.values()) >> 256
    for name, size in sizes.items():
        if position < size:
            return name
        position -= size
    raise AssertionError("a 256-bit hash lies below 2**256")


def preview(settings: DataSettings, seed: int, split: Split) -> Iterator[Example]:
    """Yields the examples of one split, one by one without end; the first ones are those of the dataset.

    Without `settings.leak_free`, the sizes decide the splits, so all examples are yielded as they are sampled. With it,
    variants that the dataset leaves out because they occur in train or validation are yielded as well: finding them
    takes the whole dataset.

    Raises:
        InputError: the settings hardly ever give a new example.
    """
    sizes = split_sizes(settings)
    base: Split = STATIC if split in PERTURBED_SETS else split
    texts: set[str] = set()
    last = 0
    for attempt in itertools.count():
        if attempt - last > MAX_ATTEMPTS_TO_SHOW:
            raise InputError(f"data.sampling: no new example of {split} in {MAX_ATTEMPTS_TO_SHOW} attempts")
        for candidate in sample(settings, seed, attempt):
            elsewhere = settings.leak_free and split_by_hash(candidate.canonical_hash, sizes) != base
            is_left_out = not may_be_in(base, candidate.is_copy_verified, settings.copy_verified)
            if elsewhere or is_left_out or candidate.target in texts:
                continue
            texts.add(candidate.target)
            found = [candidate] if split == base else perturb(settings, seed, candidate)
            for variant in found:
                name = variant.variant or base
                if name == split and may_be_in(name, variant.is_copy_verified, settings.copy_verified):
                    last = attempt
                    yield make_example(variant, split)


def _with_check_of_copy(candidate: Candidate, settings: DataSettings) -> Candidate:
    """Records whether the prompt's own equations are a verified answer, where the settings ask."""
    if settings.copy_verified == "keep":
        return candidate
    is_verified = check(candidate.prompt, repeat_prompt(candidate.prompt)).verified
    return candidate.model_copy(update={"is_copy_verified": is_verified})


def make_candidate(attempt: int, variant: EvaluationSet | None, derivation: Derivation) -> Candidate:
    """Makes the candidate of a derivation as sampled, or of a variant."""
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


def variant_random(seed: int, source: str, key: str) -> random.Random:
    """The random stream of a set's variant of one example; the source of a generated example is its attempt."""
    return keyed_random(f"{key} {seed} {source}")
