"""Two runs side by side: the tables and sentences about their scores, their verdicts and their configs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from mathderive.config.differences import differences
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.metrics.comparisons import ChangeRow, PairRow, change_rows, pair_rows
from mathderive.metrics.statistics import Comparison
from mathderive.records import EVALUATION_SETS, EvaluationSet, Scores
from mathderive.report.headline import comparison_sentences
from mathderive.report.numbers import DASH, decimals, percent, value_of, with_interval
from mathderive.report.plain import cut, visible
from mathderive.report.score_table import ScoreRow, computed_measures, score_rows
from mathderive.report.text_tables import TextTable
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS

LISTED = 3
"""The number of examples named or shown for each change of a verdict."""

LONGEST_VALUE = 120
"""Maximum number of characters shown of one value of a config."""


@dataclass(frozen=True)
class ComparedRun:
    """A finished run.

    Attributes:
        name: a word for the run in tables and sentences.
        folder: the run folder as it was given.
        config: the config of the report, as plain JSON data.
        scores: the scores of each compared predictor.
        checked: the answers of these predictors with their verdicts, where they were checked; needed by the page alone.
    """

    name: str
    folder: str
    config: Mapping[str, Any]
    scores: Scores
    checked: Mapping[str, Mapping[EvaluationSet, Sequence[CheckedAnswer]]] = field(default_factory=dict)

    def label(self, predictor: str) -> str:
        """Returns a predictor's name among those of both runs."""
        return f"{predictor} ({self.name})"


class Pair(NamedTuple):
    """A predictor of the first run and the one of the second run that is compared with it, each by its name."""

    first: str
    second: str

    @property
    def title(self) -> str:
        """The pair's name in headings."""
        return self.first if self.first == self.second else f"{self.first} and {self.second}"


@dataclass(frozen=True)
class RunComparison:
    """Two runs that were evaluated on the same examples.

    Attributes:
        pairs: the compared predictors.
        notes: remarks, such as that a predictor is left out.
    """

    first: ComparedRun
    second: ComparedRun
    pairs: Sequence[Pair]
    notes: Sequence[str] = ()

    def labels(self, pair: Pair) -> tuple[str, str]:
        """Returns the labels of a pair, the second run's first: a difference is the second run minus the first."""
        return self.second.label(pair.second), self.first.label(pair.first)

    @cached_property
    def scores(self) -> Scores:
        """The scores of the compared predictors by their labels."""
        return {run.label(name): by_set for run in (self.first, self.second) for name, by_set in run.scores.items()}

    @cached_property
    def means(self) -> list[ScoreRow]:
        """The means of each compared predictor on each set."""
        return score_rows(self.scores)

    @cached_property
    def rows(self) -> list[PairRow]:
        """The comparisons of each pair on each set."""
        return pair_rows(self.scores, map(self.labels, self.pairs))

    def rows_of(self, pair: Pair) -> list[PairRow]:
        """Returns the comparisons of one pair."""
        return [row for row in self.rows if (row.model, row.other) == self.labels(pair)]

    @cached_property
    def changes(self) -> list[ChangeRow]:
        """The verified answers of each pair on each set."""
        return change_rows(self.scores, map(self.labels, self.pairs))

    @cached_property
    def unchanged(self) -> list[Pair]:
        """The pairs whose answers have the same scores in both runs."""
        return [pair for pair in self.pairs if len({self._values(label) for label in self.labels(pair)}) == 1]

    def _values(self, label: str) -> tuple[str, ...]:
        """Returns the scores of a predictor without its name, as JSON."""
        by_set = self.scores[label]
        return tuple(score.model_dump_json(exclude={"model"}) for in_set in by_set.values() for score in in_set)


def plain_comparison(comparison: RunComparison) -> str:
    """Returns the comparison for a terminal: the tables, then what they say."""
    tables = [*measure_tables(comparison), change_table(comparison), config_table(comparison)]
    parts = [
        "\n".join([*(f"{run.name}: {run.folder}" for run in (comparison.first, comparison.second)), sizes(comparison)]),
        *(table.plain() for table in tables if table.rows),
        "\n".join([*sentences(comparison), *comparison.notes, measures_key(comparison)]),
    ]
    return "\n\n".join(map(visible, parts))


