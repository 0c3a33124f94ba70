"""The measures of an answer: the registered text metrics, then the measures of its goal and its equations.

The tables of scores, comparisons and breakdowns have one column for each measure.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mathderive.metrics.registry import TextMetric, text_metrics
from mathderive.records import Score, ValiditySummary


@dataclass(frozen=True)
class Measure:
    """One measure of an answer.

    Attributes:
        key: its name in `tables.json`.
        title: its name in tables and figures.
        description: a sentence for readers of the tables; may be empty.
        value: returns an answer's value, between 0 and 1; None where it was not computed.
        is_always_computed: every answer has a value, so the tables always have a column for it.
    """

    key: str
    title: str
    description: str
    value: Callable[[Score], float | None]
    is_always_computed: bool


def measures() -> tuple[Measure, ...]:
    """Returns all measures in the order of the tables' columns."""
    return (*map(_text_measure, text_metrics()), *_ANSWER_MEASURES)


def titles() -> dict[str, str]:
    """Returns the title of each measure by its key."""
    return {measure.key: measure.title for measure in measures()}


def _text_measure(metric: TextMetric) -> Measure:
    return Measure(
        key=metric.key,
        title=metric.title,
        description=metric.description,
        value=lambda score: score.metric(metric.key),
        is_always_computed=metric.score is not None,
    )


def _of_verdicts(value: Callable[[ValiditySummary], float]) -> Callable[[Score], float | None]:
    return lambda score: None if score.validity is None else float(value(score.validity))


_ANSWER_MEASURES = (
    Measure(
        "ends_with_goal",
        "Ends with the goal",
        "Ends with the goal: the text of the answer's last equation is that of the goal.",
        lambda score: float(score.ends_with_goal),
        is_always_computed=True,
    ),
    Measure(
        "goal_reached",
        "Goal reached",
        "Goal reached: an equation of the answer states the goal, mirrored or not.",
        _of_verdicts(lambda validity: validity.goal_reached),
        is_always_computed=False,
    ),
    Measure(
        "valid_equations",
        "Valid equations",
        "Valid equations: of an answer's equations that the prompt does not state, the share that follows from earlier "
        "ones by one operator.",
        _of_verdicts(lambda validity: validity.valid_equations),
        is_always_computed=False,
    ),
    Measure(
        "sound",
        "Sound",
        "Sound: the answer reaches the goal, and none of its equations is incorrect, unparsable or undecided.",
        _of_verdicts(lambda validity: validity.sound),
        is_always_computed=False,
    ),
    Measure(
        "verified",
        "Verified",
        "Verified: the answer is sound, and reaches the goal by premises and valid equations alone.",
        _of_verdicts(lambda validity: validity.verified),
        is_always_computed=False,
    ),
)
