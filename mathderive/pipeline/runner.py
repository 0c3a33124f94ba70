"""Runs the stages of a run in their order; each reads and writes files in the run folder and nothing else.

A stage is called after all that precede it. Stages that are done with the same inputs are skipped (`stamps`), so naming
a stage brings everything up to it up to date. Heavy libraries are imported where a stage begins its work, so that
a command with nothing to do ends quickly.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from mathderive.config.loading import dump_config
from mathderive.core.errors import InputError
from mathderive.core.files import replacing, write_text
from mathderive.core.progress import say
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.planning import plan_predictors
from mathderive.pipeline.preflight import preflight
from mathderive.pipeline.processes import join, silence
from mathderive.pipeline.run import Run
from mathderive.pipeline.stages.data import prepare_data
from mathderive.pipeline.stages.predict import predict
from mathderive.pipeline.stages.report import make_report
from mathderive.pipeline.stages.score import score
from mathderive.pipeline.stages.self_training import self_train
from mathderive.pipeline.stages.shards import make_shards
from mathderive.pipeline.stages.train import train_model
from mathderive.pipeline.stamps import locked

STAGES = ("data", "shards", "train", "self-training", "predict", "score", "report")
"""The stages in their order."""


def run_stages(run: Run, last: str) -> Path | None:
    """Brings every stage up to `last` up to date.

    Returns:
        The output of the last stage; None in a process that only took part in training.

    Raises:
        InputError: an input is wrong. If that can be told beforehand, the run folder is as it was; otherwise the
            stages that came before keep their results.
        Terminated: a signal ended the training; the same call resumes it.
    """
    steps = STAGES[: STAGES.index(last) + 1]
    trains = "train" in steps and run.config.training is not None
    if run.processes and not trains:
        raise InputError("--coordinator: this config trains no model; expected a single process")
    process = join(run.processes) if trains else None
    if process is not None and "self-training" in steps and run.config.self_training:
        raise InputError("self_training: trains in one process; expected `train` where several processes train")
    run = replace(run, paths=run.paths.of_process(process))
    with ExitStack() as stack:
        stack.enter_context(locked(run.paths))
        if run.data_from is not None:
            stack.enter_context(locked(run.data_from.paths))  # its data stage may run as well
        stack.enter_context(silence(process))
        preflight(run, steps)
        with _config_written(run):
            return _run_steps(run, steps, process)


def _run_steps(run: Run, steps: Sequence[str], process: int | None) -> Path | None:
    data = prepare_data(run.data_from or run)
    shards = make_shards(run, data) if "shards" in steps else None
    trained = train_model(run, data, shards, process) if "train" in steps and run.config.training else None
    if process:
        return None
    further = self_train(run, data, shards, trained) if trained and "self-training" in steps else None
    if "predict" in steps:
        planned = plan_predictors(run, data, trained, further)
        for note in planned.notes:
            say(f"predict: {note}")
        models = predict(run, data, planned.plans)
    if "score" in steps:
        score(run, data, models)
    if "report" in steps:
        make_report(run, data, models, planned.notes, further)
    return output_of(run.paths, steps[-1])


@contextmanager
def _config_written(run: Run) -> Iterator[None]:
    """Writes `config.yaml` for the block; if an input is refused before any stage began, the file is as before."""
    paths = run.paths
    earlier = paths.config.read_bytes() if paths.config.exists() else None
    manifests = _read_manifests(paths)
    write_text(paths.config, dump_config(run.config))
    try:
        yield
    except InputError:
        if _read_manifests(paths) == manifests:
            if earlier is None:
                paths.config.unlink()
            else:
                with replacing(paths.config, "wb") as stream:
                    stream.write(earlier)
        raise


def _read_manifests(paths: RunPaths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.folder.glob("*.json")}


def output_of(paths: RunPaths, stage: str) -> Path:
    """The file or folder that a user looks at after a stage."""
    outputs = {
        "data": paths.data,
        "shards": paths.shards,
        "train": paths.checkpoints,
        "self-training": paths.self_training,
        "predict": paths.all_predictions,
        "score": paths.all_scores,
        "report": paths.report_page,
    }
    return outputs[stage]
