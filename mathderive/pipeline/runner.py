"""The stages of a run, in their order; each reads and writes files in the run folder and nothing else.

A stage is called after all that precede it: what is done with the same inputs is skipped (`stamps`), so naming a
stage means "have this, up to date". Heavy libraries are imported where a stage begins its work, so that finding
nothing to do takes a moment.
"""

from dataclasses import replace
from pathlib import Path

from mathderive.config.loading import dump_config
from mathderive.core.errors import InputError
from mathderive.core.files import write_text
from mathderive.core.progress import say
from mathderive.pipeline.planning import plan_predictors
from mathderive.pipeline.preflight import preflight
from mathderive.pipeline.processes import join, own_folder, silence
from mathderive.pipeline.run import Run
from mathderive.pipeline.stages.data import prepare_data
from mathderive.pipeline.stages.predict import predict
from mathderive.pipeline.stages.report import report
from mathderive.pipeline.stages.score import score
from mathderive.pipeline.stages.shards import make_shards
from mathderive.pipeline.stages.train import train_model
from mathderive.pipeline.stamps import locked
from mathderive.predictors.registry import RunInputs

STAGES = ("data", "shards", "train", "predict", "score", "report")


def run_stages(run: Run, last: str) -> Path | None:
    """Brings every stage up to `last` up to date.

    Returns:
        Where the last stage's output lies; null in a process that only took part in training.

    Raises:
        InputError: something given is wrong; what was done before it stays.
        Terminated: a signal came while the model was trained; the same call goes on from there.
    """
    steps = STAGES[: STAGES.index(last) + 1]
    trains = "train" in steps and run.config.training is not None
    if run.processes and not trains:
        raise InputError("--coordinator: this config trains no model; expected a single process")
    process = join(run.processes) if trains else None
    run = replace(run, folder=own_folder(run.folder, process))
    with locked(run.folder), silence(process):
        preflight(run, steps)
        write_text(run.folder / "config.yaml", dump_config(run.config))
        data = prepare_data(run.data_from or run)
        shards = make_shards(run, data) if "shards" in steps else None
        model = train_model(run, data, shards, process) if trains else None
        if process:
            return None
        if "predict" in steps:
            plans, notes = plan_predictors(RunInputs(run.config, run.folder, data, model))
            for note in notes:
                say(f"predict: {note}")
            names = predict(run, data, plans)
        if "score" in steps:
            score(run, data, names)
        if "report" in steps:
            report(run, data, names, notes)
    return run.folder / _PLACES[last]


_PLACES = {
    "data": "data",
    "shards": "shards",
    "train": "checkpoints",
    "predict": "predictions",
    "score": "scores",
    "report": "report/index.html",
}
