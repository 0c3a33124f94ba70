"""A model folder: its files, how training goes on from it, and how it is loaded to predict.

    config.json       the shape of the network, and everything on which the training run depends
    tokenizer/
    SHA256SUMS        checksums of config.json and of the tokenizer's files
    orbax/STEP/       parameters, optimizer, data iterator, checksums, score; written by Orbax, whole or not at all
    metrics.jsonl     one object a line, written by the training loop

Every tree is saved as a flat dictionary from names to arrays, so that a checkpoint can be read without the tree.
"""

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, BestN, LatestN

from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.parameters import parameter_shapes
from mathderive.training import digests

_KEPT = 2
"""Number of newest checkpoints that are kept, so that there is another one when the newest is damaged."""


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


class _DamagedCheckpointError(InputError):
    """A checkpoint cannot be read, or differs from its checksums."""

    def __init__(self, place: epath.Path, reason: str) -> None:
        super().__init__(f"{place}: damaged ({reason})")
        self.reason = reason


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

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if self._manager is not None:
            # A second error, of the same full disk for example, must not hide the first one.
            with self._write_errors() if kind is None else suppress(Exception):
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
            InputError: this checkpoint or the one before cannot be written.
        """
        if self._manager is None:
            return
        items = ocp.args.Composite(
            params=ocp.args.StandardSave(dict(params)),
            training=ocp.args.StandardSave(dict(training)),
            data=ocp.args.JsonSave(dict(data)),
            checksums=ocp.args.JsonSave(digests.compute_checksums(params, training, data)),
        )
        # The score is written twice, so that a flipped bit in it is noticed.
        metrics = None if rouge2 is None else {"rouge2": rouge2, "rouge2_again": rouge2}
        with _quiet(), self._write_errors():
            # A damaged checkpoint of this step may be left from before the restart.
            if step in self._manager.all_steps():
                self._manager.delete(step)
            saved = self._manager.save(step, args=items, metrics=metrics, force=True)
        if not saved:
            raise InputError(f"{self._folder}: the checkpoint of step {step} could not be written")

    def wait(self) -> None:
        """Returns when every saved checkpoint is on disk.

        Raises:
            InputError: one of them cannot be written.
        """
        if self._manager is not None:
            with self._write_errors():
                self._manager.wait_until_finished()

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # each layer below Orbax has its own errors, for a full disk among others
            reason = " ".join(str(error).split())[:300]
            raise InputError(
                f"{self._folder}: a checkpoint cannot be written ({type(error).__name__}: {reason});"
                " the checkpoints before it are intact"
            ) from None

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
            except _DamagedCheckpointError as error:
                warnings.warn(f"{self._folder / str(step)}: damaged, passed over ({error.reason})", stacklevel=3)
        if steps:
            raise InputError(f"{self._folder}: none of the checkpoints {sorted(steps)} can be read")
        return None

    def copy_best_to(self, folder: Path) -> None:
        """Copies the best checkpoint, the one that `read_best` reads, to another folder.

        Raises:
            InputError: it cannot be read or written.
        """
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
        params = _read(manager, step, ["params"]).params
    if {name: array.shape for name, array in params.items()} != parameter_shapes(config):
        raise InputError(f"{orbax / str(step)}: the parameters are not those of the model in config.json")
    for name, array in params.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise InputError(f"{orbax / str(step)}: {name}: expected finite float32 numbers")
    return step, params


def _orbax_folder(folder: Path | epath.Path) -> epath.Path:
    place = epath.Path(folder) / "orbax"
    return place if _is_remote(place) else epath.Path(Path(place).absolute())


def _is_remote(folder: epath.Path) -> bool:
    return "://" in str(folder)


def _read(
    manager: ocp.CheckpointManager, step: int, wanted: Sequence[str] = ("params", "training", "data")
) -> Restored:
    """Reads the wanted parts of a checkpoint, and compares them with their checksums.

    Checkpoints of earlier versions have no checksums.

    Raises:
        InputError: it is damaged.
    """
    place = epath.Path(manager.directory) / str(step)
    kinds = {"params": ocp.args.StandardRestore, "training": ocp.args.StandardRestore, "data": ocp.args.JsonRestore}
    arguments: dict[str, Any] = {name: kinds[name]() for name in wanted}
    try:
        has_checksums = (place / "checksums").exists()
        if has_checksums:
            arguments["checksums"] = ocp.args.JsonRestore()
        items = manager.restore(step, args=ocp.args.Composite(**arguments))
        restored = Restored(step, *(dict(items[name]) if name in wanted else {} for name in kinds))
        if has_checksums:
            found = digests.compute_checksums(*restored[1:])
            digests.verify_items(items.checksums, {name: found[name] for name in wanted})
        return restored
    except Exception as error:  # each layer below Orbax has its own errors for damage
        _silence_late_reads()
        reason = str(error) if isinstance(error, InputError) else type(error).__name__
        raise _DamagedCheckpointError(place, reason) from None


@cache
def _silence_late_reads() -> None:
    """Hides the errors of reads that Orbax left behind when another one failed: they find its event loop closed."""
    show = sys.unraisablehook

    def show_others(unraisable: Any) -> None:
        if str(unraisable.exc_value) != "Event loop is closed":
            show(unraisable)

    sys.unraisablehook = show_others


def _check_regular_files(folder: Path) -> None:
    """Raises an `InputError` for a pipe or a device, which Orbax would open and wait for."""
    for path in folder.rglob("*"):
        if not path.is_dir() and not path.is_file():
            raise InputError(f"{path}: expected a regular file, as Orbax writes it")


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
            if metrics is None:
                return None
            rouge2 = float(metrics["rouge2"])
            if metrics.get("rouge2_again", rouge2) != rouge2:
                raise ValueError("the score was written twice, and the two differ")
            return {"rouge2": rouge2}
        except Exception as error:  # as in `Checkpoints.restore`
            warnings.warn(
                f"{self.directory / str(step)}: its score is damaged, passed over ({type(error).__name__})",
                stacklevel=2,
            )
            return None


def _manager(folder: Path | epath.Path, read_only: bool = False) -> ocp.CheckpointManager:
    if not _is_remote(epath.Path(folder)):
        _check_regular_files(Path(folder))
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
