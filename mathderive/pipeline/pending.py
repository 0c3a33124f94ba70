"""Which stages have work to do, found out from the config and the manifests before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mathderive.config.schema import T5Predictor
from mathderive.pipeline.planning import NamedPredictor
from mathderive.pipeline.results import DataResults, ShardsResults, TrainResults
from mathderive.pipeline.run import Run, evaluated_dataset
from mathderive.pipeline.stages.data import data_stage
from mathderive.pipeline.stages.predict import known_predict_stamp
from mathderive.pipeline.stages.report import known_report_stamp
from mathderive.pipeline.stages.score import known_score_stamp
from mathderive.pipeline.stages.shards import known_shards_stamp
from mathderive.pipeline.stages.train import known_train_stamp
from mathderive.pipeline.stamps import Stage, Stamp, finished_results, is_done_so_far


@dataclass(frozen=True)
class Pending:
    """The work that a command has to do.

    Attributes:
        stages: the stages with work to do, in their order.
        predictors: the predictors whose answers are missing.
    """

    stages: Sequence[str]
    predictors: Sequence[NamedPredictor]


def find_pending(run: Run, steps: Sequence[str], predictors: Sequence[NamedPredictor]) -> Pending:
    """Finds the work to do; a stage whose inputs have yet to be made counts as work.

    Args:
        steps: the stages that the command asks for, in their order.
        predictors: the predictors that will answer.
    """
    source = run.data_from or run
    data = finished_results(source.paths, data_stage(source))
    shards = _finished_shards(run, data)
    trained = _finished_training(run, data, shards)
    unanswered = [predictor for predictor in predictors if not _has_answered(run, data, trained, predictor)]
    paths, score, report = run.paths, known_score_stamp(run), known_report_stamp(run)
    pending = {
        "data": data is None,
        "shards": run.config.shards is not None and shards is None,
        "train": run.config.training is not None and trained is None,
        "predict": bool(unanswered),
    }
    answered = data is not None and not unanswered
    pending["score"] = not (answered and is_done_so_far(paths, "score", score, [paths.all_scores]))
    pending["report"] = pending["score"] or not is_done_so_far(paths, "report", report, [paths.report])
    return Pending([step for step in steps if pending[step]], unanswered)


def _finished_shards(run: Run, data: DataResults | None) -> ShardsResults | None:
    if run.config.shards is None or data is None or data.derivations is None:
        return None
    stamp = {**known_shards_stamp(run), "data": data.derivations.content_hash}
    return finished_results(run.paths, Stage("shards", stamp, [run.paths.shards], ShardsResults))


def _finished_training(run: Run, data: DataResults | None, shards: ShardsResults | None) -> TrainResults | None:
    if run.config.training is None or data is None or data.derivations is None:
        return None
    if run.config.shards and shards is None:
        return None
    examples = shards.digest if shards else data.derivations.content_hash
    stamp = {**known_train_stamp(run), "data": examples}
    return finished_results(run.paths, Stage("train", stamp, [run.paths.checkpoints], TrainResults))


def _has_answered(run: Run, data: DataResults | None, trained: TrainResults | None, predictor: NamedPredictor) -> bool:
    if data is None:
        return False
    known: Stamp = {**known_predict_stamp(run), "data": evaluated_dataset(run, data).content_hash}
    settings: Any = predictor.settings
    if isinstance(settings, T5Predictor):
        if settings.checkpoint is None and trained is None:
            return False
        digest = run.opened.digest(settings.checkpoint) if settings.checkpoint else trained and trained.digest
        known |= {"checkpoint": digest, "decoding": run.config.decoding.model_dump(mode="json")}
    outputs = [run.paths.predictions_of(predictor.name)]
    return is_done_so_far(run.paths, f"predict-{predictor.name}", known, outputs)
