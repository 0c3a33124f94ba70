"""Comparisons: models with one another on the same examples, and variants with their static examples."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TypeVar

from mathderive.metrics.measures import Measure, measures
from mathderive.metrics.statistics import Comparison, compare, holm
from mathderive.records import EVALUATION_SETS, PERTURBED_SETS, EvaluationSet, Score, Scores

Comparisons = Mapping[str, Comparison | None]
"""A comparison by each measure's key; None where some answer lacks the measure."""


@dataclass(frozen=True)
class PairRow:
    """Two models compared on the examples of a set that both answered: `model` minus `other`."""

    model: str
    other: str
    set: EvaluationSet
    examples: int
    comparisons: Comparisons


@dataclass(frozen=True)
class EffectRow:
    """The effect of a perturbation on one model: the variants' scores minus those of their static examples."""

    model: str
    set: EvaluationSet
    pairs: int
    comparisons: Comparisons


@dataclass(frozen=True)
class ChangeRow:
    """The ids of a set's examples by which of two models answered them with a verified derivation."""

    model: str
    other: str
    set: EvaluationSet
    both: Sequence[str]
    model_alone: Sequence[str]
    other_alone: Sequence[str]
    neither: Sequence[str]

    @property
    def examples(self) -> int:
        """The number of examples that both answered."""
        return sum(map(len, (self.both, self.model_alone, self.other_alone, self.neither)))


def pair_rows(scores: Scores, pairs: Iterable[tuple[str, str]] | None = None) -> list[PairRow]:
    """Returns a row for each set and, within it, each pair of models, in the order given.

    The p-values of one measure form one family of tests (see `holm`).

    Args:
        pairs: the models to compare; by default every two of them.
    """
    compared = list(combinations(scores, 2) if pairs is None else pairs)
    rows = []
    for name in EVALUATION_SETS:
        for model, other in compared:
            shared = _shared(scores[model].get(name, ()), scores[other].get(name, ()))
            if shared:
                rows.append(PairRow(model, other, name, len(shared), _compare_all(shared)))
    return _adjust(rows)


def change_rows(scores: Scores, pairs: Iterable[tuple[str, str]]) -> list[ChangeRow]:
    """Returns a row for each pair of models and each set whose answers were all checked, in the order given."""
    rows = []
    for model, other in pairs:
        for name in EVALUATION_SETS:
            shared = _shared(scores[model].get(name, ()), scores[other].get(name, ()))
            verdicts = [(one.validity, another.validity) for one, another in shared]
            outcomes = [(one.verified, another.verified) for one, another in verdicts if one and another]
            if shared and len(outcomes) == len(shared):
                chosen = {
                    wanted: [one.id for (one, _), outcome in zip(shared, outcomes, strict=True) if outcome == wanted]
                    for wanted in product((True, False), repeat=2)
                }
                rows.append(ChangeRow(model, other, name, *chosen.values()))
    return rows


def effect_rows(scores: Scores) -> list[EffectRow]:
    """Returns a row for each model, in the order given, and each perturbed set; families are as in `pair_rows`."""
    rows = []
    for model, by_set in scores.items():
        static = _index(lambda score: score.source_id, by_set.get("static", ()))
        for name in PERTURBED_SETS:
            pairs = [(score, static[score.source_id]) for score in by_set.get(name, ()) if score.source_id in static]
            if pairs:
                rows.append(EffectRow(model, name, len(pairs), _compare_all(pairs)))
    return _adjust(rows)


def _shared(scores: Sequence[Score], others: Sequence[Score]) -> list[tuple[Score, Score]]:
    """Returns the scores of the examples that both models answered."""
    by_id = _index(lambda score: score.id, others)
    return [(score, by_id[score.id]) for score in scores if score.id in by_id]


def _index(key: Callable[[Score], str], scores: Sequence[Score]) -> dict[str, Score]:
    return {key(score): score for score in scores}


def _compare_all(pairs: Sequence[tuple[Score, Score]]) -> Comparisons:
    return {measure.key: _compare(pairs, measure) for measure in measures()}


def _compare(pairs: Sequence[tuple[Score, Score]], measure: Measure) -> Comparison | None:
    values = [(measure.value(one), measure.value(other)) for one, other in pairs]
    differences = [one - other for one, other in values if one is not None and other is not None]
    if len(differences) < len(pairs):
        return None
    return compare(differences, [one.source_id for one, _ in pairs])


RowT = TypeVar("RowT", PairRow, EffectRow)


def _adjust(rows: Sequence[RowT]) -> list[RowT]:
    """Returns the rows with the p-values of every measure adjusted."""
    adjusted = {
        measure.key: holm(
            [comparison.p if comparison else None for comparison in (row.comparisons[measure.key] for row in rows)]
        )
        for measure in measures()
    }
    return [
        replace(
            row,
            comparisons={
                key: comparison and replace(comparison, adjusted_p=adjusted[key][place])
                for key, comparison in row.comparisons.items()
            },
        )
        for place, row in enumerate(rows)
    ]
