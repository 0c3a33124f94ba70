"""The predict stage: every model answers the evaluated examples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from mathderive.core.errors import InputError
from mathderive.core.progress import progress, say
from mathderive.pipeline.run import STAGE_VERSION, Run, evaluated_dataset, evaluation_examples, predictions_path
from mathderive.pipeline.stamps import run_stage
from mathderive.predictors.registry import Plan
from mathderive.records import EVALUATION_SETS

if TYPE_CHECKING:
    from mathderive.predictors.base import Predictor, Spender


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
        from mathderive.predictors.base import UnansweredError, predict_set

        examples = evaluation_examples(run, data)
        predictor = plan.make()
        unanswered = []
        with _accounted(predictor), progress("predict") as show:
            for name in EVALUATION_SETS:
                try:
                    predict_set(predictor, examples[name], predictions_path(run, plan.name, name), show)
                except UnansweredError as error:
                    unanswered.append(error)
        if unanswered:
            raise UnansweredError(plan.name, sum(error.count for error in unanswered), unanswered[-1].why)
        return {name: len(examples[name]) for name in EVALUATION_SETS}

    for plan in plans:
        stamp = {**common, **plan.stamp}
        run_stage(run.folder, f"predict-{plan.name}", stamp, [f"predictions/{plan.name}"], partial(work, plan))
    return [plan.name for plan in plans]


@contextmanager
def _accounted(predictor: "Predictor") -> Iterator[None]:
    """Says what may have been paid for without an answer: what an earlier call left, and what this one adds."""
    from mathderive.predictors.base import Spender

    if not isinstance(predictor, Spender):
        yield
        return
    before = _say_unaccounted(predictor, 0)
    try:
        yield
    except InputError:
        _say_unaccounted(predictor, before)
        raise
    _say_unaccounted(predictor, before)


def _say_unaccounted(predictor: "Spender", said: int) -> int:
    if (count := predictor.unaccounted()) != said:
        attempts = "1 attempt" if count == 1 else f"{count} attempts"
        say(
            f"predict: {predictor.name}: {attempts} may have been billed without an answer; "
            "`ledger unaccounted` lists them"
        )
    return count
