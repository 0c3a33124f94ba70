"""The verdicts on one answer as a line to be reviewed by hand, and what the tables need of them."""

from mathderive.checker.verdicts import Validity
from mathderive.records import (
    ERROR_CATEGORIES,
    TRUTHS,
    ErrorCategory,
    EvaluationSet,
    Example,
    Prediction,
    Record,
    ValiditySummary,
)


class CheckedAnswer(Record):
    """An answer beside its prompt and its reference, with a verdict on every equation.

    `categories` has the paper's single category of each step of `validity`, null for one without fault.
    """

    id: str
    source_id: str
    set: EvaluationSet
    model: str
    prompt: str
    target: str
    text: str
    validity: Validity
    categories: list[ErrorCategory | None]


def checked_answer(example: Example, prediction: Prediction, validity: Validity) -> CheckedAnswer:
    """The line of one answer."""
    return CheckedAnswer(
        id=prediction.id,
        source_id=prediction.source_id,
        set=prediction.set,
        model=prediction.model,
        prompt=example.prompt,
        target=example.target,
        text=prediction.text,
        validity=validity,
        categories=[step.category for step in validity.steps],
    )


def summarise(validity: Validity) -> ValiditySummary:
    """Counts by truth and by the paper's category."""
    truths = [step.truth for step in validity.steps]
    categories = [step.category for step in validity.steps]
    return ValiditySummary(
        equations=len(truths),
        truths={truth: truths.count(truth) for truth in TRUTHS},
        errors={category: categories.count(category) for category in ERROR_CATEGORIES},
        verified=validity.verified,
    )
