"""One answer's complete score: the text metrics, the goal and the checker's verdicts."""

from mathderive.metrics.registry import computed_metrics
from mathderive.metrics.text import ends_with_goal
from mathderive.records import BUILT_IN_METRICS, Example, Prediction, Score, ValiditySummary


def score(
    example: Example, prediction: Prediction, validity: ValiditySummary | None = None, bleurt: float | None = None
) -> Score:
    """Scores one prediction against its example's target. An empty prediction scores 0.

    Args:
        validity: the checker's verdicts on the answer, if it was checked.
        bleurt: the answer's BLEURT, if there is a checkpoint.

    Raises:
        ValueError: the prediction answers another example.
        InputError: a metric returned no finite number.
    """
    if prediction.id != example.id:
        raise ValueError(f"the prediction answers {prediction.id}, not {example.id}")
    text, target = prediction.text, example.target
    values = {metric.key: metric(text, target) for metric in computed_metrics()}
    return Score(
        id=prediction.id,
        source_id=prediction.source_id,
        set=prediction.set,
        model=prediction.model,
        rouge2=values["rouge2"],
        bleu=values["bleu"],
        gleu=values["gleu"],
        bleurt=bleurt,
        ends_with_goal=ends_with_goal(text, target),
        validity=validity,
        further_metrics={key: value for key, value in values.items() if key not in BUILT_IN_METRICS},
    )
