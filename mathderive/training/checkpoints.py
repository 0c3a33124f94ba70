"""A model folder: its files, how training goes on from it, and how it is loaded to predict.

    config.json       the shape of the network, and everything on which the training run depends
    tokenizer/
    orbax/STEP/       parameters, optimizer, data iterator, metrics; written by Orbax, whole or not at all
    metrics.jsonl     one object a line, written by the training loop

Every tree is saved as a flat dictionary from names to arrays, so that a checkpoint can be read without the tree.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.core.files import read_json, write_json
from mathderive.model.config import T5Config
from mathderive.model.parameters import parameter_shapes

FORMAT, FORMAT_VERSION = "mathderive-t5", 1

_KEPT = 2
"""Number of newest checkpoints that are kept, so that there is another one when the newest is damaged."""


class Description(NamedTuple):
    """The content of `config.json`.

    Attributes:
        dtype: the type of matrix products.
        identity: everything that decides the result of the training, compared when training goes on.
    """

    config: T5Config
    dtype: str
    identity: dict[str, Any]


class Restored(NamedTuple):
    """A checkpoint.

    Attributes:
        params: the parameters by name.
        training: the other arrays of the training state by name.
        data: the state of the data iterator.
    """

    step: int
    params: dict[str, np.ndarray]
    training: dict[str, np.ndarray]
    data: dict[str, Any]


def write_description(folder: Path, config: T5Config, dtype: str, identity: Mapping[str, Any]) -> None:
    """Writes `config.json`; the arguments are described at `Description`."""
    write_json(
        folder / "config.json",
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model": asdict(config),
            "dtype": dtype,
            "run": dict(identity),
        },
    )


def read_description(folder: Path) -> Description:
    """Reads what `write_description` wrote.

    Raises:
        InputError: the file is missing or damaged, or it does not describe one of our models.
    """
    path = folder / "config.json"
    tree = read_json(path, "the description of one of our models")
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise InputError(f"{path}: format: expected {FORMAT}; this is no folder of one of our models")
    if tree.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{path}: format_version: expected {FORMAT_VERSION}, found {tree.get('format_version')!r}")
    if tree.get("dtype") not in ("float32", "bfloat16") or not isinstance(tree.get("run"), dict):
        raise InputError(f"{path}: dtype and run: expected what training wrote there")
    try:
        return Description(T5Config.from_json(tree.get("model")), tree["dtype"], tree["run"])
    except ValueError as error:
        raise InputError(f"{path}: model.{error}") from None


def check_same(earlier: Mapping[str, Any], now: Mapping[str, Any], folder: Path) -> None:
    """Raises an `InputError` if the identity of a folder's run differs from that of the run to go on with."""
    for key in sorted({*earlier, *now}):
        if earlier.get(key) != now.get(key):
            raise InputError(
                f"{folder}: trained with {key} = {earlier.get(key)!r}, now {now.get(key)!r};"
                " remove the folder or choose another model.name to train again from the start"
            )


def is_model_folder(folder: Path) -> bool:
    """Whether the folder is one of our model folders, whole or not, and no Hugging Face folder."""
    if (folder / "orbax").is_dir():
        return True
    path = folder / "config.json"
    tree = read_json(path, "the description of a model") if path.is_file() else None
    return isinstance(tree, dict) and tree.get("format") == FORMAT


def flatten(tree: Any) -> dict[str, np.ndarray]:
    """The arrays of a tree by their paths."""
    return {_path(path): np.asarray(array) for path, array in jax.tree_util.tree_leaves_with_path(tree)}


def unflatten(arrays: Mapping[str, np.ndarray], like: Any, place: str) -> Any:
    """The inverse of `flatten`.

    Args:
        like: a tree of the same structure and shapes.
        place: where the arrays come from, for error messages.

    Raises:
        InputError: an array is missing or has another shape or type.
    """

    def pick(path: Any, array: Any) -> np.ndarray:
        name = _path(path)
        stored = arrays.get(name)
        if stored is None or stored.shape != array.shape or stored.dtype != array.dtype:
            raise InputError(f"{place}: {name} is missing or of another shape")
        return stored

    return jax.tree_util.tree_map_with_path(pick, like)


