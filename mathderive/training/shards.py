"""Training on tokenised shards, on a machine that has JAX, Flax, Optax and Orbax and nothing else of this package.

    shards/
      recipe.json             network, training settings, files and padded shapes, digests of the files
    SHA256SUMS              checksums of recipe.json and of the tokenizer's files
      tokenizer/              copied into the model's folder
      train-000-00.npz ...    token ids: `source` and `target`, concatenated, and where each example ends
      validation.npz

Training reads the files in their order, so they can lead from short examples to long ones. Within a file the order is
random. Epoch, file and place in the file follow from the step alone, as for every source of batches.
"""

import hashlib
import shutil
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mathderive.config.training_options import FirstToken, TrainingOptions
from mathderive.core import devices
from mathderive.core.checksums import CHECKSUMS, verify_checksums, write_checksums
from mathderive.core.errors import InputError
from mathderive.core.files import read_json, replacing, write_json
from mathderive.core.progress import ProgressCallback
from mathderive.model.config import T5Config
from mathderive.model.parameters import initialise
from mathderive.training.description import check_same, read_description, verify_description, write_description
from mathderive.training.input_pipeline import Batch, Batches, BatchPlan, TokenPair, collate
from mathderive.training.loop import Task, TrainingResult, make_identity, train
from mathderive.training.step import make_loss, mean_loss

FORMAT, FORMAT_VERSION = "mathderive-shards", 1
RECIPE, VALIDATION = "recipe.json", "validation.npz"

_VALIDATION_ROWS = 64
"""Minimum number of rows in a validation batch."""


class Recipe(NamedTuple):
    """The content of `recipe.json`.

    Attributes:
        training: the section `training` of the config, as JSON data.
        options: the same settings as the training loop takes them.
        seed: decides initial parameters, order of examples and dropout.
        shapes: (source, target) lengths to which batches are padded.
        files: the number of examples of each file, in the order in which the files are read.
        file_digests: SHA-256 of the token ids of each file.
        validation_digest: SHA-256 of the token ids of `validation.npz`.
    """

    network: T5Config
    dtype: str
    remat: bool
    training: Mapping[str, Any]
    options: TrainingOptions
    seed: int
    shapes: list[tuple[int, int]]
    files: Mapping[str, int]
    file_digests: list[str]
    validation_digest: str


