"""Scores by what the question asks for: by the number of the reference's equations, and by its operators."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mathderive.metrics.statistics import Estimate, mean
from mathderive.records import MEASURES, Example, Measure, Score, Scores


@dataclass(frozen=True)
class BreakdownRow:
    """One model's answers, over all sets, to the examples whose reference has so many equations, or an operator.

    `means[measure]` is None where the measure was not computed for every answer.
    """

    model: str
    by: Literal["equations", "operator"]
    value: int | str
    answers: int
    means: Mapping[Measure, Estimate | None]


def breakdown_rows(examples: Iterable[Example], scores: Scores) -> list[BreakdownRow]:
    """Rows by model, first by the number of equations, then by operator, the most frequent first.

    An example counts once for each of its operators, premises among them.
    """
    by_id = {example.id: example for example in examples}
    lengths = sorted({len(example.steps) for example in by_id.values()})
    used: dict[str, int] = {}
    for example in by_id.values():
        for operator in _operators(example):
            used[operator] = used.get(operator, 0) + 1
    operators = sorted(used, key=lambda operator: (-used[operator], operator))
    rows = []
    for model, by_set in scores.items():
        answered = [(by_id[score.id], score) for of_set in by_set.values() for score in of_set if score.id in by_id]
        for length in lengths:
            of_length = [score for example, score in answered if len(example.steps) == length]
            rows += [_row(model, "equations", length, of_length)] if of_length else []
        for operator in operators:
            with_operator = [score for example, score in answered if operator in _operators(example)]
            rows += [_row(model, "operator", operator, with_operator)] if with_operator else []
    return rows


def means(answers: Sequence[Score]) -> dict[Measure, Estimate | None]:
    """The answers' mean by every measure; None where one was not computed for all of them."""
    return {measure: _mean(answers, measure) for measure in MEASURES}


def _row(model: str, by: Literal["equations", "operator"], value: int | str, answers: Sequence[Score]) -> BreakdownRow:
    return BreakdownRow(model, by, value, len(answers), means(answers))


def _mean(answers: Sequence[Score], measure: Measure) -> Estimate | None:
    values = [value for value in (score.measured(measure) for score in answers) if value is not None]
    return mean(values, [score.source_id for score in answers]) if len(values) == len(answers) else None


def _operators(example: Example) -> set[str]:
    """The operators of the reference's steps, premises of each kind among them."""
    return {step.annotation if isinstance(step.annotation, str) else str(step.annotation[0]) for step in example.steps}
