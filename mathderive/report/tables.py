"""The tables of a run, from its predictions, scores and sensitivity alone: as rows, as Markdown and as JSON.

The same records give the same text byte for byte: nothing here reads the clock, the machine or a set's order.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from mathderive.metrics.breakdown import means
from mathderive.metrics.statistics import Estimate, Interval, mean
from mathderive.records import (
    EVALUATION_SETS,
    MEASURES,
    METRICS,
    PERTURBED_SETS,
    EvaluationSet,
    Measure,
    Metric,
    Prediction,
    Scores,
    Sensitivity,
)
from mathderive.report.plain import cut, visible
from mathderive.report.text_tables import TextTable
from mathderive.symbolic.engine import evaluation_sets

MEASURE_NAMES: Mapping[Measure, str] = {
    "rouge2": "ROUGE-2",
    "bleu": "BLEU",
    "gleu": "GLEU",
    "bleurt": "BLEURT",
    "goal_reached": "Goal reached",
    "valid_equations": "Valid equations",
    "verified": "Verified",
}
METRIC_NAMES: Mapping[Metric, str] = {metric: MEASURE_NAMES[metric] for metric in METRICS}
SET_NAMES: Mapping[EvaluationSet, str] = evaluation_sets.SET_TITLES
SET_LABELS: Mapping[EvaluationSet, str] = evaluation_sets.SET_LABELS

Quantity = Literal["difference", "reference_similarity", "output_similarity", "abs", "ratio", "norm_abs"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

DASH = "–"
NOT_COMPUTED = f"{DASH} not computed."


@dataclass(frozen=True)
class ScoreRow:
    """A model's means on one set; None where a measure was not computed for all of its examples."""

    model: str
    set: EvaluationSet
    examples: int
    means: Mapping[Measure, Estimate | None]


@dataclass(frozen=True)
class SensitivityRow:
    """A model's mean reactions to one perturbation.

    `means[metric]` is None where the metric was not computed for every pair. A mean `ratio` is over the pairs
    that have one.
    """

    model: str
    set: EvaluationSet
    pairs: int
    means: Mapping[Metric, Mapping[Quantity, Estimate | None] | None]


@dataclass(frozen=True)
class FailureRow:
    """How many of a model's answers failed for one reason, over all sets."""

    model: str
    reason: str
    count: int


