"""Builds the datasets of a run folder and describes them."""

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from etils import epath

from mathderive.config.command_line import BeamSettings
from mathderive.config.schema import DataSettings, RunSettings
from mathderive.core.checksums import CHECKSUMS, write_checksums
from mathderive.core.environment import versions
from mathderive.core.errors import InputError
from mathderive.core.extensions import extension_digests
from mathderive.core.progress import ProgressCallback, say
from mathderive.records import PERTURBED_SETS
from tfds_builders.derivations import derivations_dataset_builder as derivations
from tfds_builders.derivations.chunks import LocalComputer
from tfds_builders.derivations.generation import SPLITS
from tfds_builders.example_features import content_hash, data_source, iterate_examples
from tfds_builders.physics import physics_dataset_builder as physics
from tfds_builders.released import released_dataset_builder as released
from tfds_builders.released.result_files import RELEASED_SETS


def build_derivations(
    settings: DataSettings,
    run: RunSettings,
    folder: Path,
    on_progress: ProgressCallback,
    beam: BeamSettings | None = None,
) -> dict[str, Any]:
    """Generates the derivations of a config below `folder/data`, and resumes what a killed call left there.

    Args:
        settings: sizes, sampling, workers.
        run: name and seed.
        folder: the run folder.
        on_progress: is called with the number of finished derivations.
        beam: settings of Apache Beam, which then generates instead of worker processes on this machine.

    Returns:
        The dataset's `path` below `folder`, the `sizes` of its splits, and its metadata: `content_hash`,
        `overlap_with_train` by split, and the attempts that the backstop `lost`.

    Raises:
        InputError: the settings give too few derivations, the dataset reads back differently from what was written,
            or Beam is not installed or refuses its options.
    """
    place = epath.Path(folder.resolve() / "data")
    route: dict[str, Any] = {"computer": LocalComputer(settings.workers)}
    download_config = None
    if beam is not None:
        pipeline = _beam_pipeline()
        route = {"computer": pipeline.BeamComputer(beam.options), "read": pipeline.examples_transform}
        download_config = tfds.download.DownloadConfig(beam_options=pipeline.pipeline_options(beam.options))
        if beam.folder is not None:
            # This folder has no manifest, unlike a run folder, so its name keeps other settings' work apart.
            place = epath.Path(beam.folder) / f"{run.name or 'default'}-{_fingerprint(settings, run)}"
    work = place / "work"
    config = derivations.DerivationsConfig(
        name=run.name or "default", settings=settings, seed=run.seed, work=str(work), on_progress=on_progress, **route
    )
    builder = derivations.Builder(config=config, data_dir=str(place))
    dataset = _prepare(builder, folder, (*SPLITS, *PERTURBED_SETS), download_config)
    if work.exists():
        work.rmtree()
    return dataset


def build_released(files: Sequence[Path] | None, folder: Path, downloads: Path) -> dict[str, Any]:
    """Converts result files into the released dataset below `folder/data`.

    Args:
        files: the result files; None downloads them.
        folder: the run folder.
        downloads: the folder that keeps downloaded files.

    Returns:
        As `build_derivations`, with the `models` that have recorded outputs and the hash of the outputs.
    """
    config = released.DOWNLOADED if files is None else released.ReleasedConfig(name="local", files=tuple(files))
    builder = released.Builder(config=config, data_dir=str(folder / "data"))
    return _prepare(builder, folder, RELEASED_SETS, downloads=downloads)


def build_physics(file: Path | None, folder: Path, downloads: Path) -> dict[str, Any]:
    """Converts a file of derivations that people wrote into the physics dataset below `folder/data`.

    Args:
        file: the file; None downloads it.
        folder: the run folder.
        downloads: the folder that keeps downloaded files.

    Returns:
        As `build_derivations`, with the hash of the derivations' names and fields.
    """
    config = physics.DOWNLOADED if file is None else physics.PhysicsConfig(name="local", file=file)
    builder = physics.Builder(config=config, data_dir=str(folder / "data"))
    return _prepare(builder, folder, ["static"], downloads=downloads)


def _prepare(
    builder: tfds.core.DatasetBuilder,
    folder: Path,
    splits: Sequence[str],
    download_config: tfds.download.DownloadConfig | None = None,
    downloads: Path | None = None,
) -> dict[str, Any]:
    for leftover in epath.Path(builder.data_dir).parent.glob("incomplete.*"):  # left by a killed call
        leftover.rmtree()
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints what the stage prints as well
            builder.download_and_prepare(download_dir=downloads, download_config=download_config)
    except ImportError as error:
        if "tensorflow" not in str(error):
            raise
        raise InputError(
            "data.sizes: TFDS writes at most 1 GB of a split on its own; the same command with --beam resumes from here"
        ) from None
    path = _in_run_folder(epath.Path(builder.data_dir), builder, folder)
    metadata = dict(builder.info.metadata)
    (path / CHECKSUMS).unlink(missing_ok=True)  # the content hash decides here
    if content_hash({split: iterate_examples(path, split) for split in splits}) != metadata["content_hash"]:
        raise InputError(f"{path}: the dataset reads back differently from what was written; expected a working disk")
    write_checksums(path, (file for file in path.iterdir() if file.name != CHECKSUMS))
    sizes = {split: len(data_source(path, split)) for split in splits}
    return {"path": str(path.relative_to(folder)), "sizes": sizes, **metadata}


def _in_run_folder(written: epath.Path, builder: tfds.core.DatasetBuilder, folder: Path) -> Path:
    """Returns the dataset's folder below the run folder, after copying it there if it was written elsewhere."""
    path = folder / "data" / builder.info.full_name
    if written != epath.Path(path.resolve()) and not path.exists():
        say(f"data: copying {written} to {path}")
        incomplete = path.with_name(f"incomplete.{path.name}")
        shutil.rmtree(incomplete, ignore_errors=True)
        incomplete.mkdir(parents=True)
        for file in written.iterdir():
            file.copy(incomplete / file.name)
        incomplete.rename(path)
    return path


def _fingerprint(settings: DataSettings, run: RunSettings) -> str:
    """Eight characters of a hash over everything that decides the contents."""
    decisive = [
        json.dumps(settings.deciding()),
        str(run.seed),
        str(derivations.Builder.VERSION),
        str(versions(["sympy"])),
        *(f"{name} {digest}" for name, digest in extension_digests().items()),
    ]
    return hashlib.sha256("\n".join(decisive).encode()).hexdigest()[:8]


def check_beam(beam: BeamSettings) -> None:
    """Raises early the errors that `build_derivations` would raise about Beam.

    Raises:
        InputError: Beam is not installed or refuses its options, or its workers cannot load the config's extensions.
    """
    options = _beam_pipeline().pipeline_options(beam.options)
    if extension_digests() and not _beam_pipeline().runs_on_this_machine(options):
        raise InputError(
            f"--beam-options: only DirectRunner can load extensions ({', '.join(extension_digests())}), because the "
            "workers of other runners do not have the files; expected --runner=DirectRunner or a config without them"
        )


def _beam_pipeline() -> Any:
    try:
        from tfds_builders.derivations import beam_pipeline
    except ImportError as error:
        raise InputError(
            f"--beam: Apache Beam is not installed ({error}); expected `pip install --require-hashes -r "
            "requirements/beam.txt`, which ./run.sh does"
        ) from None
    return beam_pipeline
