"""The verdicts on one answer as a line to be reviewed by hand, and what the tables need of them."""

from mathderive.metrics.validity.checker import check
from mathderive.metrics.validity.reading import split_output
from mathderive.metrics.validity.verdicts import StepVerdict, Validity
from mathderive.prompts import split_prompt
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

Question = tuple[str, str]
"""A prompt and an answer to it."""


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


def check_answer(question: Question) -> Validity:
    """`check`, as worker processes call it; an answer to a prompt of another form is undecided."""
    prompt, text = question
    try:
        split_prompt(prompt)
    except ValueError as error:
        return undecided(text, f"the prompt cannot be read: {error}")
    return check(prompt, text)


def undecided(text: str, reason: str) -> Validity:
    """The verdict on an answer that could not be checked: nothing is known of any equation."""
    steps = [StepVerdict(text=equation, truth="undecided", reason=reason) for equation in split_output(text)]
    return Validity(steps=steps, premises_used=[], intermediates_present=[], goal_reached=False, verified=False)


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
