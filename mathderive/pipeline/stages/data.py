"""The data stage: the generated derivations and, where they are evaluated, the released examples."""

from pathlib import Path
from typing import Any

from mathderive.core.environment import versions
from mathderive.core.errors import InputError
from mathderive.core.extensions import extension_digests
from mathderive.core.files import sha256
from mathderive.core.progress import progress, say
from mathderive.pipeline.run import STAGE_VERSION, Run
from mathderive.pipeline.stamps import run_stage


def prepare_data(run: Run) -> dict[str, Any]:
    """Builds the generated dataset and, where the evaluation wants them, the released examples.

    Returns:
        For each dataset (`derivations`, `released`) its `path` below the run folder and its metadata.
    """
    config = run.config
    released = config.evaluation.source == "released"
    files: list[Path] | None = None
    if released and config.evaluation.released is not None:
        from tfds_builders.released.result_files import find_result_files, read_result_files

        files = find_result_files([Path(place) for place in config.evaluation.released])
        read_result_files(files)  # a malformed file is refused before anything is moved aside
    if run.beam:
        from tfds_builders.building import check_beam

        check_beam(run.beam)
    stamp = {
        "version": STAGE_VERSION["data"],
        "seed": config.run.seed,
        "data": config.data and config.data.deciding(),
        "released": released and [sha256(path) for path in files or []],
        "libraries": versions(["sympy"]),
    }

    if extensions := extension_digests():
        stamp["extensions"] = extensions

    def work() -> dict[str, Any]:
        from tfds_builders.building import build_derivations, build_released

        results = {}
        with progress("data") as show:
            if config.data:
                results["derivations"] = build_derivations(config.data, config.run, run.folder, show, run.beam)
            if released:
                results["released"] = build_released(files, run.folder)
        return results

    results = run_stage(run.folder, "data", stamp, ["data"], work)
    for name, dataset in results.items():
        sizes = ", ".join(f"{split} {size}" for split, size in dataset["sizes"].items())
        say(f"data: {name}: {sizes}; content hash {dataset['content_hash']}")
    if config.data:
        _say_what_is_amiss(results["derivations"])
    expected = config.data and config.data.expected_content_hash
    if expected and results["derivations"]["content_hash"] != expected:
        raise InputError(
            f"data.expected_content_hash: expected {expected}, got {results['derivations']['content_hash']}: "
            "these are not the examples this config was made for"
        )
    return results


def _say_what_is_amiss(derivations: dict[str, Any]) -> None:
    overlap = ", ".join(f"{split} {count}" for split, count in derivations["overlap_with_train"].items())
    say(f"data: derivations: overlap with train up to renaming: {overlap}")
    if lost := derivations["lost"]:
        say(
            f"data: derivations: the backstop ended {len(lost)} attempt{'s' * (len(lost) > 1)} ({', '.join(lost)}), "
            "so another machine may keep what is missing here"
        )
