"""The table of failures: how many of a model's answers failed, by reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mathderive.records import EvaluationSet, Prediction
from mathderive.report.plain import cut, visible
from mathderive.report.text_tables import TextTable

FAILURES_KEY = "Over all sets. Failed answers count in the scores as they are, empty or cut off."


@dataclass(frozen=True)
class FailureRow:
    """The number of a model's answers, over all sets, that failed for one reason."""

    model: str
    reason: str
    count: int


def failure_rows(predictions: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]]) -> list[FailureRow]:
    """Returns a row for each model, in the order given, and each reason, the most frequent first."""
    rows = []
    for model, by_set in predictions.items():
        reasons = Counter(reason for in_set in by_set.values() for reason in map(_reason, in_set) if reason)
        ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        rows += [FailureRow(model, reason, count) for reason, count in ordered]
    return rows


def failure_table(rows: Sequence[FailureRow]) -> TextTable:
    """Lays out the rows."""
    lines = [[row.model, row.reason, str(row.count)] for row in rows]
    return TextTable("Answers that failed", FAILURES_KEY, ["Model", "Reason", "Answers"], lines)


def _reason(prediction: Prediction) -> str | None:
    """Returns the kind of error, which precedes the endpoint's own words, if the answer failed."""
    if prediction.error is not None:
        kind, _ = cut(prediction.error.partition(":")[0], 60)
        return visible(" ".join(kind.split())) or "error"
    return "cut at its length limit" if prediction.finish_reason == "length" else None
