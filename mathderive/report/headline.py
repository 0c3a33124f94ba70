"""The headline of the page, of `tables.md` and of the terminal: the main scores, and whether they beat copying."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.metrics.comparisons import PairRow
from mathderive.metrics.measures import Measure, measures
from mathderive.metrics.statistics import ALPHA, Comparison
from mathderive.records import EVALUATION_SETS, EvaluationSet
from mathderive.report.numbers import DASH, with_interval
from mathderive.report.score_table import ScoreRow
from mathderive.report.text_tables import TextTable
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS

HEADLINE_MEASURES = {"verified": "verified answers", "sound": "sound answers", "rouge2": "ROUGE-2"}
"""The measures of the headline in order, with their words; those that were not computed are left out."""

_OUTCOMES = {
    "beats": "beats {}",
    "all better": "is ahead of {} by the same amount in every answer",
    "undecided": "does not differ significantly from {}",
    "equal": "equals {} in every answer",
    "all worse": "is behind {} by the same amount in every answer",
    "loses": "loses to {}",
}
"""The words for each outcome of a comparison. Without any variation there is no test."""


@dataclass(frozen=True)
class Headline:
    """The main result: a table, and a sentence for each model that is compared with the copy baseline."""

    table: TextTable
    sentences: Sequence[str]

    def markdown(self) -> str:
        """Returns the headline as a chapter of `tables.md`."""
        return "\n\n".join([self.table.markdown(level=2), *self.sentences]) + "\n"

    def plain(self) -> str:
        """Returns the headline for a terminal."""
        return "\n".join([self.table.plain(), *self.sentences])


def make_headline(rows: Sequence[ScoreRow], comparisons: Sequence[PairRow], copy_model: str | None) -> Headline | None:
    """Lays out the headline; None where nothing was scored."""
    if not rows:
        return None
    shown = [_measure(key) for key in HEADLINE_MEASURES if any(row.means[key] for row in rows)]
    sets = [name for name in EVALUATION_SETS if any(row.set == name for row in rows)]
    cells = {(row.model, row.set): row.means for row in rows}
    lines = [
        [
            measure.title,
            model,
            *(with_interval(cells[model, name][measure.key]) if (model, name) in cells else DASH for name in sets),
        ]
        for measure in shown
        for model in dict.fromkeys(row.model for row in rows)
    ]
    head = ["Measure", "Model", *(SET_LABELS[name] for name in sets)]
    key = "Means over the answers, ×100, with 95 % bootstrap intervals."
    return Headline(TextTable("Results", key, head, lines), comparison_sentences(comparisons, copy_model))


def comparison_sentences(comparisons: Sequence[PairRow], copy_model: str | None) -> list[str]:
    """Says of every other model on which sets it beats copying, and on which it does not.

    The measure is the first of the headline that all of a model's answers have; without one there is no sentence.
    """
    by_model: dict[str, dict[EvaluationSet, tuple[PairRow, int]]] = {}
    for row in comparisons:
        if copy_model in (row.model, row.other):
            model, sign = (row.other, -1) if row.model == copy_model else (row.model, 1)
            by_model.setdefault(model, {})[row.set] = row, sign
    return [
        _sentence(key, model, copy_model or "", by_set)
        for model, by_set in by_model.items()
        for key in [key for key in HEADLINE_MEASURES if all(row.comparisons[key] for row, _ in by_set.values())][:1]
    ]


def _sentence(key: str, model: str, copy_model: str, by_set: dict[EvaluationSet, tuple[PairRow, int]]) -> str:
    outcomes: dict[str, list[str]] = {}
    for name, (row, sign) in by_set.items():
        comparison = row.comparisons[key]
        assert comparison is not None
        outcomes.setdefault(_outcome(comparison, sign), []).append(_in_a_sentence(SET_LABELS[name]))
    clauses = [
        f"{words.format(copy_model)} on {_listed(outcomes[outcome])}"
        for outcome, words in _OUTCOMES.items()
        if outcome in outcomes
    ]
    return (
        f"By {HEADLINE_MEASURES[key]}, {model} {'; it '.join(clauses)} "
        f"(paired bootstrap test, p < {ALPHA}, adjusted by Holm’s method)."
    )


def _outcome(comparison: Comparison, sign: int) -> str:
    difference = sign * comparison.difference.value
    if comparison.p is None:
        return "equal" if not difference else "all better" if difference > 0 else "all worse"
    if comparison.adjusted_p is None or comparison.adjusted_p >= ALPHA:
        return "undecided"
    return "beats" if difference > 0 else "loses"


def _in_a_sentence(label: str) -> str:
    return label if label.isupper() else label.lower()


def _measure(key: str) -> Measure:
    return next(measure for measure in measures() if measure.key == key)


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
