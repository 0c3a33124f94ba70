"""Exports a run's generated derivations for other people's tools."""

from pathlib import Path

from mathderive.core.errors import InputError
from mathderive.core.progress import progress
from mathderive.pipeline.run import Run
from mathderive.pipeline.runner import run_stages
from mathderive.pipeline.stages.data import data_stage
from mathderive.pipeline.stamps import finished_results


def export_derivations(run: Run, format_name: str, folder: Path) -> None:
    """Brings the data stage up to date, and writes its generated derivations to a new folder.

    Args:
        format_name: a key of `tfds_builders.export.formats.FORMATS`.
        folder: must be new or empty.

    Raises:
        InputError: the config generates nothing, the folder is not new, a library is missing, or as `run_stages`.
    """
    from tfds_builders.example_features import open_builder
    from tfds_builders.export.exporting import check_destination, export
    from tfds_builders.export.source import Source

    config = run.config
    if config.data is None:
        raise InputError("data: missing; export writes generated examples only")
    check_destination(folder, format_name)
    run_stages(run, "data")
    results = finished_results(run.paths, data_stage(run))
    assert results is not None
    assert results.derivations is not None
    derivations = results.derivations
    place = run.paths.dataset(derivations.path)
    info = open_builder(place).info
    source = Source(
        folder=place,
        sizes=derivations.sizes,
        content_hash=derivations.content_hash,
        seed=config.run.seed,
        settings=config.data.deciding(),
        version=str(info.version),
        citation=info.citation,
    )
    with progress("export") as on_progress:
        export(source, format_name, folder, on_progress)
