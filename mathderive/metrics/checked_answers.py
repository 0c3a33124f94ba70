"""One answer's verdicts: as a record for reviewing them by hand, and summarised for the tables."""

from mathderive.checker.verdicts import Validity
from mathderive.records import (
    ERROR_CATEGORIES,
    MISSING_OPERATORS,
    TRUTHS,
    ErrorCategory,
    EvaluationSet,
    Example,
    Prediction,
    Record,
    ValiditySummary,
)


class CheckedAnswer(Record):
    """An answer with its prompt, its reference, and a verdict on every equation.

    Attributes:
        categories: the paper's error category of each step of `validity`; null for a step without an error.
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
    """Puts together the record of one answer."""
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
    """Counts an answer's equations by verdict and by the paper's error category."""
    truths = [step.truth for step in validity.steps]
    categories = [step.category for step in validity.steps]
    missing = [step.missing_operators for step in validity.steps]
    derived = [step.truth for step in validity.steps if not step.stated]
    return ValiditySummary(
        equations=len(truths),
        derived=len(derived),
        valid_derived=derived.count("valid"),
        truths={truth: truths.count(truth) for truth in TRUTHS},
        errors={category: categories.count(category) for category in ERROR_CATEGORIES},
        missing_operators={count: missing.count(count) for count in MISSING_OPERATORS},
        goal_reached=validity.goal_reached,
        sound=validity.sound,
        verified=validity.verified,
    )
