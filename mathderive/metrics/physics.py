"""Derivations in physics that people wrote: scores of models by field, and the checker's verdicts on the references."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mathderive.metrics.breakdown import means
from mathderive.metrics.checked_answers import CheckedAnswer, summarise
from mathderive.metrics.statistics import Estimate, mean
from mathderive.records import TRUTHS, Rules, Scores, Truth


@dataclass(frozen=True)
class PhysicsReferences:
    """Derivations that people wrote, which are the references of a run.

    Attributes:
        names: the titles of the derivations, by example id.
        fields: their fields of physics, by example id.
        verdicts: the checker's verdicts on the derivations by the rules that count; empty where nothing was checked.
    """

    names: Mapping[str, str]
    fields: Mapping[str, str]
    verdicts: Mapping[Rules, Sequence[CheckedAnswer]]


@dataclass(frozen=True)
class FieldRow:
    """One model's answers to the questions of one field of physics.

    Attributes:
        field: the field; None for all fields together.
        answers: the number of answers.
        means: the mean of each measure by its key; None where some answer lacks the measure.
    """

    model: str
    field: str | None
    answers: int
    means: Mapping[str, Estimate | None]


@dataclass(frozen=True)
class ReferenceRow:
    """The checker's verdicts on the derivations of one field of physics.

    Attributes:
        field: the field; None for all fields together.
        rules: the steps that count as one.
        derivations: the number of derivations.
        equations: the number of their equations.
        truths: the number of equations by verdict.
        sound: the share of sound derivations.
        verified: the share of verified derivations.
    """

    field: str | None
    rules: Rules
    derivations: int
    equations: int
    truths: Mapping[Truth, int]
    sound: Estimate | None
    verified: Estimate | None


def field_rows(references: PhysicsReferences, scores: Scores) -> list[FieldRow]:
    """Returns a row for each model, in the order given, and each field, then all fields together."""
    rows = []
    for model, by_set in scores.items():
        answers = [score for in_set in by_set.values() for score in in_set]
        for field in _fields(references):
            chosen = [score for score in answers if field in (references.fields[score.id], None)]
            rows += [FieldRow(model, field, len(chosen), means(chosen))] if chosen else []
    return rows


def reference_rows(references: PhysicsReferences) -> list[ReferenceRow]:
    """Returns a row for each field, then all fields together, by each kind of rules."""
    rows = []
    for field in _fields(references):
        for rules, checked in references.verdicts.items():
            chosen = [line for line in checked if field in (references.fields[line.id], None)]
            if chosen:
                rows.append(_reference_row(field, rules, chosen))
    return rows


def _fields(references: PhysicsReferences) -> list[str | None]:
    """Returns the fields in the dataset's order; None, for all of them, comes last."""
    return [*dict.fromkeys(references.fields.values()), None]


def _reference_row(field: str | None, rules: Rules, checked: Sequence[CheckedAnswer]) -> ReferenceRow:
    summaries = [summarise(line.validity) for line in checked]
    sources = [line.source_id for line in checked]
    return ReferenceRow(
        field=field,
        rules=rules,
        derivations=len(checked),
        equations=sum(summary.equations for summary in summaries),
        truths={truth: sum(summary.truths[truth] for summary in summaries) for truth in TRUTHS},
        sound=mean([summary.sound for summary in summaries], sources),
        verified=mean([summary.verified for summary in summaries], sources),
    )
