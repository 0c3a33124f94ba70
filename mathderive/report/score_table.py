"""The table of scores: a model's mean of every measure on every set.

It comes in three forms: rows of numbers, a text table for `tables.md`, and small tables for the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mathderive.metrics.breakdown import means
from mathderive.metrics.measures import Measure, measures
from mathderive.metrics.registry import text_metrics
from mathderive.metrics.statistics import Estimate
from mathderive.records import EVALUATION_SETS, EvaluationSet, Scores
from mathderive.report.numbers import DASH, percent, value_of, with_interval
from mathderive.report.recorded import RECORDED, RecordedRow
from mathderive.report.text_tables import GridRow, TextTable, has_dash
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS, SET_TITLES

SCORES_KEY = "Means over the answers, ×100, with 95 % bootstrap intervals."


@dataclass(frozen=True)
class ScoreRow:
    """One model's means on one set.

    Attributes:
        examples: the number of examples.
        means: the mean of each measure by its key; None where some answer lacks the measure.
    """

    model: str
    set: EvaluationSet
    examples: int
    means: Mapping[str, Estimate | None]


def score_rows(scores: Scores) -> list[ScoreRow]:
    """Returns a row for each model, in the order given, and each set that has scores."""
    return [
        ScoreRow(model, name, len(by_set[name]), means(by_set[name]))
        for model, by_set in scores.items()
        for name in EVALUATION_SETS
        if by_set.get(name)
    ]


def computed_measures(rows: Sequence[ScoreRow]) -> list[Measure]:
    """Returns the measures that are always computed and those that some row has."""
    return [
        measure for measure in measures() if measure.is_always_computed or any(row.means[measure.key] for row in rows)
    ]


def score_table(rows: Sequence[ScoreRow]) -> TextTable:
    """Lays out every mean with its interval."""
    shown = _with_all_text_metrics(rows)
    lines = [
        [row.model, SET_TITLES[row.set], *(with_interval(row.means[m.key]) for m in shown), str(row.examples)]
        for row in rows
    ]
    head = ["Model", "Set", *(measure.title for measure in shown), "Examples"]
    key = " ".join([SCORES_KEY, *(measure.description for measure in shown if measure.description)])
    return TextTable("Scores", key, head, lines)


def _with_all_text_metrics(rows: Sequence[ScoreRow]) -> list[Measure]:
    """Returns the computed measures and BLEURT, whose column shows that it was not computed."""
    keys = {measure.key for measure in computed_measures(rows)} | {metric.key for metric in text_metrics()}
    return [measure for measure in measures() if measure.key in keys]


@dataclass(frozen=True)
class MeasureTable:
    """One measure's means: a row for each model and a column for each set; `recorded` are the authors' means."""

    title: str
    rows: Sequence[GridRow]
    recorded: Sequence[GridRow]


@dataclass(frozen=True)
class ScoreGrid:
    """The page's tables of scores.

    Attributes:
        tables: one table for each measure, and one for the numbers of examples where models differ in them.
        sizes: the number of examples of each set in words; None where models differ.
        has_dash: some cell is a dash.
    """

    sets: Sequence[EvaluationSet]
    tables: Sequence[MeasureTable]
    sizes: str | None
    has_dash: bool


def score_grid(rows: Sequence[ScoreRow], recorded: Sequence[RecordedRow] = RECORDED) -> ScoreGrid:
    """Lays out one small table for each measure, with the authors' rows, so that all of them fit any screen."""
    cells = {(row.model, row.set): row for row in rows}
    sets = [name for name in EVALUATION_SETS if any(row.set == name for row in rows)]
    models = list(dict.fromkeys(row.model for row in rows))
    computed = {measure.key for measure in computed_measures(rows)}
    # The authors' rows have BLEURT, so there is a table for it at the end even where it was not computed.
    shown = sorted(_with_all_text_metrics(rows), key=lambda measure: measure.key not in computed)

    def table(title: str, show: Callable[[ScoreRow], str], below: Sequence[GridRow] = ()) -> MeasureTable:
        by_model = [[cells.get((model, name)) for name in sets] for model in models]
        lines = [[show(row) if row else DASH for row in by_set] for by_set in by_model]
        return MeasureTable(title, [GridRow(model, [line]) for model, line in zip(models, lines, strict=True)], below)

    tables = [
        table(measure.title, _mean_of(measure), _recorded(measure, sets, recorded))
        for measure in (shown if rows else ())
    ]
    sizes = {name: {row.examples for row in rows if row.set == name} for name in sets}
    is_even = all(len(numbers) == 1 for numbers in sizes.values())
    if not is_even:
        tables.append(table("Examples", lambda row: str(row.examples)))
    return ScoreGrid(
        sets=sets,
        tables=tables,
        sizes=", ".join(f"{min(sizes[name])} {SET_LABELS[name]}" for name in sets) if is_even else None,
        has_dash=any(has_dash([*table.rows, *table.recorded]) for table in tables),
    )


def _mean_of(measure: Measure) -> Callable[[ScoreRow], str]:
    return lambda row: percent(value_of(row.means[measure.key]))


def _recorded(measure: Measure, sets: Sequence[EvaluationSet], recorded: Sequence[RecordedRow]) -> list[GridRow]:
    return [
        GridRow(row.model, [[percent(row.mean(measure.key, name)) for name in sets]])
        for row in recorded
        if measure.key in row.means
    ]
