"""Builds the datasets in a run folder and says what they are."""

import contextlib
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from mathderive.config import DataSettings, RunSettings
from mathderive.errors import InputError
from mathderive.progress import Report
from mathderive.records import EVALUATION_SETS
from tfds_builders.derivations import derivations_dataset_builder as derivations
from tfds_builders.derivations.generation import SPLITS
from tfds_builders.example_features import content_hash, read_examples
from tfds_builders.released import released_dataset_builder as released


def build_derivations(settings: DataSettings, run: RunSettings, folder: Path, report: Report) -> dict[str, Any]:
    """Generates the derivations of a config below `folder/data`, going on from what a killed call left.

    Returns:
        The dataset's `path` below `folder`, its `content_hash`, and the `sizes` of its splits.

    Raises:
        InputError: the settings give too few derivations, or what was read back is not what was written.
    """
    work = folder / "data" / "work"
    config = derivations.DerivationsConfig(
        name=run.name or "default", settings=settings, seed=run.seed, work=work, report=report
    )
    builder = derivations.Builder(config=config, data_dir=str(folder / "data"), file_format="array_record")
    dataset = _prepare(builder, folder, (*SPLITS, *EVALUATION_SETS[1:]))
    shutil.rmtree(work, ignore_errors=True)
    return dataset


def build_released(files: Sequence[Path] | None, folder: Path) -> dict[str, Any]:
    """Turns result files, or the downloaded ones, into the released dataset below `folder/data`.

    Returns:
        As `build_derivations`, and the `models` with recorded outputs and the outputs' hash.
    """
    config = released.DOWNLOADED if files is None else released.ReleasedConfig(name="local", files=tuple(files))
    builder = released.Builder(config=config, data_dir=str(folder / "data"), file_format="array_record")
    return _prepare(builder, folder, EVALUATION_SETS)


def _prepare(builder: tfds.core.DatasetBuilder, folder: Path, splits: Sequence[str]) -> dict[str, Any]:
    for leftover in Path(builder.data_dir).parent.glob("incomplete.*"):  # of a killed call
        shutil.rmtree(leftover)
    tfds.disable_progress_bar()
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints what the stage says itself
        builder.download_and_prepare()
    path = Path(builder.data_dir)
    examples = {split: read_examples(path, split) for split in splits}
    metadata = dict(builder.info.metadata)
    if content_hash(examples) != metadata["content_hash"]:
        raise InputError(f"{path}: what was read back is not what was written; expected a sound disk")
    sizes = {split: len(examples[split]) for split in splits}
    return {"path": str(path.relative_to(folder)), "sizes": sizes, **metadata}