def write_shard(path: Path, examples: Sequence[TokenPair]) -> None:
    """Writes examples as one file, whole or not at all."""
    arrays = {}
    for name, texts in zip(("source", "target"), zip(*examples, strict=True), strict=True):
        arrays[name] = np.concatenate(texts).astype(np.int32)
        arrays[f"{name}_ends"] = np.cumsum([len(ids) for ids in texts])
    with replacing(path, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_shard(path: Path) -> list[TokenPair]:
    """Reads the examples of one file.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        # Opened here, because NumPy does not close a file that is no zip.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            source, target = (np.split(arrays[name], arrays[f"{name}_ends"][:-1]) for name in ("source", "target"))
            return list(zip(source, target, strict=True))
    except FileNotFoundError:
        raise InputError(f"{path}: no such shard; {RECIPE} beside it lists it") from None
    except Exception as error:  # a damaged zip fails in many ways
        raise InputError(f"{path}: no readable shard ({type(error).__name__})") from None


def write_recipe(
    folder: Path,
    network: T5Config,
    dtype: str,
    remat: bool,
    training: Mapping[str, Any],
    seed: int,
    files: Mapping[str, int],
    shapes: Sequence[tuple[int, int]],
) -> str:
    """Writes `recipe.json`, which completes the folder; the arguments are described at `Recipe`.

    Returns:
        A hash of all examples.
    """
    (folder / CHECKSUMS).unlink(missing_ok=True)  # a kill below must not leave checksums of an earlier file
    digests = {name: _digest(read_shard(folder / name)) for name in (*files, VALIDATION)}
    write_json(
        folder / RECIPE,
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model": asdict(network),
            "dtype": dtype,
            "remat": remat,
            "training": dict(training),
            "seed": seed,
            "shapes": [list(shape) for shape in shapes],
            "files": [{"name": name, "examples": count, "sha256": digests[name]} for name, count in files.items()],
            "validation": digests[VALIDATION],
        },
    )
    tokenizer = (path for path in (folder / "tokenizer").rglob("*") if path.is_file())
    write_checksums(folder, [folder / RECIPE, *tokenizer])
    return hashlib.sha256("".join(digests.values()).encode()).hexdigest()


def read_recipe(folder: Path) -> Recipe:
    """Reads what `write_recipe` wrote.

    Raises:
        InputError: `recipe.json` is missing, damaged or incomplete, or has another format.
    """
    path = folder / RECIPE
    tree = read_json(path, "the recipe that `mathderive shards` writes")
    if not isinstance(tree, dict) or (tree.get("format"), tree.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(f"{path}: format: expected {FORMAT}, format_version {FORMAT_VERSION}")
    try:
        network = T5Config.from_json(tree["model"])
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: model.{error}") from None
    try:
        options = TrainingOptions.from_json(tree["training"])
    except (KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{path}: training.{error}") from None
    try:
        return Recipe(
            network,
            tree["dtype"],
            tree["remat"],
            tree["training"],
            options,
            tree["seed"],
            [(source, target) for source, target in tree["shapes"]],
            {file["name"]: file["examples"] for file in tree["files"]},
            [file["sha256"] for file in tree["files"]],
            tree["validation"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a whole recipe ({type(error).__name__}: {error})") from None


class ShardBatches:
    """A `BatchPlan` over files of examples, which are read in the same order in every epoch."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, int],
        file_digests: Sequence[str],
        shapes: Sequence[tuple[int, int]],
        network: T5Config,
        batch_size: int,
        seed: int,
        first_token: FirstToken,
    ) -> None:
        """Plans batches of `batch_size` rows; `files`, `file_digests` and `shapes` are those of `Recipe`."""
        self._names = list(files)
        self._ends = list(accumulate(-(-count // batch_size) for count in files.values()))
        self.steps_per_epoch = self._ends[-1]

        def open_file(number: int) -> Batches:
            examples = _read_verified(folder / self._names[number], file_digests[number])
            # Each file has its own random stream. With a common one, files of equal size would be shuffled alike.
            file_seed = seed + 1_000_003 * number
            return Batches(examples, network, batch_size, file_seed, shapes, first_token)

        self._open = lru_cache(maxsize=2)(open_file)

    def __getitem__(self, step: int) -> Batch:
        epoch, number = divmod(step, self.steps_per_epoch)
        file = bisect_right(self._ends, number)
        within = number - (self._ends[file - 1] if file else 0)
        batches = self._open(file)
        return batches[epoch * batches.steps_per_epoch + within]


class _ShardIterator:
    """A `BatchIterator` that does without Grain."""

    def __init__(self, batches: BatchPlan, total_steps: int) -> None:
        self._batches, self._total, self._next = batches, total_steps, 0

    def __iter__(self) -> "_ShardIterator":
        return self

    def __next__(self) -> Batch:
        if self._next == self._total:
            raise StopIteration
        self._next += 1
        return self._batches[self._next - 1]

    def get_state(self) -> dict[str, Any]:
        return {"next_step": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        if state["next_step"] > self._total:
            raise IndexError("a position beyond the last batch")
        self._next = state["next_step"]


def train_on_shards(shards: Path, folder: Path, on_progress: ProgressCallback) -> TrainingResult:
    """Trains the recipe's model in `folder`; see `mathderive.training.loop.train`.

    Without texts there is no ROUGE-2. So the newest checkpoint is the one to predict with.

    Raises:
        InputError: the shards are missing or damaged, `folder` has another run, the settings do not fit the devices,
            or the loss is not finite.
        Terminated: SIGTERM or SIGINT came, and a checkpoint of the current step was written.
    """
    recipe = read_recipe(shards)
    network, options, seed = recipe.network, recipe.options, recipe.seed
    devices.check_divides(options.batch_size, options.accumulate)
    batches = ShardBatches(
        shards,
        recipe.files,
        recipe.file_digests,
        recipe.shapes,
        network,
        options.batch_size,
        seed,
        options.first_token,
    )
    identity = make_identity(asdict(network), recipe.training, seed, recipe.file_digests, recipe.validation_digest)
    if (folder / "config.json").exists():
        check_same(read_description(folder).identity, identity, folder)
        verify_description(folder)
    verify_checksums(shards)
    if not (folder / "config.json").exists():
        shutil.copytree(shards / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
        write_description(folder, network, recipe.dtype, identity)
    validation = _read_verified(shards / VALIDATION, recipe.validation_digest)
    task = Task(
        network,
        recipe.dtype,
        recipe.remat,
        lambda: initialise(network, seed),
        batches,
        _ShardIterator,
        _make_validation(validation, network, recipe.dtype, options.first_token),
        identity,
    )
    return train(task, options, seed, folder, on_progress)


def _read_verified(path: Path, expected: str) -> list[TokenPair]:
    """Reads the examples of a file, and compares them with the recipe's digest of the file."""
    examples = read_shard(path)
    if _digest(examples) != expected:
        raise InputError(f"{path}: damaged, or of another recipe: its digest is not the one in {RECIPE}")
    return examples


def _digest(examples: Sequence[TokenPair]) -> str:
    """SHA-256 of a shard's token ids. The bytes of the file would not do, because a zip holds the time of day."""
    digest = hashlib.sha256()
    for pair in examples:
        for ids in pair:
            digest.update(len(ids).to_bytes(4, "little") + ids.astype("<i4").tobytes())
    return digest.hexdigest()


def _make_validation(
    examples: Sequence[TokenPair], network: T5Config, dtype: str, first_token: FirstToken
) -> Callable[[Mapping[str, Any]], dict[str, float]]:
    """Computes the loss over the validation examples, in batches of similar length."""
    loss = make_loss(network, dtype)
    ordered = sorted(examples, key=lambda pair: len(pair[0]) + len(pair[1]))
    longest = (max(len(source) for source, _ in examples), max(len(target) for _, target in examples))
    rows = devices.round_up_to_devices(_VALIDATION_ROWS)

    def validate(params: Mapping[str, Any]) -> dict[str, float]:
        batches = (
            collate(ordered[start : start + rows], network, rows, longest, first_token)
            for start in range(0, len(ordered), rows)
        )
        return {"validation_loss": mean_loss(loss, devices.replicate(dict(params)), batches)}

    return validate
