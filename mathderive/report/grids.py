"""The page's two tables as grids of finished text: a row a model, a group of columns a metric."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.records import EVALUATION_SETS, METRICS, PERTURBED_SETS, EvaluationSet, Measure
from mathderive.report.recorded import RECORDED, RECORDED_EXAMPLES, RecordedRow
from mathderive.report.tables import (
    DASH,
    MEASURE_NAMES,
    METRIC_NAMES,
    SET_LABELS,
    Quantity,
    ScoreRow,
    SensitivityRow,
    computed_measures,
    computed_metrics,
    percent,
    quantity,
    value_of,
)


@dataclass(frozen=True)
class GridRow:
    model: str
    groups: Sequence[Sequence[str]]
    """A group's cells, for each group of the grid."""


@dataclass(frozen=True)
class ScoreGrid:
    sets: Sequence[EvaluationSet]
    groups: Sequence[str]
    rows: Sequence[GridRow]
    recorded: Sequence[GridRow]
    """The authors' means, on the same sets."""
    sizes: str | None
    """The number of examples in words, or None where models differ and the last group tells."""
    has_dash: bool


@dataclass(frozen=True)
class SensitivityBlock:
    """One perturbation: how alike the references are (A, a text for each metric) and every model's row."""

    set: EvaluationSet
    reference_similarities: Sequence[tuple[str, str]]
    rows: Sequence[GridRow]


@dataclass(frozen=True)
class SensitivityGrid:
    groups: Sequence[str]
    columns: Sequence[str]
    blocks: Sequence[SensitivityBlock]
    has_dash: bool


_COLUMNS: dict[Quantity, str] = {
    "difference": "p_M",
    "output_similarity": "B",
    "abs": "A − B",
    "ratio": "B / A",
    "norm_abs": "norm",
}


def score_grid(rows: Sequence[ScoreRow]) -> ScoreGrid:
    """A row a model; the groups are the measures, each with a column for every set."""
    computed = computed_measures(rows)
    measures = [*computed, *(metric for metric in METRICS if metric not in computed)]  # the authors' rows have them
    cells = {(row.model, row.set): row for row in rows}
    sets = [name for name in EVALUATION_SETS if any(row.set == name for row in rows)]
    counts = {name: {row.examples for row in rows if row.set == name} for name in sets}
    even = all(len(sizes) == 1 for sizes in counts.values())
    grid_rows = []
    for model in dict.fromkeys(row.model for row in rows):
        found = [cells.get((model, name)) for name in sets]
        groups = [[percent(value_of(row.means[measure])) if row else DASH for row in found] for measure in measures]
        if not even:
            groups.append([str(row.examples) if row else DASH for row in found])
        grid_rows.append(GridRow(model, groups))
    sizes = ", ".join(f"{counts[name].copy().pop()} {SET_LABELS[name]}" for name in sets) if even else None
    headings = [*(MEASURE_NAMES[measure] for measure in measures), *([] if even else ["Examples"])]
    recorded = [GridRow(row.model, _recorded_groups(row, measures, sets, with_examples=not even)) for row in RECORDED]
    return ScoreGrid(sets, headings, grid_rows, recorded, sizes, _has_dash([*grid_rows, *recorded]))


def _recorded_groups(
    row: RecordedRow, measures: Sequence[Measure], sets: Sequence[EvaluationSet], with_examples: bool
) -> list[list[str]]:
    groups = [[percent(row.mean(measure, name)) for name in sets] for measure in measures]
    return [*groups, [str(RECORDED_EXAMPLES)] * len(sets)] if with_examples else groups


def sensitivity_grid(rows: Sequence[SensitivityRow]) -> SensitivityGrid:
    """A block a perturbation with a row a model; the groups are the metrics."""
    metrics = computed_metrics(rows)
    blocks = []
    for name in PERTURBED_SETS:
        of_set = [row for row in rows if row.set == name]
        if not of_set:
            continue
        grid_rows = [
            GridRow(
                row.model,
                [[quantity(row.means[metric], column) for column in _COLUMNS] for metric in metrics],
            )
            for row in of_set
        ]
        # A depends on the references alone, so any model that has the metric tells it.
        similarities = []
        for metric in metrics:
            means = next((row.means[metric] for row in of_set if row.means[metric]), None)
            similarities.append((METRIC_NAMES[metric], quantity(means, "reference_similarity")))
        blocks.append(SensitivityBlock(name, similarities, grid_rows))
    has_dash = any(_has_dash(block.rows) for block in blocks)
    return SensitivityGrid([METRIC_NAMES[metric] for metric in metrics], list(_COLUMNS.values()), blocks, has_dash)


def _has_dash(rows: Sequence[GridRow]) -> bool:
    return any(cell == DASH for row in rows for group in row.groups for cell in group)
