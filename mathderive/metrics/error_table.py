"""The paper's table of reasoning errors, with the checker's verdicts: how often each kind of error occurs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mathderive.metrics.statistics import Estimate, mean, rate
from mathderive.records import (
    ERROR_CATEGORIES,
    EVALUATION_SETS,
    MISSING_OPERATORS,
    ErrorCategory,
    EvaluationSet,
    MissingOperators,
    Score,
    Scores,
    ValiditySummary,
)

Uncategorised = Literal["unparsable", "undecided"]
"""The verdicts that the paper's categories have no place for."""

Finding = ErrorCategory | Uncategorised
"""A kind of error that the table counts."""

FINDINGS: tuple[Finding, ...] = (*ERROR_CATEGORIES, "unparsable", "undecided")


@dataclass(frozen=True)
class FindingRates:
    """How often one kind of error occurs.

    Attributes:
        equations: the number of equations with the error.
        of_equations: their share of all equations; None where there are no equations.
        answers: the number of answers with at least one such equation.
        of_answers: their share of all answers.
        per_answer: the mean number of such equations per answer.
    """

    equations: int
    of_equations: Estimate | None
    answers: int
    of_answers: Estimate | None
    per_answer: Estimate | None


@dataclass(frozen=True)
class ErrorRow:
    """One model's answers to one set.

    Attributes:
        set: the set; None for all sets together.
        derived: the number of equations that the prompt does not state.
        valid_equations: the share of valid equations among these.
        sound: the share of all answers that are sound.
        verified: the share of all answers that are verified.
        missing_operators: the number of skipped equations by how many operators are missing, redundant ones included.
    """

    model: str
    set: EvaluationSet | None
    answers: int
    equations: int
    derived: int
    valid_equations: Estimate | None
    sound: Estimate | None
    verified: Estimate | None
    findings: dict[Finding, FindingRates]
    missing_operators: dict[MissingOperators, int]


def error_rows(scores: Scores) -> list[ErrorRow]:
    """Returns a row for each model, in the order given, and each set, then all sets together.

    Answers without verdicts are left out.
    """
    rows = []
    for model, by_set in scores.items():
        checked = [score for in_set in by_set.values() for score in in_set if score.validity]
        for name in (*EVALUATION_SETS, None):
            answers = [score for score in checked if name in (score.set, None)]
            if answers:
                rows.append(_row(model, name, answers))
    return rows


def _row(model: str, name: EvaluationSet | None, answers: Sequence[Score]) -> ErrorRow:
    summaries = [score.validity for score in answers if score.validity]
    sources = [score.source_id for score in answers]
    equations = [summary.equations for summary in summaries]

    def rates(finding: Finding) -> FindingRates:
        counts = [_count(summary, finding) for summary in summaries]
        return FindingRates(
            equations=sum(counts),
            of_equations=rate(counts, equations, sources),
            answers=sum(map(bool, counts)),
            of_answers=mean([float(bool(count)) for count in counts], sources),
            per_answer=mean(counts, sources),
        )

    derived = [summary.derived for summary in summaries]
    valid = [summary.valid_derived for summary in summaries]
    return ErrorRow(
        model=model,
        set=name,
        answers=len(answers),
        equations=sum(equations),
        derived=sum(derived),
        valid_equations=rate(valid, derived, sources),
        sound=mean([summary.sound for summary in summaries], sources),
        verified=mean([summary.verified for summary in summaries], sources),
        findings={finding: rates(finding) for finding in FINDINGS},
        missing_operators={
            count: sum(summary.missing_operators[count] for summary in summaries) for count in MISSING_OPERATORS
        },
    )


def _count(summary: ValiditySummary, finding: Finding) -> int:
    if finding == "unparsable" or finding == "undecided":
        return summary.truths[finding]
    return summary.errors[finding]
