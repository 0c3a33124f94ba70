"""Examples from the generator, and their perturbations, one call each."""

from collections.abc import Generator
from contextlib import closing
from functools import partial
from itertools import islice
from typing import Any

from mathderive.config.schema import DataSettings, SplitSizes
from mathderive.core.errors import InputError
from mathderive.core.piped_workers import PipedWorker
from mathderive.core.workers import WorkerProcess, run_in_workers
from mathderive.records import PERTURBED_SETS, Example
from mathderive.symbolic.engine.derivation import derivation_from_json
from mathderive.symbolic.engine.evaluation_sets import STATIC, evaluation_set, known_set
from mathderive.symbolic.engine.settings import SamplingSettings
from tfds_builders.derivations.candidates import Candidate
from tfds_builders.derivations.generation import (
    MAX_ATTEMPTS_TO_SHOW,
    make_candidate,
    make_example,
    sample,
    variant_random,
)

ATTEMPTS_PER_CHUNK = 8
"""Number of attempts that a worker runs in turn; few, so that little is generated beyond what was asked for."""

_SIZES = SplitSizes(train=1, validation=1, static=1)
"""Sizes of splits, which decide nothing about a single derivation."""


def generate(n: int, seed: int = 0, *, sampling: SamplingSettings | None = None, processes: int = 1) -> list[Example]:
    """Generates examples with different targets; those of a smaller `n` are the first ones of a larger.

    Each attempt runs in a child process, within limits on CPU time and memory; one that exceeds them gives no example.

    Args:
        n: number of examples.
        seed: the seed of every random draw, between 0 and 2**32 - 1.
        sampling: the settings of the generator; the default is that of the paper.
        processes: number of processes that generate; 0 is one for each core. No influence on the examples.

    Returns:
        Examples of the set `static`. They are those of a dataset with this seed before it is divided into splits.

    Raises:
        ValueError: a number is out of its range.
        InputError: the settings hardly ever give a new example, or a child was killed from outside.
    """
    for name, value, least, end in (("n", n, 0, 2**31), ("seed", seed, 0, 2**32), ("processes", processes, 0, 1025)):
        if not least <= value < end:
            raise ValueError(f"{name}: {value}; expected {least} to {end - 1}")
    with closing(stream_examples(seed, sampling=sampling, processes=processes)) as examples:
        return list(islice(examples, n))


def stream_examples(
    seed: int, *, sampling: SamplingSettings | None = None, processes: int = 1
) -> Generator[Example, None, None]:
    """Generates the examples of `generate` one by one, without end; `close` ends its child processes."""
    seen: set[str] = set()
    settings = SamplingSettings() if sampling is None else sampling
    with closing(_attempts(settings, seed, processes)) as attempts:
        for number, candidates in attempts:
            for candidate in candidates:
                if candidate.target not in seen:
                    seen.add(candidate.target)
                    yield make_example(candidate, STATIC)
            if number > MAX_ATTEMPTS_TO_SHOW * (len(seen) + 1):
                raise InputError(
                    f"sampling: {len(seen)} examples in {number} attempts; expected settings that allow more"
                )


def _attempts(
    sampling: SamplingSettings, seed: int, processes: int
) -> Generator[tuple[int, list[Candidate]], None, None]:
    """Yields the number of each attempt with its candidates, one or none, without end."""
    settings = DataSettings(sizes=_SIZES, sampling=sampling)
    starts = (range(start, start + ATTEMPTS_PER_CHUNK) for start in range(0, 2**62, ATTEMPTS_PER_CHUNK))

    def work(worker: WorkerProcess[int, list[Candidate]], attempts: range) -> list[list[Candidate]]:
        return worker.run(attempts).results

    function = partial(sample, settings, seed)
    with closing(run_in_workers(function, work, starts, processes, make_worker=PipedWorker)) as chunks:
        for chunk, results in enumerate(chunks):
            for position, candidates in enumerate(results):
                yield chunk * ATTEMPTS_PER_CHUNK + position, candidates


def perturb(example: Example, kind: str, seed: int = 0, *, sampling: SamplingSettings | None = None) -> Example | None:
    """Makes the variant of an example that an evaluation set holds.

    Args:
        example: an example with its steps.
        kind: `vr`, `ee`, `ag` or `sr`, or the key of a registered set.
        seed: the seed of every random draw. With that of `generate`, the variant is the dataset's.
        sampling: the settings of the generator, by which `ag` draws another goal.

    Returns:
        The variant; None where the example has none of this kind.

    Raises:
        ValueError: there is no such kind, or the example's steps cannot be read.
    """
    if known_set(kind) not in PERTURBED_SETS:
        raise ValueError(f"{kind}: no perturbation; expected one of {', '.join(PERTURBED_SETS)}")
    definition = evaluation_set(kind)
    assert definition.make_variant is not None
    derivation = derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
    settings = SamplingSettings() if sampling is None else sampling
    variant = definition.make_variant(derivation, settings, variant_random(seed, example.source_id, kind))
    if variant is None:
        return None
    changes: dict[str, Any] = {"id": f"{example.source_id}-{kind}", "set": kind, "few_shot_prompt": None}
    if variant != derivation:  # a set that changes the prompt alone shares all the rest with the example
        candidate = make_candidate(0, kind, variant)
        changes |= {"target": candidate.target, "steps": candidate.steps}
    return example.model_copy(update={**changes, "prompt": definition.write_prompt(variant)})
