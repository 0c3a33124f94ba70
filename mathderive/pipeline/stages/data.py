"""The data stage: the generated derivations and, where they are evaluated, the released examples or physics."""

from pathlib import Path

from mathderive.checker import LIBRARIES as CHECKER_LIBRARIES
from mathderive.config.schema import Config
from mathderive.core.environment import versions
from mathderive.core.errors import InputError
from mathderive.core.files import sha256
from mathderive.core.progress import progress, say
from mathderive.pipeline.results import DataResults, DerivationsResults
from mathderive.pipeline.run import Run, make_stamp
from mathderive.pipeline.stamps import Stage, finished_results, run_stage


def check_data(run: Run) -> list[str]:
    """Checks what the data stage is given, before anything is written.

    Files that must be downloaded are downloaded here.

    Returns:
        The models whose outputs the result files hold; none without result files.

    Raises:
        InputError: a file is missing or malformed, the download fails, Apache Beam is missing or refuses its
            options, or the stage is done and its examples are not the expected ones.
    """
    if run.beam:
        from tfds_builders.building import check_beam

        check_beam(run.beam)
    done = finished_results(run.paths, data_stage(run))
    if done:
        _check_content_hash(run.config, done)
    files = _given_files(run.config)
    if run.config.evaluation.source == "released":
        if files is None and done and done.released:
            return done.released.models
        from tfds_builders.released.download import RESULT_FILES
        from tfds_builders.released.result_files import read_result_files

        return list(read_result_files(RESULT_FILES.fetch(run.paths.downloads) if files is None else files).outputs)
    if run.config.evaluation.source == "physics" and not (files is None and done):
        from tfds_builders.physics.derivation_file import read_derivation_file
        from tfds_builders.physics.download import PHYSICS_FILE

        (path,) = PHYSICS_FILE.fetch(run.paths.downloads) if files is None else files
        read_derivation_file(path)
    return []


def data_stage(run: Run) -> Stage[DataResults]:
    """The stage with its stamp.

    Raises:
        InputError: a file is missing.
    """
    config = run.config
    source, digests = config.evaluation.source, [sha256(path) for path in _given_files(config) or []]
    is_checked = config.data is not None and config.data.copy_verified != "keep"
    stamp = make_stamp(
        "data",
        seed=config.run.seed,
        data=config.data and config.data.deciding(),
        released=source == "released" and digests,
        **({"physics": digests} if source == "physics" else {}),
        libraries=versions(CHECKER_LIBRARIES if is_checked else ["sympy"]),
    )
    return Stage("data", stamp, [run.paths.data], DataResults)


def prepare_data(run: Run) -> DataResults:
    """Builds the generated dataset and, where the evaluation needs them, the released examples or physics.

    Raises:
        InputError: the data cannot be made, or are not the expected ones.
    """
    config = run.config

    def work() -> DataResults:
        from tfds_builders.building import build_derivations, build_physics, build_released

        results = {}
        with progress("data") as on_progress:
            folder = run.paths.folder
            if config.data:
                results["derivations"] = build_derivations(config.data, config.run, folder, on_progress, run.beam)
            files = _given_files(config)
            if config.evaluation.source == "released":
                results["released"] = build_released(files, folder, run.paths.downloads)
            elif config.evaluation.source == "physics":
                results["physics"] = build_physics(files[0] if files else None, folder, run.paths.downloads)
        return DataResults.model_validate(results)

    results = run_stage(run.paths, data_stage(run), work)
    for name, dataset in results.datasets().items():
        sizes = ", ".join(f"{split} {size}" for split, size in dataset.sizes.items())
        say(f"data: {name}: {sizes}; content hash {dataset.content_hash}")
    if results.derivations:
        _say_overlap_and_losses(results.derivations)
    _check_content_hash(config, results)
    return results


def _given_files(config: Config) -> list[Path] | None:
    """The files that the config names for its source of evaluated examples; None where they are downloaded.

    Raises:
        InputError: a file is missing, or it is no regular file of a possible size.
    """
    evaluation = config.evaluation
    if evaluation.source == "released" and evaluation.released is not None:
        from tfds_builders.released.result_files import find_result_files

        return find_result_files([Path(place) for place in evaluation.released])
    if evaluation.source == "physics" and evaluation.physics is not None:
        from tfds_builders.physics.derivation_file import check_derivation_file

        check_derivation_file(Path(evaluation.physics))
        return [Path(evaluation.physics)]
    return None


def _check_content_hash(config: Config, results: DataResults) -> None:
    expected = config.data and config.data.expected_content_hash
    if expected and results.derivations and results.derivations.content_hash != expected:
        raise InputError(
            f"data.expected_content_hash: expected {expected}, got {results.derivations.content_hash}: "
            "these are not the examples this config was made for"
        )


def _say_overlap_and_losses(derivations: DerivationsResults) -> None:
    overlap = ", ".join(f"{split} {count}" for split, count in derivations.overlap_with_train.items())
    say(f"data: derivations: overlap with train up to renaming: {overlap}")
    if lost := derivations.lost:
        say(
            f"data: derivations: the backstop ended {len(lost)} attempt{'s' * (len(lost) > 1)} ({', '.join(lost)}), "
            "so another machine may keep what is missing here"
        )
