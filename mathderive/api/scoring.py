"""Scores of answers: the text metrics, and the checker's verdicts counted."""

from collections.abc import Iterable

from mathderive.api.checking import Checker
from mathderive.metrics.checked_answers import summarise
from mathderive.metrics.scoring import score as score_one
from mathderive.predictors.base import make_prediction
from mathderive.records import Example, Prediction, Score


def score(
    predictions: Iterable[tuple[Example, str | Prediction]],
    *,
    model: str = "model",
    checker: Checker | None = None,
    checks: bool = True,
) -> list[Score]:
    """Scores answers by ROUGE-2, BLEU, GLEU and the registered metrics, and checks their equations.

    Args:
        predictions: pairs of an example of an evaluation set and the answer to it.
        model: the model's name in the scores of answers that are texts.
        checker: checks the answers; by default one with a process for each core, for this call.
        checks: whether the answers are checked; without it `validity` is None.

    Returns:
        A score for each answer, in order.

    Raises:
        ValueError: a prediction answers another example, or an example belongs to no evaluation set.
        InputError: a metric returned no finite number, or a checker's process was killed from outside.
    """
    pairs = [
        (example, answer if isinstance(answer, Prediction) else make_prediction(example, model, answer))
        for example, answer in predictions
    ]
    if not checks:
        return [score_one(example, prediction) for example, prediction in pairs]
    answers = [(example.prompt, prediction.text) for example, prediction in pairs]
    if checker is None:
        with Checker(0) as own:
            verdicts = own.check_all(answers, counts_missing=True)
    else:
        verdicts = checker.check_all(answers, counts_missing=True)
    return [
        score_one(example, prediction, summarise(verdict))
        for (example, prediction), verdict in zip(pairs, verdicts, strict=True)
    ]
