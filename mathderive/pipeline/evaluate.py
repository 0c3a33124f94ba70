"""`mathderive eval`: the pipeline run on recorded outputs or given checkpoints, with nothing generated or trained."""

from collections.abc import Sequence
from pathlib import Path

from mathderive.config.schema import PredictorSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.pipeline.run import Run
from mathderive.pipeline.runner import run_stages
from mathderive.predictors.settings import CopySettings, ReleasedSettings, T5Settings


def run_evaluation(run: Run, predictions: Sequence[str], checkpoints: Sequence[str]) -> Path | None:
    """Scores recorded outputs or checkpoints, beside the copy baseline, in the run folder `eval-NAME`.

    Args:
        run: whose config says how to decode, evaluate and report.
        predictions: result files in the authors' format; or
        checkpoints: answer the released examples where those can be had, else the run's own.

    Returns:
        The report.

    Raises:
        InputError: as `run_stages`; a checkpoint that cannot be used is refused before anything is made or fetched.
    """
    if checkpoints:
        from mathderive.training.conversion import open_checkpoint

        for place in checkpoints:
            open_checkpoint(place)
    if run.config.score.bleurt:
        from mathderive.metrics.bleurt import Bleurt

        Bleurt(run.config.score.bleurt)
    named = run.config.run.model_copy(update={"name": f"eval-{run.config.run.name}"})
    models: list[PredictorSettings] = [T5Settings(kind="t5", checkpoint=place) for place in checkpoints]
    evaluation, data_from = run.config.evaluation, None
    if predictions:
        models = [ReleasedSettings(kind="released")]
        evaluation = evaluation.model_copy(update={"source": "released", "released": tuple(predictions)})
    elif evaluation.source == "generated":
        from tfds_builders.released.download import fetch_result_files

        try:
            fetch_result_files(run.folder.with_name(str(named.name)) / "data" / "downloads")
            evaluation = evaluation.model_copy(update={"source": "released"})
        except InputError as error:
            say(f"eval: on the run's own examples, as the released ones cannot be had: {error}")
            data_from = run
    if data_from is None:
        say("eval: on the authors' released examples")
    own_data = run.config.data if data_from else None
    changes = {"run": named, "evaluation": evaluation, "predictors": (*models, CopySettings(kind="copy"))}
    config = run.config.model_copy(update={**changes, "data": own_data, "model": None, "training": None})
    return run_stages(Run(config, run.folder.with_name(str(named.name)), data_from), "report")
