"""The tables of a run, from its predictions, scores and sensitivity alone: as rows, as Markdown and as JSON.

The same records give the same text byte for byte: nothing here reads the clock, the machine or a set's order.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from mathderive.records import (
    EVALUATION_SETS,
    METRICS,
    PERTURBED_SETS,
    EvaluationSet,
    Metric,
    MetricSensitivity,
    Prediction,
    Score,
    Sensitivity,
)
from mathderive.report.plain import cut, visible

METRIC_NAMES: Mapping[Metric, str] = {"rouge2": "ROUGE-2", "bleu": "BLEU", "gleu": "GLEU", "bleurt": "BLEURT"}
SET_NAMES: Mapping[EvaluationSet, str] = {
    "static": "Static",
    "vr": "Variable renaming",
    "ee": "Expression exchange",
    "ag": "Alternative goal",
    "sr": "Step removal",
}
SET_LABELS: Mapping[EvaluationSet, str] = {
    name: "Static" if name == "static" else name.upper() for name in EVALUATION_SETS
}

Quantity = Literal["difference", "reference_similarity", "output_similarity", "abs", "ratio", "norm_abs"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

DASH = "–"
NOT_COMPUTED = f"{DASH} not computed."


@dataclass(frozen=True)
class ScoreRow:
    """A model's means on one set; None where a metric was not computed for all of its examples."""

    model: str
    set: EvaluationSet
    examples: int
    means: Mapping[Metric, float | None]
    goal_reached: float
    """The share of answers whose last equation is the goal."""


@dataclass(frozen=True)
class SensitivityRow:
    """A model's mean reactions to one perturbation.

    `means[metric]` is None where the metric was not computed for every pair. A mean `ratio` is over the pairs
    that have one.
    """

    model: str
    set: EvaluationSet
    pairs: int
    means: Mapping[Metric, Mapping[Quantity, float | None] | None]


@dataclass(frozen=True)
class FailureRow:
    """How many of a model's answers failed for one reason, over all sets."""

    model: str
    reason: str
    count: int


Scores = Mapping[str, Mapping[EvaluationSet, Sequence[Score]]]
"""By model, then by set."""


def score_rows(scores: Scores) -> list[ScoreRow]:
    """A row for each model, in the order given, and each set that has scores."""
    return [
        ScoreRow(
            model=model,
            set=name,
            examples=len(by_set[name]),
            means={metric: _mean([getattr(score, metric) for score in by_set[name]]) for metric in METRICS},
            goal_reached=math.fsum(score.goal_reached for score in by_set[name]) / len(by_set[name]),
        )
        for model, by_set in scores.items()
        for name in EVALUATION_SETS
        if by_set.get(name)
    ]


def sensitivity_rows(sensitivity: Mapping[str, Sequence[Sensitivity]]) -> list[SensitivityRow]:
    """A row for each perturbed set and, within it, each model in the order given."""
    rows = []
    for name in PERTURBED_SETS:
        for model, records in sensitivity.items():
            pairs = [record for record in records if record.set == name]
            if pairs:
                means = {metric: _mean_reaction([getattr(pair, metric) for pair in pairs]) for metric in METRICS}
                rows.append(SensitivityRow(model, name, len(pairs), means))
    return rows


def failure_rows(predictions: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]]) -> list[FailureRow]:
    """A row for each model, in the order given, and each reason, the most frequent first."""
    rows = []
    for model, by_set in predictions.items():
        reasons = Counter(reason for of_set in by_set.values() for reason in map(_reason, of_set) if reason)
        ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
        rows += [FailureRow(model, reason, count) for reason, count in ordered]
    return rows


def _reason(prediction: Prediction) -> str | None:
    """Why an answer failed: its error's kind, which stands before what an endpoint may have added in its own words."""
    if prediction.error is not None:
        kind, _ = cut(prediction.error.partition(":")[0], 60)
        return visible(" ".join(kind.split())) or "error"
    return "cut at its length limit" if prediction.finish_reason == "length" else None


