"""`mathderive eval`: scores recorded outputs or given checkpoints, with nothing generated or trained."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mathderive.config.schema import MAX_NAME_LENGTH, EvaluationSource, PredictorSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.run import Run
from mathderive.pipeline.runner import run_stages
from mathderive.predictors.settings import CopySettings, ReleasedSettings, T5Settings

_PREFIX = "eval-"

_EXAMPLES: Mapping[EvaluationSource, str] = {
    "released": "the authors' released examples",
    "physics": "derivations in physics that people wrote",
}


def run_evaluation(
    run: Run, predictions: Sequence[str], checkpoints: Sequence[str], is_titled: bool = False
) -> Path | None:
    """Scores recorded outputs or checkpoints, beside the copy baseline, in the run folder `eval-NAME`.

    Args:
        run: its config says how to decode, evaluate and report.
        predictions: result files in the authors' format.
        checkpoints: models that answer the run's own examples only if the released ones cannot be had.
            Either `predictions` or `checkpoints` is empty; if both are, the config's own predictors answer.
        is_titled: the user has given the report's title; otherwise it says what is evaluated.

    Returns:
        The report.

    Raises:
        InputError: as `run_stages`, or the run's name is too long. A checkpoint that cannot be used is refused before
            anything is made or fetched.
    """
    name = _folder_name(run)
    for place in checkpoints:
        run.opened.network(place)
    if run.config.score.bleurt:
        run.opened.bleurt(run.config.score.bleurt)
    paths = RunPaths(run.paths.folder.with_name(name))
    models: list[PredictorSettings] = [T5Settings(kind="t5", checkpoint=place) for place in checkpoints]
    if not predictions and not checkpoints:
        models = [entry for entry in run.config.predictors if entry.kind != "copy"]
    settings, data_from = run.config.evaluation, None
    if predictions:
        models = [ReleasedSettings(kind="released")]
        settings = settings.model_copy(update={"source": "released", "released": tuple(predictions)})
    elif settings.source == "generated":
        from tfds_builders.released.download import RESULT_FILES

        try:
            RESULT_FILES.fetch(paths.downloads)
            settings = settings.model_copy(update={"source": "released"})
        except InputError as error:
            say(f"eval: on the run's own examples, as the released ones cannot be had: {error}")
            data_from = run
    if data_from is None:
        say(f"eval: on {_EXAMPLES[settings.source]}")
    subject = "Recorded answers" if predictions else _subject(checkpoints)
    title = f"{subject} on {'generated examples' if data_from else _EXAMPLES[settings.source]}"
    changes = {
        "report": run.config.report if is_titled else run.config.report.model_copy(update={"title": title}),
        "run": run.config.run.model_copy(update={"name": name}),
        "evaluation": settings,
        "predictors": (*models, CopySettings(kind="copy")),
        "data": run.config.data if data_from else None,
        "model": None,
        "training": None,
        "shards": None,
        "self_training": None,
    }
    config = run.config.model_copy(update=changes)
    return run_stages(Run(config, paths, data_from, opened=run.opened, command=run.command), "report")


def _subject(checkpoints: Sequence[str]) -> str:
    names = [place.rstrip("/").rpartition("/")[2] for place in checkpoints]
    return " and ".join(names) if 0 < len(names) < 3 else f"{len(names)} checkpoints" if names else "The predictors"


def _folder_name(run: Run) -> str:
    name = f"{_PREFIX}{run.config.run.name}"
    if len(name) > MAX_NAME_LENGTH:
        raise InputError(
            f"run.name: {run.config.run.name} has {len(name) - len(_PREFIX)} characters; expected at most"
            f" {MAX_NAME_LENGTH - len(_PREFIX)}, because eval works in the folder {_PREFIX}NAME"
        )
    return name