class Checkpoints:
    """The checkpoints of one model folder; a context manager that ends when all of them are written.

    If there are several processes, process 0 writes and reads; the others only take part in `restore`.
    """

    def __init__(self, folder: Path | epath.Path) -> None:
        """Opens the folder's checkpoints; the folder may be in an object store.

        Raises:
            InputError: the object store cannot be used.
        """
        self._folder = _orbax_folder(folder)
        self._manager = None
        if devices.process_index() == 0:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._manager = _manager(self._folder)
            except Exception as error:  # each object store has a library with its own errors
                if not _is_remote(self._folder):
                    raise
                raise InputError(f"{self._folder}: cannot be used ({type(error).__name__}: {error})") from None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._manager is not None:
            self._manager.close()

    def save(
        self,
        step: int,
        params: Mapping[str, np.ndarray],
        training: Mapping[str, np.ndarray],
        data: Mapping[str, Any],
        rouge2: float | None,
    ) -> None:
        """Writes a checkpoint in the background; the one with the highest `rouge2` is kept beside the newest ones.

        Raises:
            InputError: Orbax refuses to write it.
        """
        if self._manager is None:
            return
        # A damaged checkpoint of this step may be left from before the restart.
        if step in self._manager.all_steps():
            self._manager.delete(step)
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(dict(params)),
            training=ocp.args.StandardSave(dict(training)),
            data=ocp.args.JsonSave(dict(data)),
        )
        metrics = None if rouge2 is None else {"rouge2": rouge2}
        with _quiet():
            saved = self._manager.save(step, args=items, metrics=metrics, force=True)
        if not saved:
            raise InputError(f"{self._folder}: the checkpoint of step {step} could not be written")

    def wait(self) -> None:
        """Returns when every saved checkpoint is on disk."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def restore(self) -> Restored | None:
        """The newest checkpoint that can be read; a damaged one is passed over with a warning.

        Returns:
            The same checkpoint in every process; None if there is none yet.

        Raises:
            InputError: there are checkpoints, and none can be read.
        """
        newest = None if self._manager is None else self._newest(self._manager)
        head = devices.share(newest and {"step": newest.step, "data": newest.data})
        if head is None:
            return None
        params, training = (devices.share_arrays(arrays) for arrays in (newest[1:3] if newest else ({}, {})))
        return Restored(head["step"], dict(params), dict(training), head["data"])

    def _newest(self, manager: ocp.CheckpointManager) -> Restored | None:
        steps = sorted(manager.all_steps(), reverse=True)
        for step in steps:
            try:
                return _read(manager, step)
            except Exception as error:  # each layer below Orbax has its own errors for damage
                warnings.warn(
                    f"{self._folder / str(step)}: damaged, passed over ({type(error).__name__})", stacklevel=3
                )
        if steps:
            raise InputError(f"{self._folder}: none of the checkpoints {sorted(steps)} can be read")
        return None

    def copy_best_to(self, folder: Path) -> None:
        """Copies the best checkpoint, the one that `read_best` reads, to another folder."""
        if self._manager is None:
            return
        self.wait()
        best = _read(self._manager, _best_step(self._manager))
        metrics = self._manager.metrics(best.step)
        with Checkpoints(folder) as copies:
            copies.save(best.step, best.params, best.training, best.data, metrics and metrics["rouge2"])


def read_best(folder: Path, config: T5Config) -> tuple[int, dict[str, np.ndarray]]:
    """Reads a model folder's best checkpoint by validation ROUGE-2, or the newest one if none was scored.

    Args:
        config: the shape in the folder's `config.json`; the parameters must have it.

    Returns:
        The step and the parameters.

    Raises:
        InputError: there is no checkpoint, or it cannot be read or has another shape.
    """
    orbax = (folder / "orbax").absolute()
    if not orbax.is_dir():
        raise InputError(f"{orbax}: no such folder; the model was never trained to its first checkpoint")
    with _manager(orbax, read_only=True) as manager:
        step = _best_step(manager)
        try:
            items = manager.restore(step, args=ocp.args.Composite(params=ocp.args.StandardRestore()))
            params = dict(items.params)
        except Exception as error:  # as in `Checkpoints.restore`
            raise InputError(f"{orbax / str(step)}: damaged ({type(error).__name__})") from None
    if {name: array.shape for name, array in params.items()} != parameter_shapes(config):
        raise InputError(f"{orbax / str(step)}: the parameters are not those of the model in config.json")
    return step, params


def _orbax_folder(folder: Path | epath.Path) -> epath.Path:
    place = epath.Path(folder) / "orbax"
    return place if _is_remote(place) else epath.Path(Path(place).absolute())


def _is_remote(folder: epath.Path) -> bool:
    return "://" in str(folder)


def _read(manager: ocp.CheckpointManager, step: int) -> Restored:
    items = manager.restore(
        step,
        args=ocp.args.Composite(
            params=ocp.args.StandardRestore(),
            training=ocp.args.StandardRestore(),
            data=ocp.args.JsonRestore(),
        ),
    )
    return Restored(step, dict(items.params), dict(items.training), dict(items.data))


def digest(params: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes and values of the parameters; it does not depend on the files they are stored in."""
    sha256 = hashlib.sha256()
    for name in sorted(params):
        sha256.update(f"{name} {params[name].shape} ".encode() + np.ascontiguousarray(params[name]).tobytes())
    return sha256.hexdigest()


