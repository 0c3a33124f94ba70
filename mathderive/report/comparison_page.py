"""The page of two runs side by side: one file that opens from disk, in the report's style."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from mathderive.core.files import write_text
from mathderive.metrics.measures import measures
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction
from mathderive.report.examples import ScoredAnswer, ShownExample, choose, shown_example
from mathderive.report.figures import difference_figure
from mathderive.report.run_comparison import (
    LISTED,
    Pair,
    RunComparison,
    change_table,
    config_table,
    measure_tables,
    measures_key,
    sentences,
    sizes,
)
from mathderive.report.templates import drawn_figure, render_page
from mathderive.report.text_tables import TextTable
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES


@dataclass(frozen=True)
class MeasureBlock:
    """The comparisons of one pair of predictors.

    Attributes:
        by_measure: each measure's title with its rows.
    """

    title: str
    head: Sequence[str]
    by_measure: Sequence[tuple[str, Sequence[Sequence[str]]]]


@dataclass(frozen=True)
class ShownChange:
    """Some of the examples that a pair of predictors answers with a verified derivation in one run alone."""

    title: str
    examples: list[ShownExample]


def write_comparison(path: Path, comparison: RunComparison) -> None:
    """Writes the page, whole or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    changed = {pair.title: comparison.rows_of(pair) for pair in comparison.pairs if pair not in comparison.unchanged}
    page = render_page(
        "comparison.html",
        title=f"{comparison.first.name} and {comparison.second.name}",
        runs=[comparison.first, comparison.second],
        sizes=sizes(comparison),
        notes=comparison.notes,
        sentences=sentences(comparison),
        figure=drawn_figure(lambda shape: difference_figure(changed, shape) if changed else None),
        blocks=[_by_measure(table) for table in measure_tables(comparison)],
        measures_key=measures_key(comparison),
        measures=measures(),
        changes=change_table(comparison),
        shown_changes=list(_shown_changes(comparison)),
        config=config_table(comparison),
        set_names=SET_TITLES,
    )
    write_text(path, page)


def _by_measure(table: TextTable) -> MeasureBlock:
    """Divides a table into one small table for each measure, so that all of them fit any screen."""
    groups = groupby(table.rows, key=lambda row: row[0])
    return MeasureBlock(table.title, table.head[1:], [(measure, [row[1:] for row in rows]) for measure, rows in groups])


def _shown_changes(comparison: RunComparison) -> Iterator[ShownChange]:
    for pair in comparison.pairs:
        rows = [row for row in comparison.changes if (row.model, row.other) == comparison.labels(pair)]
        for run, ids in (
            (comparison.second, {key for row in rows for key in row.model_alone}),
            (comparison.first, {key for row in rows for key in row.other_alone}),
        ):
            if ids:
                title = f"{pair.title}: verified in {run.name} alone"
                yield ShownChange(title, _shown_examples(comparison, pair, ids))


def _shown_examples(comparison: RunComparison, pair: Pair, ids: Collection[str]) -> list[ShownExample]:
    """Lays out some of the examples, spread over the sets, with the answers of both runs."""
    examples: dict[EvaluationSet, list[Example]] = {name: [] for name in EVALUATION_SETS}
    answers: dict[str, list[ScoredAnswer]] = {key: [] for key in ids}
    for run, predictor in ((comparison.first, pair.first), (comparison.second, pair.second)):
        for name, in_set in run.checked[predictor].items():
            scores = {score.id: score for score in run.scores[predictor][name]}
            for answer in (one for one in in_set if one.id in ids):
                named: dict[str, Any] = {"id": answer.id, "source_id": answer.source_id, "set": name}
                if run is comparison.first:
                    examples[name].append(Example(**named, prompt=answer.prompt, target=answer.target, steps=[]))
                prediction = Prediction(**named, model=run.label(predictor), text=answer.text)
                answers[answer.id].append(ScoredAnswer(prediction, scores[answer.id], answer.validity))
    return [shown_example(example, answers[example.id]) for example in choose(examples, LISTED)]
