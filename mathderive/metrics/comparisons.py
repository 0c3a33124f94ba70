"""Models against one another on the same examples, and each model against itself when an example is perturbed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from mathderive.metrics.statistics import Comparison, compare, holm
from mathderive.records import EVALUATION_SETS, MEASURES, PERTURBED_SETS, EvaluationSet, Measure, Score, Scores

Comparisons = Mapping[Measure, Comparison | None]
"""None where the measure was not computed for every answer."""


@dataclass(frozen=True)
class PairRow:
    """What `model` has more than `other`, on the examples of a set that both answered."""

    model: str
    other: str
    set: EvaluationSet
    examples: int
    comparisons: Comparisons


@dataclass(frozen=True)
class EffectRow:
    """What a model has more on a set's variants than on their static examples: what the perturbation brings."""

    model: str
    set: EvaluationSet
    pairs: int
    comparisons: Comparisons


def pair_rows(scores: Scores) -> list[PairRow]:
    """A row for each set and, within it, each two models, in the order given.

    The p-values of one measure are one family (see `holm`).
    """
    rows = []
    for name in EVALUATION_SETS:
        by_model = {model: _by(lambda score: score.id, by_set.get(name, ())) for model, by_set in scores.items()}
        for model, other in combinations(by_model, 2):
            shared = [(by_model[model][key], by_model[other][key]) for key in by_model[model] if key in by_model[other]]
            if shared:
                rows.append(PairRow(model, other, name, len(shared), _compared(shared)))
    return _adjusted(rows)


def effect_rows(scores: Scores) -> list[EffectRow]:
    """A row for each model, in the order given, and each perturbed set; families as in `pair_rows`."""
    rows = []
    for model, by_set in scores.items():
        static = _by(lambda score: score.source_id, by_set.get("static", ()))
        for name in PERTURBED_SETS:
            pairs = [(score, static[score.source_id]) for score in by_set.get(name, ()) if score.source_id in static]
            if pairs:
                rows.append(EffectRow(model, name, len(pairs), _compared(pairs)))
    return _adjusted(rows)


def _by(key: Callable[[Score], str], scores: Sequence[Score]) -> dict[str, Score]:
    return {key(score): score for score in scores}


def _compared(pairs: Sequence[tuple[Score, Score]]) -> Comparisons:
    return {measure: _compare(pairs, measure) for measure in MEASURES}


def _compare(pairs: Sequence[tuple[Score, Score]], measure: Measure) -> Comparison | None:
    values = [(one.measured(measure), other.measured(measure)) for one, other in pairs]
    differences = [one - other for one, other in values if one is not None and other is not None]
    if len(differences) < len(pairs):
        return None
    return compare(differences, [one.source_id for one, _ in pairs])


RowT = TypeVar("RowT", PairRow, EffectRow)


def _adjusted(rows: Sequence[RowT]) -> list[RowT]:
    """The rows with every measure's p-values adjusted."""
    adjusted = {
        measure: holm(
            [comparison.p if comparison else None for comparison in (row.comparisons[measure] for row in rows)]
        )
        for measure in MEASURES
    }
    return [
        replace(
            row,
            comparisons={
                measure: comparison and replace(comparison, adjusted_p=adjusted[measure][place])
                for measure, comparison in row.comparisons.items()
            },
        )
        for place, row in enumerate(rows)
    ]