def score_rows(scores: Scores) -> list[ScoreRow]:
    """A row for each model, in the order given, and each set that has scores."""
    return [
        ScoreRow(model, name, len(by_set[name]), means(by_set[name]))
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
                rows.append(SensitivityRow(model, name, len(pairs), {m: _mean_reaction(pairs, m) for m in METRICS}))
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


def computed_measures(rows: Sequence[ScoreRow]) -> list[Measure]:
    """The measures that some row has, in their fixed order; what the checker says is among them where it was asked."""
    return [
        measure
        for measure in MEASURES
        if measure in ("rouge2", "bleu", "gleu", "goal_reached") or any(row.means[measure] for row in rows)
    ]


def as_json(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> dict[str, Any]:
    """The rows' part of `tables.json`: unrounded, intervals apart; null where not computed."""
    return {
        "scores": [
            {
                "model": row.model,
                "set": row.set,
                "examples": row.examples,
                **_values(row.means),
                "intervals": _intervals(row.means),
            }
            for row in scores
        ],
        "sensitivity": [
            {
                "model": row.model,
                "set": row.set,
                "pairs": row.pairs,
                **{metric: means and _values(means) for metric, means in row.means.items()},
                "intervals": {metric: means and _intervals(means) for metric, means in row.means.items()},
            }
            for row in sensitivity
        ],
        **({"failures": [asdict(row) for row in failures]} if failures else {}),
    }


def as_markdown(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> str:
    """The rows' part of `tables.md`: hundredths with one decimal, as the paper prints them; ratios with three."""
    tables = [score_table(scores)]
    if failures:
        lines = [[row.model, row.reason, str(row.count)] for row in failures]
        tables.append(TextTable("Answers that failed", FAILURES_KEY, ["Model", "Reason", "Answers"], lines))
    parts = [table.markdown(level=2) for table in tables]
    if sensitivity:
        tables += (of_metrics := sensitivity_tables(sensitivity))
        parts += ["## Sensitivity", SENSITIVITY_KEY, *(table.markdown() for table in of_metrics)]
    if any(DASH in row for table in tables for row in table.rows):
        parts.append(NOT_COMPUTED)
    return "\n\n".join(parts) + "\n"


def score_table(rows: Sequence[ScoreRow]) -> TextTable:
    """Every mean with its interval."""
    computed = computed_measures(rows)
    # BLEURT's column is there without its weights as well, and says so.
    measures = [measure for measure in MEASURES if measure in computed or measure == "bleurt"]
    lines = [
        [row.model, SET_NAMES[row.set], *(with_interval(row.means[m]) for m in measures), str(row.examples)]
        for row in rows
    ]
    head = ["Model", "Set", *(MEASURE_NAMES[measure] for measure in measures), "Examples"]
    key = " ".join([SCORES_KEY, *(MEASURE_KEYS[measure] for measure in measures if measure in MEASURE_KEYS)])
    return TextTable("Scores", key, head, lines)


def sensitivity_tables(rows: Sequence[SensitivityRow]) -> list[TextTable]:
    """A table a metric; what the columns mean is `SENSITIVITY_KEY`."""
    head = ["Model", "Set", "p_M", "A", "B", "A − B", "B / A", "(A − B) / mean A", "Pairs"]
    tables = []
    for metric in computed_metrics(rows):
        lines = [
            [
                row.model,
                SET_NAMES[row.set],
                *(quantity(row.means[metric], name, interval=True) for name in QUANTITIES),
                str(row.pairs),
            ]
            for row in rows
        ]
        tables.append(TextTable(METRIC_NAMES[metric], "", head, lines))
    return tables


SCORES_KEY = "Means over the answers, ×100, with 95 % bootstrap intervals."
MEASURE_KEYS: Mapping[Measure, str] = {
    "goal_reached": "Goal reached: the answer's last equation is the one that was asked for.",
    "valid_equations": "Valid equations: the share of an answer's equations that are a premise, or follow from earlier "
    "ones by one operator.",
    "verified": "Verified: the goal is reached by such equations alone.",
}

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


def with_interval(estimate: Estimate | None, show: Callable[[float | None], str] = percent) -> str:
    """A value and its interval in brackets, where it has one."""
    if estimate is None or estimate.interval is None:
        return show(value_of(estimate))
    low, high = estimate.interval
    return f"{show(estimate.value)} [{show(low)}, {show(high)}]"


def decimals(value: float | None, places: int = 3) -> str:
    """A number with so many decimals; a dash for None."""
    return DASH if value is None else _signed(f"{value:.{places}f}")


def value_of(estimate: Estimate | None) -> float | None:
    """The value alone."""
    return None if estimate is None else estimate.value


def quantity(means: Mapping[Quantity, Estimate | None] | None, name: Quantity, interval: bool = False) -> str:
    """One mean of a sensitivity row: relative quantities with three decimals, the others as `percent`."""
    estimate = None if means is None else means[name]
    show = decimals if name in ("ratio", "norm_abs") else percent
    return with_interval(estimate, show) if interval else show(value_of(estimate))


def _signed(number: str) -> str:
    """A typographer's minus, and none before zero."""
    return re.sub(r"^-(?=[0.]*$)", "", number).replace("-", "−")


def _mean_reaction(pairs: Sequence[Sensitivity], metric: Metric) -> dict[Quantity, Estimate | None] | None:
    reactions = [getattr(pair, metric) for pair in pairs]
    if None in reactions:
        return None
    means: dict[Quantity, Estimate | None] = {}
    for name in QUANTITIES:
        values = [(getattr(reaction, name), pair.source_id) for pair, reaction in zip(pairs, reactions, strict=True)]
        known = [(value, source) for value, source in values if value is not None]
        complete = len(known) == len(values) or name == "ratio"
        means[name] = mean([value for value, _ in known], [source for _, source in known]) if complete else None
    return means


def _values(means: Mapping[Any, Estimate | None]) -> dict[str, float | None]:
    return {name: value_of(estimate) for name, estimate in means.items()}


def _intervals(means: Mapping[Any, Estimate | None]) -> dict[str, Interval | None]:
    return {name: None if estimate is None else estimate.interval for name, estimate in means.items()}