def read_metrics(path: Path | epath.Path, last_step: int) -> list[dict[str, Any]]:
    """Reads the rows of `metrics.jsonl` up to `last_step`; training logs later rows again."""
    rows = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                break  # the process was killed while it wrote this line
            if row["step"] <= last_step:
                rows.append(row)
    return rows


def _best_step(manager: ocp.CheckpointManager) -> int:
    step = manager.best_step()
    if step is None:
        step = max(manager.all_steps(), default=None)
    if step is None:
        raise InputError(f"{manager.directory}: no whole checkpoint here")
    return step


class _Manager(ocp.CheckpointManager):
    """Orbax reads the scores of all steps when it opens a folder. Here a damaged score counts as missing."""

    def metrics(self, step: int) -> dict[str, float] | None:
        try:
            metrics = super().metrics(step)
            return None if metrics is None else {"rouge2": float(metrics["rouge2"])}
        except Exception as error:  # as in `Checkpoints.restore`
            warnings.warn(
                f"{self.directory / str(step)}: its score is damaged, passed over ({type(error).__name__})",
                stacklevel=2,
            )
            return None


def _manager(folder: Path | epath.Path, read_only: bool = False) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        best_fn=lambda metrics: metrics["rouge2"],
        preservation_policy=AnyPreservationPolicy(
            [
                LatestN(_KEPT),
                BestN(
                    get_metric_fn=lambda metrics: metrics["rouge2"],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        ),
        create=False,
        # Process 0 reads and writes alone. Without this, it would wait for the processes that train with it.
        multiprocessing_options=ocp.options.MultiprocessingOptions(primary_host=0, active_processes={0}),
        cleanup_tmp_directories=not read_only,
        read_only=read_only,
        enable_async_checkpointing=not read_only,
    )
    with _quiet():
        return _Manager(folder, options=options)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides warnings of Orbax about normal cases: a step without a score, a folder that is only read."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _path(path: Any) -> str:
    # The separator is a dot, because Orbax would make a folder for a name with a slash.
    return ".".join(str(getattr(part, "key", getattr(part, "name", getattr(part, "idx", part)))) for part in path)
