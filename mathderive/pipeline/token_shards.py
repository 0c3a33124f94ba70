"""Tokenised shards for `mathderive.training.shards`: derivations as token ids, most of them under other names."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from mathderive.config.schema import ModelSettings, ShardsSettings, TrainingSettings
from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.core.extensions import load_inherited_extensions
from mathderive.core.files import new_folder
from mathderive.core.orphans import end_with_parent
from mathderive.core.progress import ProgressCallback
from mathderive.model.tokenizer import Tokenizer, load_tokenizer, train_tokenizer
from mathderive.pipeline.results import ShardsResults
from mathderive.records import Example
from mathderive.symbolic.engine.derivation import derivation_from_json
from mathderive.symbolic.engine.fresh_names import with_made_up_names, with_vocabulary_names
from mathderive.symbolic.engine.texts import prompt, target
from mathderive.symbolic.prompts import Pair, split_prompt
from mathderive.training.input_pipeline import choose_shapes
from mathderive.training.shards import VALIDATION, read_shard, write_recipe, write_shard

_TOKENIZER_EXAMPLES = 5000
"""Number of derivations that the tokenizer is trained on."""

_SHAPES = 12
"""Number of shapes that batches are padded to. Each is compiled once, which a training run of hours can afford."""

_AT_ONCE = 64
"""Number of derivations that a worker process renames at a time."""


def write_shards(
    examples: Sequence[Example],
    validation: Sequence[Example],
    shards: ShardsSettings,
    model: ModelSettings,
    training: TrainingSettings,
    seed: int,
    workers: int,
    folder: Path,
    on_progress: ProgressCallback,
) -> ShardsResults:
    """Fills `folder`, and resumes what a killed call left there.

    Args:
        examples: the training split.
        validation: the validation split.
        seed: decides names and order.
        workers: number of worker processes; 0 is one per core. No influence on the contents.
        on_progress: is called with the number of finished files.

    Raises:
        InputError: the settings leave no example.
    """
    kept = [example for example in examples if _is_kept(example, shards, seed)]
    held_out = [example for example in validation if _is_kept(example, shards, seed)][: training.validation_examples]
    if not kept or not held_out:
        raise InputError("shards: no example is left; expected a larger shards.max_characters or more data")
    # Spawned, because JAX runs threads here, which a forked process would lack.
    with ProcessPoolExecutor(workers or cores(), get_context("spawn"), _begin_worker) as pool:
        tokenizer = _make_tokenizer(folder / "tokenizer", model.vocab_size, kept, seed)
        parts = list(_parts(kept, shards))
        lengths: dict[str, np.ndarray] = {}
        for done, (name, copy, part) in enumerate(parts):
            on_progress("files", done, len(parts))
            if not (folder / name).exists():
                _write_file(folder / name, part, copy, pool, tokenizer, shards, training, seed)
            lengths[name] = np.array([(len(source), len(answer)) for source, answer in read_shard(folder / name)])
        on_progress("files", len(parts), len(parts))
        _write_file(folder / VALIDATION, held_out, 0, pool, tokenizer, shards, training, seed)
    network = model.network(tokenizer.vocab_size)
    everything = np.concatenate(list(lengths.values()))
    digest = write_recipe(
        folder,
        network,
        model.dtype,
        model.remat,
        training.model_dump(mode="json"),
        seed,
        {name: len(found) for name, found in lengths.items()},
        choose_shapes(everything, _SHAPES),
    )
    return ShardsResults(examples=len(everything), tokens=int(everything.sum()), digest=digest)


def _begin_worker() -> None:
    """Prepares a worker process."""
    end_with_parent()  # a pool's workers would wait for their next item for ever
    load_inherited_extensions()


def _write_file(
    path: Path,
    examples: Sequence[Example],
    copy: int,
    pool: ProcessPoolExecutor,
    tokenizer: Tokenizer,
    shards: ShardsSettings,
    training: TrainingSettings,
    seed: int,
) -> None:
    """Writes one file: its examples, renamed for this copy, that have at most the maximum numbers of tokens."""
    texts = pool.map(partial(_texts, copy, shards, seed), examples, chunksize=_AT_ONCE)
    pairs = [(tokenizer.encode(question), tokenizer.encode(answer)) for question, answer in texts]
    fitting = [
        (np.array(source), np.array(answer))
        for source, answer in pairs
        if len(source) <= training.max_source_length and len(answer) <= training.max_target_length
    ]
    if not fitting:
        raise InputError(f"{path}: no example of at most training.max_source_length and max_target_length")
    write_shard(path, fitting)


def _is_kept(example: Example, shards: ShardsSettings, seed: int) -> bool:
    if len(example.target) > shards.max_characters:
        return False
    with_clause = len(split_prompt(example.prompt).derive) > 0
    return with_clause or _random(seed, "kept", example).random() < shards.without_clause


def _parts(kept: Sequence[Example], shards: ShardsSettings) -> Iterator[tuple[str, int, Sequence[Example]]]:
    """Yields each file's name, copy number and examples; the first copy goes from short to long examples."""
    by_length = sorted(kept, key=lambda example: len(example.target))
    for copy in range(shards.copies):
        examples = kept if copy else by_length
        for number, start in enumerate(range(0, len(examples), shards.examples_per_file)):
            yield f"train-{copy:03d}-{number:03d}.npz", copy, examples[start : start + shards.examples_per_file]


def _texts(copy: int, shards: ShardsSettings, seed: int, example: Example) -> Pair:
    """Prompt and target of one copy of an example."""
    rng, names = _random(seed, f"copy {copy}", example), shards.names
    (kind,) = rng.choices(("own", "vocabulary", "made up"), weights=(names.own, names.vocabulary, names.made_up))
    if kind == "own":
        return example.prompt, example.target
    derivation = derivation_from_json([(step.annotation, step.srepr) for step in example.steps])
    renamed = (with_vocabulary_names if kind == "vocabulary" else with_made_up_names)(derivation, rng)
    return prompt(renamed), target(renamed)


def _make_tokenizer(folder: Path, vocab_size: int, kept: Sequence[Example], seed: int) -> Tokenizer:
    """Trains the tokenizer on derivations under their own names, so that made-up names do not become pieces."""
    if folder.is_dir():
        return load_tokenizer(folder)
    some = random.Random(f"{seed} tokenizer").sample(kept, min(len(kept), _TOKENIZER_EXAMPLES))
    with new_folder(folder) as place:
        return train_tokenizer(
            (text for example in some for text in (example.prompt, example.target)), place, vocab_size
        )


def _random(seed: int, purpose: str, example: Example) -> random.Random:
    return random.Random(f"{seed} {purpose} {example.source_id}")
