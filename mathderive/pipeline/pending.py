"""Which stages have work to do, found out from the config and the manifests before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.config.schema import PredictorSettings
from mathderive.pipeline.planning import plan_predictors
from mathderive.pipeline.results import (
    DataResults,
    DerivationsResults,
    PhysicsResults,
    ReleasedResults,
    RoundResults,
    SelfTrainingResults,
    ShardsResults,
    TrainResults,
    ValidationResults,
)
from mathderive.pipeline.run import Run
from mathderive.pipeline.stages.data import data_stage
from mathderive.pipeline.stages.predict import predict_stage
from mathderive.pipeline.stages.report import known_report_stamp
from mathderive.pipeline.stages.score import known_score_stamp
from mathderive.pipeline.stages.self_training import finished_self_training
from mathderive.pipeline.stages.shards import shards_stage
from mathderive.pipeline.stages.train import train_stage
from mathderive.pipeline.stamps import finished_results, is_done_so_far

UNKNOWN = "unknown"
"""Stands for a hash that a stage has yet to give; no stamp of a finished stage holds it."""


@dataclass(frozen=True)
class Pending:
    """The work that a command has to do.

    Attributes:
        stages: the stages with work to do, in their order.
        predictors: the entries of the config's predictors whose answers are missing.
    """

    stages: Sequence[str]
    predictors: Sequence[PredictorSettings]


def find_pending(run: Run, steps: Sequence[str], released_models: Sequence[str]) -> Pending:
    """Finds the work to do; a stage whose inputs have yet to be made counts as work.

    Args:
        steps: the stages that the command asks for, in their order.
        released_models: the models whose recorded outputs the result files hold.

    Raises:
        InputError: as `plan_predictors`.
    """
    source = run.data_from or run
    data = finished_results(source.paths, data_stage(source))
    likely_data = data or _unknown_data(source, released_models)
    shards = None if run.config.shards is None else finished_results(run.paths, shards_stage(run, likely_data))
    trained = _finished_training(run, likely_data, shards)
    trains_further = run.config.self_training is not None
    further = finished_self_training(run, likely_data, shards, trained) if trained and trains_further else None
    unanswered = []
    if "predict" in steps:
        likely_trained = trained or (None if run.config.training is None else _unknown_training())
        likely_further = further or _unknown_self_training(run)
        for settings, plans in plan_predictors(run, likely_data, likely_trained, likely_further).entries:
            stages = [predict_stage(run, likely_data, plan) for plan in plans]
            if any(finished_results(run.paths, stage) is None for stage in stages):
                unanswered.append(settings)
    pending = {
        "data": data is None,
        "shards": run.config.shards is not None and shards is None,
        "train": run.config.training is not None and trained is None,
        "self-training": trains_further and further is None,
        "predict": bool(unanswered),
    }
    answered, paths = data is not None and not unanswered, run.paths
    pending["score"] = not (answered and is_done_so_far(paths, "score", known_score_stamp(run), [paths.all_scores]))
    scored = not pending["score"]
    pending["report"] = not (scored and is_done_so_far(paths, "report", known_report_stamp(run), [paths.report]))
    return Pending([step for step in steps if pending[step]], unanswered)


def _finished_training(run: Run, data: DataResults, shards: ShardsResults | None) -> TrainResults | None:
    if run.config.training is None or (run.config.shards and shards is None):
        return None
    return finished_results(run.paths, train_stage(run, data, shards))


def _unknown_data(run: Run, released_models: Sequence[str]) -> DataResults:
    """Stands for the results of a data stage that has yet to run."""
    derivations = released = physics = None
    if run.config.data:
        derivations = DerivationsResults(path="", sizes={}, content_hash=UNKNOWN, overlap_with_train={}, lost=[])
    if run.config.evaluation.source == "released":
        released = ReleasedResults(
            path="", sizes={}, content_hash=UNKNOWN, models=list(released_models), outputs_hash=UNKNOWN
        )
    if run.config.evaluation.source == "physics":
        physics = PhysicsResults(path="", sizes={}, content_hash=UNKNOWN, topics_hash=UNKNOWN)
    return DataResults(derivations=derivations, released=released, physics=physics)


def _unknown_training() -> TrainResults:
    """Stands for the results of a train stage that has yet to run."""
    return TrainResults(steps=0, validation_loss=0.0, validation_rouge2=None, best_step=0, digest=UNKNOWN)


def _unknown_self_training(run: Run) -> SelfTrainingResults | None:
    """Stands for the results of self-training that has yet to run; None where the config asks for none."""
    settings = run.config.self_training
    if settings is None:
        return None
    counts = dict.fromkeys(("prompts", "samples", "tokens", "verified", "solved", "kept", "distinct"), 0)
    validation = ValidationResults(prompts=0, verified=0)
    unknown = RoundResults(**counts, examples=0, steps=0, digest=UNKNOWN, validation=validation)
    return SelfTrainingResults(start=validation, rounds=[unknown] * settings.rounds, controls=[])
