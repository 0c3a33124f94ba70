"""Training from tokenised shards, for a machine that has JAX, Flax, Optax and Orbax and nothing else of ours.

    shards/
      recipe.json             network, training, files and padded shapes
      tokenizer/              goes along into the model's folder
      train-000-00.npz ...    token ids: `source` and `target` end to end, and where each example ends in them
      validation.npz

Training goes through the files in their order, so they can lead from short examples to long ones; within a file the
order is random. Epoch, file and place within it follow from the step alone, as with every source of batches here.
"""

import hashlib
import shutil
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.core.files import read_json, replacing, write_json
from mathderive.core.progress import ProgressCallback
from mathderive.model.config import T5Config
from mathderive.model.parameters import initialise
from mathderive.training.checkpoints import check_same, read_description, write_description
from mathderive.training.input_pipeline import Batch, Batches, BatchPlan, TokenPair, collate
from mathderive.training.loop import NO_INFLUENCE, Task, TrainingResult, train
from mathderive.training.step import make_loss

FORMAT, FORMAT_VERSION = "mathderive-shards", 1
RECIPE, VALIDATION = "recipe.json", "validation.npz"

_VALIDATION_ROWS = 64


def write_shard(path: Path, examples: Sequence[TokenPair]) -> None:
    """Writes examples as one file, whole or not at all."""
    arrays = {}
    for name, texts in zip(("source", "target"), zip(*examples, strict=True), strict=True):
        arrays[name] = np.concatenate(texts).astype(np.int32)
        arrays[f"{name}_ends"] = np.cumsum([len(ids) for ids in texts])
    with replacing(path, "wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_shard(path: Path) -> list[TokenPair]:
    """The examples of one file.

    Raises:
        InputError: it is missing or damaged.
    """
    try:
        # Opened here, because NumPy leaves the file open when it is no zip.
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
    """Writes `recipe.json`, which makes the folder whole; returns a hash of all examples.

    Args:
        training: the settings of the config's section, checked.
        seed: decides initial parameters, order of examples and dropout.
        files: how many examples each holds, in the order they are read.
        shapes: (source, target) lengths that batches are padded to.
    """
    digests = {name: _digest(folder / name) for name in (*files, VALIDATION)}
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
    return hashlib.sha256("".join(digests.values()).encode()).hexdigest()


class ShardBatches:
    """A `BatchPlan` over files of examples, file after file, the same files in every epoch."""

    def __init__(
        self,
        folder: Path,
        files: Mapping[str, int],
        shapes: Sequence[tuple[int, int]],
        network: T5Config,
        batch_size: int,
        seed: int,
        first_token: Any,
    ) -> None:
        """Plans batches of `batch_size` rows; `files` and `shapes` are those of `write_recipe`."""
        self._names = list(files)
        self._ends = list(accumulate(-(-count // batch_size) for count in files.values()))
        self.steps_per_epoch = self._ends[-1]

        def open_file(number: int) -> Batches:
            examples = read_shard(folder / self._names[number])
            # Each file its own random stream, or files of one size would be shuffled alike.
            file_seed = seed + 1_000_003 * number
            return Batches(examples, network, batch_size, file_seed, shapes, first_token)

        self._open = lru_cache(maxsize=2)(open_file)

    def __getitem__(self, step: int) -> Batch:
        epoch, number = divmod(step, self.steps_per_epoch)
        file = bisect_right(self._ends, number)
        within = number - (self._ends[file - 1] if file else 0)
        batches = self._open(file)
        return batches[epoch * batches.steps_per_epoch + within]


class _Steps:
    """A `BatchIterator` without Grain."""

    def __init__(self, batches: BatchPlan, total_steps: int) -> None:
        self._batches, self._total, self._next = batches, total_steps, 0

    def __next__(self) -> Batch:
        if self._next == self._total:
            raise StopIteration
        self._next += 1
        return self._batches[self._next - 1]

    def get_state(self) -> dict[str, Any]:
        return {"next_step": self._next}

    def set_state(self, state: dict[str, Any]) -> None:
        self._next = state["next_step"]


def train_on_shards(shards: Path, folder: Path, report: ProgressCallback) -> TrainingResult:
    """Trains the recipe's model in `folder`; see `mathderive.training.loop.train`.

    Where there are no texts there is no ROUGE-2: the newest checkpoint is the one to predict with.

    Raises:
        InputError: the shards are missing or damaged, `folder` holds another run, the settings do not fit the
            devices, or the loss is no longer finite.
        Terminated: SIGTERM or SIGINT came; a checkpoint of the step it came in is written.
    """
    recipe = _read_recipe(shards)
    network = recipe["model"]
    # The settings were checked when a config was read; here are the libraries for that missing.
    training = cast(Any, SimpleNamespace(**recipe["training"]))
    devices.check_divides(training.batch_size, training.accumulate)
    batches = ShardBatches(
        shards,
        {file["name"]: file["examples"] for file in recipe["files"]},
        [(source, target) for source, target in recipe["shapes"]],
        network,
        training.batch_size,
        recipe["seed"],
        training.first_token,
    )
    run = {
        **{f"model.{key}": value for key, value in asdict(network).items()},
        **{f"training.{key}": value for key, value in recipe["training"].items() if key not in NO_INFLUENCE},
        "seed": recipe["seed"],
        "training data": [file["sha256"] for file in recipe["files"]],
        "validation data": recipe["validation"],
    }
    if (folder / "config.json").exists():
        _, _, earlier = read_description(folder)
        check_same(earlier, run, folder)
    else:
        shutil.copytree(shards / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
        write_description(folder, network, recipe["dtype"], run)
    task = Task(
        network,
        recipe["dtype"],
        recipe["remat"],
        lambda: initialise(network, recipe["seed"]),
        batches,
        _Steps,
        _make_validation(read_shard(shards / VALIDATION), network, recipe["dtype"], training.first_token),
        run,
    )
    return train(task, training, recipe["seed"], folder, report)


def _digest(path: Path) -> str:
    """SHA-256 over a shard's ids; the bytes of a zip file hold the time of day."""
    found = hashlib.sha256()
    for pair in read_shard(path):
        for ids in pair:
            found.update(len(ids).to_bytes(4, "little") + ids.astype("<i4").tobytes())
    return found.hexdigest()


def _read_recipe(folder: Path) -> dict[str, Any]:
    path = folder / RECIPE
    recipe = read_json(path, "the recipe that `mathderive shards` writes")
    if not isinstance(recipe, dict) or (recipe.get("format"), recipe.get("format_version")) != (FORMAT, FORMAT_VERSION):
        raise InputError(f"{path}: format: expected {FORMAT}, format_version {FORMAT_VERSION}")
    try:
        return {**recipe, "model": T5Config.from_json(recipe["model"])}
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: model.{error}") from None


def _make_validation(
    examples: Sequence[TokenPair], network: T5Config, dtype: str, first_token: Any
) -> Callable[[Mapping[str, Any]], dict[str, float]]:
    """The loss over the validation examples, those of like length together."""
    loss = make_loss(network, dtype)
    ordered = sorted(examples, key=lambda pair: len(pair[0]) + len(pair[1]))
    longest = (max(len(source) for source, _ in examples), max(len(target) for _, target in examples))
    device_count = devices.local_device_count()
    rows = -(-_VALIDATION_ROWS // device_count) * device_count

    def validate(params: Mapping[str, Any]) -> dict[str, float]:
        everywhere = devices.replicate(dict(params))
        losses, labels = 0.0, 0.0
        for start in range(0, len(ordered), rows):
            batch = collate(ordered[start : start + rows], network, rows, longest, first_token)
            found, counted = loss(everywhere, devices.shard_locally(batch))
            losses, labels = losses + float(np.sum(found)), labels + float(np.sum(counted))
        return {"validation_loss": losses / labels}

    return validate