def computed_metrics(rows: Iterable[ScoreRow | SensitivityRow]) -> list[Metric]:
    """The metrics that some row has, in their fixed order; ROUGE-2, BLEU and GLEU are always among them."""
    rows = list(rows)
    return [m for m in METRICS if m != "bleurt" or any(row.means[m] is not None for row in rows)]


def as_json(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> dict[str, Any]:
    """`tables.json`: the rows, unrounded; null where not computed."""
    return {
        "scores": [
            {
                "model": row.model,
                "set": row.set,
                "examples": row.examples,
                **row.means,
                "goal_reached": row.goal_reached,
            }
            for row in scores
        ],
        "sensitivity": [{"model": row.model, "set": row.set, "pairs": row.pairs, **row.means} for row in sensitivity],
        **({"failures": [asdict(row) for row in failures]} if failures else {}),
    }


def as_markdown(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> str:
    """`tables.md`: scores in hundredths with one decimal, as the paper prints them; ratios with three."""
    metrics = computed_metrics(scores)
    main = _markdown_table(
        ["Model", "Set", *(METRIC_NAMES[metric] for metric in metrics), "Goal reached (%)", "Examples"],
        [
            [
                _escaped(row.model),
                SET_NAMES[row.set],
                *(percent(row.means[metric]) for metric in metrics),
                percent(row.goal_reached),
                str(row.examples),
            ]
            for row in scores
        ],
    )
    parts = ["## Scores", "Means, ×100.", main]
    if failures:
        lines = [[_escaped(row.model), _escaped(row.reason), str(row.count)] for row in failures]
        parts += ["## Answers that failed", FAILURES_KEY, _markdown_table(["Model", "Reason", "Answers"], lines)]
    if sensitivity:
        parts += ["## Sensitivity", SENSITIVITY_KEY]
    for metric in computed_metrics(sensitivity) if sensitivity else []:
        lines = [
            [
                _escaped(row.model),
                SET_NAMES[row.set],
                *(quantity(row.means[metric], name) for name in QUANTITIES),
                str(row.pairs),
            ]
            for row in sensitivity
        ]
        head = ["Model", "Set", "p_M", "A", "B", "A − B", "B / A", "(A − B) / mean A", "Pairs"]
        parts += [f"### {METRIC_NAMES[metric]}", _markdown_table(head, lines)]
    if any(DASH in part for part in parts if part.startswith("|")):
        parts.append(NOT_COMPUTED)
    return "\n\n".join(parts) + "\n"


FAILURES_KEY = "Over all sets. They count in the scores as they are, empty or cut."

SENSITIVITY_KEY = (
    "Means over pairs of a static example and its variant, ×100 save for B / A and (A − B) / mean A. "
    "p_M: score on the static example minus score on the variant. "
    "A: the variant's reference scored against the static reference, so how much the perturbation leaves "
    "as it was. B: the same for the model's two answers."
)


def percent(value: float | None) -> str:
    """A share in hundredths with one decimal; a dash for None."""
    return DASH if value is None else _signed(f"{100 * value:.1f}")


def quantity(means: Mapping[Quantity, float | None] | None, name: Quantity) -> str:
    """One mean of a sensitivity row: relative quantities with three decimals, the others as `percent`."""
    value = None if means is None else means[name]
    if value is None or name not in ("ratio", "norm_abs"):
        return percent(value)
    return _signed(f"{value:.3f}")


def _signed(number: str) -> str:
    """A typographer's minus, and none before zero."""
    return re.sub(r"^-(?=[0.]*$)", "", number).replace("-", "−")


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def _mean_reaction(
    reactions: Sequence[MetricSensitivity | None],
) -> dict[Quantity, float | None] | None:
    known = [reaction for reaction in reactions if reaction is not None]
    if len(known) != len(reactions):
        return None
    columns: dict[Quantity, list[float | None]] = {
        name: [getattr(reaction, name) for reaction in known] for name in QUANTITIES
    }
    columns["ratio"] = [ratio for ratio in columns["ratio"] if ratio is not None]
    return {name: _mean(column) for name, column in columns.items()}


def _escaped(text: str) -> str:
    """A model's name as Markdown shows it literally, on one line."""
    return re.sub(r"([\\`*_\[\]<>|&])", r"\\\1", " ".join(text.split()))


def _markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
