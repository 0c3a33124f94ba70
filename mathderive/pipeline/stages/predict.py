"""The predict stage: every model answers the evaluated examples."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from mathderive.core.errors import InputError
from mathderive.core.progress import progress, say
from mathderive.pipeline.results import DataResults, PredictResults
from mathderive.pipeline.run import Run, evaluated_dataset, evaluation_examples, make_stamp
from mathderive.pipeline.stamps import Stage, run_stage
from mathderive.predictors.registry import Plan
from mathderive.records import EVALUATION_SETS

if TYPE_CHECKING:
    from mathderive.predictors.base import Predictor, Spender


def predict_stage(run: Run, data: DataResults, plan: Plan) -> Stage[PredictResults]:
    """The stage of one model with its stamp."""
    stamp = make_stamp(
        "predict",
        seed=run.config.run.seed,
        evaluation=run.config.evaluation.model_dump(mode="json", exclude={"released", "physics"}),
        data=evaluated_dataset(run, data).content_hash,
        **plan.stamp,
    )
    return Stage(f"predict-{plan.name}", stamp, [run.paths.predictions_of(plan.name)], PredictResults)


def predict(run: Run, data: DataResults, plans: Sequence[Plan]) -> list[str]:
    """Lets every model answer the evaluated examples; each is a stage of its own, `predict-MODEL`.

    Returns:
        The models' names.

    Raises:
        InputError: a model cannot answer.
        UnansweredError: some items have no answer; every other item has one.
    """

    def work(plan: Plan) -> PredictResults:
        from mathderive.predictors.base import UnansweredError, predict_set

        examples = evaluation_examples(run, data)
        predictor = plan.make()
        unanswered = []
        with _accounted(predictor), progress("predict") as on_progress:
            for name in EVALUATION_SETS:
                try:
                    predict_set(predictor, examples[name], run.paths.predictions(plan.name, name), on_progress)
                except UnansweredError as error:
                    unanswered.append(error)
        if unanswered:
            raise UnansweredError(plan.name, sum(error.count for error in unanswered), unanswered[-1].why)
        return PredictResults({name: len(examples[name]) for name in EVALUATION_SETS})

    for plan in plans:
        run_stage(run.paths, predict_stage(run, data, plan), partial(work, plan))
    run.opened.close_models()
    return [plan.name for plan in plans]


@contextmanager
def _accounted(predictor: "Predictor") -> Iterator[None]:
    """Says how many attempts may have been billed without an answer: an earlier call's first, then this one's."""
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
