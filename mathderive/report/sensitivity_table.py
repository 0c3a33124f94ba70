"""The table of sensitivity: a model's mean reaction to every perturbation, by metric.

It comes in three forms: rows of numbers, text tables for `tables.md`, and a grid for the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from mathderive.metrics.registry import TextMetric, text_metrics
from mathderive.metrics.statistics import Estimate, mean
from mathderive.records import PERTURBED_SETS, EvaluationSet, Sensitivity
from mathderive.report.numbers import decimals, percent, value_of, with_interval
from mathderive.report.text_tables import GridRow, TextTable, has_dash
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES

Quantity = Literal["difference", "reference_similarity", "output_similarity", "abs", "ratio", "norm_abs"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
"""The quantities of `MetricSensitivity`, which has their formulas."""

SENSITIVITY_KEY = (
    "Means over pairs of a static example and its variant, ×100 except for B / A and (A − B) / mean A. "
    "p_M: the score on the static example minus the score on its variant. "
    "A: the variant's reference scored against the static reference; it shows how much the perturbation leaves "
    "unchanged. B: the same for the model's two answers."
)

_GRID_COLUMNS: dict[Quantity, str] = {
    "difference": "p_M",
    "output_similarity": "B",
    "abs": "A − B",
    "ratio": "B / A",
    "norm_abs": "norm",
}


@dataclass(frozen=True)
class SensitivityRow:
    """One model's mean reactions to one perturbation.

    Attributes:
        pairs: the number of pairs of a static example and its variant.
        means: the means by the metric's key; None where some pair lacks the metric. The mean `ratio` is over the pairs
            that have one.
    """

    model: str
    set: EvaluationSet
    pairs: int
    means: Mapping[str, Mapping[Quantity, Estimate | None] | None]


def sensitivity_rows(sensitivity: Mapping[str, Sequence[Sensitivity]]) -> list[SensitivityRow]:
    """Returns a row for each perturbed set and, within it, each model in the order given."""
    rows = []
    for name in PERTURBED_SETS:
        for model, records in sensitivity.items():
            pairs = [record for record in records if record.set == name]
            if pairs:
                reactions = {metric.key: _mean_reaction(pairs, metric.key) for metric in _metrics()}
                rows.append(SensitivityRow(model, name, len(pairs), reactions))
    return rows


def sensitivity_tables(rows: Sequence[SensitivityRow]) -> list[TextTable]:
    """Lays out one table for each metric; `SENSITIVITY_KEY` explains the columns."""
    head = ["Model", "Set", "p_M", "A", "B", "A − B", "B / A", "(A − B) / mean A", "Pairs"]
    tables = []
    for metric in computed_metrics(rows):
        lines = [
            [
                row.model,
                SET_TITLES[row.set],
                *(quantity(row.means[metric.key], name, interval=True) for name in QUANTITIES),
                str(row.pairs),
            ]
            for row in rows
        ]
        tables.append(TextTable(metric.title, "", head, lines))
    return tables


@dataclass(frozen=True)
class SensitivityBlock:
    """One perturbation.

    Attributes:
        reference_similarities: the title of each metric and its A.
        rows: one row for each model.
    """

    set: EvaluationSet
    reference_similarities: Sequence[tuple[str, str]]
    rows: Sequence[GridRow]


@dataclass(frozen=True)
class SensitivityGrid:
    """The page's table of sensitivity: a block of rows for each perturbation, a group of columns for each metric."""

    groups: Sequence[str]
    columns: Sequence[str]
    blocks: Sequence[SensitivityBlock]
    has_dash: bool


def sensitivity_grid(rows: Sequence[SensitivityRow]) -> SensitivityGrid:
    """Lays out the page's table."""
    metrics = computed_metrics(rows)
    blocks = []
    for name in PERTURBED_SETS:
        in_set = [row for row in rows if row.set == name]
        if not in_set:
            continue
        grid_rows = [
            GridRow(
                row.model, [[quantity(row.means[metric.key], column) for column in _GRID_COLUMNS] for metric in metrics]
            )
            for row in in_set
        ]
        # A depends on the references alone, so it is the same for every model that has the metric.
        similarities = []
        for metric in metrics:
            means = next((row.means[metric.key] for row in in_set if row.means[metric.key]), None)
            similarities.append((metric.title, quantity(means, "reference_similarity")))
        blocks.append(SensitivityBlock(name, similarities, grid_rows))
    is_incomplete = any(has_dash(block.rows) for block in blocks)
    return SensitivityGrid([metric.title for metric in metrics], list(_GRID_COLUMNS.values()), blocks, is_incomplete)


def computed_metrics(rows: Sequence[SensitivityRow]) -> list[TextMetric]:
    """Returns the metrics whose sensitivity some row has; those with a function of their own are always among them."""
    return [m for m in _metrics() if m.score is not None or any(row.means[m.key] is not None for row in rows)]


def quantity(means: Mapping[Quantity, Estimate | None] | None, name: Quantity, interval: bool = False) -> str:
    """Formats one mean of a row: relative quantities with three decimals, the others as `percent`."""
    estimate = None if means is None else means[name]
    show = decimals if name in ("ratio", "norm_abs") else percent
    return with_interval(estimate, show) if interval else show(value_of(estimate))


def _metrics() -> list[TextMetric]:
    return [metric for metric in text_metrics() if metric.sensitivity]


def _mean_reaction(pairs: Sequence[Sensitivity], metric: str) -> dict[Quantity, Estimate | None] | None:
    reactions = [pair.metric(metric) for pair in pairs]
    if None in reactions:
        return None
    means: dict[Quantity, Estimate | None] = {}
    for name in QUANTITIES:
        values = [(getattr(reaction, name), pair.source_id) for pair, reaction in zip(pairs, reactions, strict=True)]
        known = [(value, source) for value, source in values if value is not None]
        complete = len(known) == len(values) or name == "ratio"
        means[name] = mean([value for value, _ in known], [source for _, source in known]) if complete else None
    return means
