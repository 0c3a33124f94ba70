"""How often answers are wrong, and how: the paper's table of reasoning errors, with verdicts by the checker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mathderive.metrics.statistics import Estimate, mean, rate
from mathderive.records import EVALUATION_SETS, EvaluationSet, Score, Scores, ValiditySummary

Finding = Literal["incorrect", "redundant", "irrelevant", "skipped", "unparsable", "undecided"]
"""The paper's categories, then what has none: no equation that can be read, and no decision within the bounds."""

FINDINGS: tuple[Finding, ...] = get_args(Finding)


@dataclass(frozen=True)
class FindingRates:
    """How often one thing is found.

    Attributes:
        equations: of how many equations.
        of_equations: their share among all equations; None where there are none.
        answers: in how many answers.
        of_answers: their share among all answers.
        per_answer: equations an answer.
    """

    equations: int
    of_equations: Estimate | None
    answers: int
    of_answers: Estimate | None
    per_answer: Estimate | None


@dataclass(frozen=True)
class ErrorRow:
    """One model's answers to one set (None: to all together)."""

    model: str
    set: EvaluationSet | None
    answers: int
    equations: int
    valid_equations: Estimate | None
    """The share of all equations that are premise or valid."""
    verified: Estimate | None
    """The share of all answers."""
    findings: dict[Finding, FindingRates]


def error_rows(scores: Scores) -> list[ErrorRow]:
    """A row for each model, in the order given, and each set, then all sets together; none without verdicts."""
    rows = []
    for model, by_set in scores.items():
        checked = [score for of_set in by_set.values() for score in of_set if score.validity]
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

    valid = [summary.truths["premise"] + summary.truths["valid"] for summary in summaries]
    return ErrorRow(
        model=model,
        set=name,
        answers=len(answers),
        equations=sum(equations),
        valid_equations=rate(valid, equations, sources),
        verified=mean([summary.verified for summary in summaries], sources),
        findings={finding: rates(finding) for finding in FINDINGS},
    )


def _count(summary: ValiditySummary, finding: Finding) -> int:
    if finding == "unparsable" or finding == "undecided":
        return summary.truths[finding]
    return summary.errors[finding]
