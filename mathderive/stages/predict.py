"""The predict stage: every model answers the evaluated examples."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from mathderive.planning import Plan
from mathderive.progress import progress
from mathderive.records import EVALUATION_SETS
from mathderive.stages.run import STAGE_VERSION, Run, evaluated_dataset, evaluation_examples, predictions_path
from mathderive.stamps import run_stage


def predict(run: Run, data: dict[str, Any], plans: Sequence[Plan]) -> list[str]:
    """Lets every model answer the evaluated examples; each is a stage of its own, `predict-MODEL`.

    Returns:
        The models' names.
    """
    common = {
        "version": STAGE_VERSION["predict"],
        "seed": run.config.run.seed,
        "evaluation": run.config.evaluation.model_dump(mode="json", exclude={"released"}),
        "data": data[evaluated_dataset(run)]["content_hash"],
    }

    def work(plan: Plan) -> dict[str, Any]:
        from mathderive.predictors.base import predict_set

        examples = evaluation_examples(run, data)
        predictor = plan.make()
        with progress("predict") as show:
            for name in EVALUATION_SETS:
                predict_set(predictor, examples[name], predictions_path(run, plan.name, name), show)
        return {name: len(examples[name]) for name in EVALUATION_SETS}

    for plan in plans:
        stamp = {**common, **plan.stamp}
        run_stage(run.folder, f"predict-{plan.name}", stamp, [f"predictions/{plan.name}"], partial(work, plan))
    return [plan.name for plan in plans]