def sizes(comparison: RunComparison) -> str:
    """Says how many examples of each set were evaluated."""
    by_set = next(iter(comparison.scores.values()))
    counts = [f"{len(by_set[name])} {SET_LABELS[name]}" for name in EVALUATION_SETS if by_set.get(name)]
    return f"Both were evaluated on the same examples: {', '.join(counts)}."


def sentences(comparison: RunComparison) -> list[str]:
    """Says of each pair on which sets the second run is better, and what does not differ at all."""
    said = []
    for pair in comparison.pairs:
        if pair in comparison.unchanged:
            said.append(f"{pair.title}: every answer has the same scores in both runs.")
        else:
            said += comparison_sentences(comparison.rows_of(pair), comparison.first.label(pair.first))
    if not config_table(comparison).rows:
        said.append("The configs do not differ.")
    return said


def measures_key(comparison: RunComparison) -> str:
    """Explains the numbers of the tables of measures."""
    return (
        f"Means ×100. Difference: {comparison.second.name} minus {comparison.first.name}, with its 95 % bootstrap "
        "interval. p: by the paired bootstrap test on the examples, adjusted for all tests of the measure by Holm’s "
        f"method; 1 if no answer differs. {DASH}: not computed, or no test where all answers differ by the same amount."
    )


def measure_tables(comparison: RunComparison) -> list[TextTable]:
    """Lays out a table for each pair that differs: every measure's two means, their difference and its test."""
    means = {(row.model, row.set): row for row in comparison.means}
    computed = computed_measures(comparison.means)
    head = ["Measure", "Set", comparison.first.name, comparison.second.name, "Difference", "p"]
    tables = []
    for pair in comparison.pairs:
        if pair in comparison.unchanged:
            continue
        second, first = comparison.labels(pair)
        lines = [
            [
                measure.title,
                SET_LABELS[row.set],
                *(percent(value_of(means[label, row.set].means[measure.key])) for label in (first, second)),
                *_difference(row.comparisons[measure.key]),
            ]
            for measure in computed
            for row in comparison.rows_of(pair)
        ]
        tables.append(TextTable(pair.title, "", head, lines))
    return tables


def _difference(comparison: Comparison | None) -> tuple[str, str]:
    """Formats a difference and its p-value."""
    if comparison is None:
        return DASH, DASH
    is_zero = comparison.p is None and not comparison.difference.value
    p = 1.0 if is_zero else comparison.adjusted_p
    return with_interval(comparison.difference), "< 0.001" if p is not None and p < 0.001 else decimals(p)


def change_table(comparison: RunComparison) -> TextTable:
    """Lists the answers that are verified in one run alone; no rows where there are none."""
    titles = {comparison.labels(pair): pair.title for pair in comparison.pairs}
    lines = []
    for row in comparison.changes:
        for run, ids in ((comparison.first, row.other_alone), (comparison.second, row.model_alone)):
            if ids:
                listed = [*ids[:LISTED], *(["…"] if len(ids) > LISTED else [])]
                count = f"{len(ids)} of {row.examples}"
                lines.append([titles[row.model, row.other], SET_LABELS[row.set], run.name, count, ", ".join(listed)])
    head = ["Predictor", "Set", "Verified in", "Answers", "Examples"]
    return TextTable("Verified in one run alone", "", head, lines, labels=len(head))


def config_table(comparison: RunComparison) -> TextTable:
    """Lists the keys in which the configs differ; no rows where there are none."""
    first, second = comparison.first, comparison.second
    lines = [[key, _value(one), _value(other)] for key, one, other in differences(first.config, second.config)]
    return TextTable("Configuration", "", ["Key", first.name, second.name], lines, labels=3)


def _value(text: str | None) -> str:
    if text is None:
        return DASH
    shown, omitted = cut(text, LONGEST_VALUE)
    return f"{shown}…" if omitted else shown
