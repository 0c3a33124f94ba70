"""Scores by kind of question: by the number of the reference's equations, and by the reference's operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mathderive.metrics.measures import Measure, measures
from mathderive.metrics.statistics import Estimate, mean
from mathderive.records import Example, Score, Scores
from mathderive.symbolic.prompts import SEPARATOR


@dataclass(frozen=True)
class BreakdownRow:
    """One model's answers, over all sets, to the examples of one kind.

    Attributes:
        by: the kinds are numbers of equations in the reference, or operators that the reference uses.
        value: the number or the operator.
        answers: the number of answers.
        means: the mean of each measure by its key; None where some answer lacks the measure.
    """

    model: str
    by: Literal["equations", "operator"]
    value: int | str
    answers: int
    means: Mapping[str, Estimate | None]


def breakdown_rows(examples: Iterable[Example], scores: Scores) -> list[BreakdownRow]:
    """Returns rows by model, first by the number of equations, then by operator, the most frequent operator first.

    An example counts once for each of its operators; the kinds of premises count as operators.
    """
    by_id = {example.id: example for example in examples}
    lengths = sorted({_length(example) for example in by_id.values()})
    frequencies: dict[str, int] = {}
    for example in by_id.values():
        for operator in _operators(example):
            frequencies[operator] = frequencies.get(operator, 0) + 1
    operators = sorted(frequencies, key=lambda operator: (-frequencies[operator], operator))
    rows = []
    for model, by_set in scores.items():
        answers = [(by_id[score.id], score) for in_set in by_set.values() for score in in_set if score.id in by_id]
        for length in lengths:
            chosen = [score for example, score in answers if _length(example) == length]
            rows += [_row(model, "equations", length, chosen)] if chosen else []
        for operator in operators:
            chosen = [score for example, score in answers if operator in _operators(example)]
            rows += [_row(model, "operator", operator, chosen)] if chosen else []
    return rows


def means(answers: Sequence[Score]) -> dict[str, Estimate | None]:
    """Returns the answers' mean of every measure by its key; None where some answer lacks the measure."""
    return {measure.key: _mean(answers, measure) for measure in measures()}


def _row(model: str, by: Literal["equations", "operator"], value: int | str, answers: Sequence[Score]) -> BreakdownRow:
    return BreakdownRow(model, by, value, len(answers), means(answers))


def _mean(answers: Sequence[Score], measure: Measure) -> Estimate | None:
    values = [value for value in map(measure.value, answers) if value is not None]
    return mean(values, [score.source_id for score in answers]) if len(values) == len(answers) else None


def _length(example: Example) -> int:
    """Returns the number of the reference's equations; references that people wrote have no annotated steps."""
    return len(example.steps or example.target.split(SEPARATOR))


def _operators(example: Example) -> set[str]:
    """Returns the operators of the reference's steps, with the kinds of premises among them."""
    return {step.annotation if isinstance(step.annotation, str) else str(step.annotation[0]) for step in example.steps}
