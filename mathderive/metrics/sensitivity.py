"""How a model reacts when an example is perturbed, beside how much the perturbation changed the reference.

With f(prediction, reference) a metric, s static, p perturbed, o output and r reference, a pair gives

    difference            p_M = f(s_o, s_r) - f(p_o, p_r)
    reference_similarity  A = f(p_r, s_r)
    output_similarity     B = f(p_o, s_o)
    abs                   A - B
    ratio                 B / A
    norm_abs              (A - B) / mean(A)

as in the authors' result files (`VR_rouge`, `VR_rouge_abs`, `ratio_VR_rouge`, `norm_VR_rouge_abs`, ...). A
model that changes its answer just as the reference changed has A = B.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from mathderive.core.errors import InputError
from mathderive.metrics.text import bleu, gleu, rouge2
from mathderive.records import (
    PERTURBED_SETS,
    EvaluationSet,
    Example,
    Metric,
    MetricSensitivity,
    Prediction,
    Score,
    Sensitivity,
)

PairMetric = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Scores (prediction, reference) pairs: many at a time, as BLEURT wants them."""

RecordT = TypeVar("RecordT", Prediction, Score)


def _one_by_one(metric: Callable[[str, str], float]) -> PairMetric:
    return lambda pairs: [metric(prediction, reference) for prediction, reference in pairs]


def pair_up(examples: Iterable[Example]) -> dict[EvaluationSet, list[tuple[Example, Example]]]:
    """By perturbed set, the static example and its variant, for every variant in the order given.

    Raises:
        InputError: a perturbed example has no static one.
    """
    examples = list(examples)
    static = {example.source_id: example for example in examples if example.set == "static"}
    pairs: dict[EvaluationSet, list[tuple[Example, Example]]] = {}
    for perturbed_set in PERTURBED_SETS:
        variants = [example for example in examples if example.set == perturbed_set]
        for variant in variants:
            if variant.source_id not in static:
                raise InputError(f"{variant.id}: expected a static example with source_id {variant.source_id}")
        pairs[perturbed_set] = [(static[variant.source_id], variant) for variant in variants]
    return pairs


class SensitivityScorer:
    """Compares models on one list of examples. A depends on the references alone and is computed once."""

    def __init__(self, examples: Iterable[Example], bleurt: PairMetric | None = None) -> None:
        """Pairs every perturbed example with its static one.

        Args:
            examples: of all sets, in any order; rows come out set by set, in this order within a set.
            bleurt: BLEURT where its weights are at hand; without it the rows' `bleurt` is null.

        Raises:
            InputError: a perturbed example has no static one.
        """
        self._pairs = pair_up(examples)
        self._metrics: dict[Metric, PairMetric] = {
            "rouge2": _one_by_one(rouge2),
            "bleu": _one_by_one(bleu),
            "gleu": _one_by_one(gleu),
        }
        if bleurt is not None:
            self._metrics["bleurt"] = bleurt
        self._references = {
            (perturbed_set, metric): list(f([(perturbed.target, base.target) for base, perturbed in pairs]))
            for perturbed_set, pairs in self._pairs.items()
            for metric, f in self._metrics.items()
        }

    def rows(self, predictions: Iterable[Prediction], scores: Iterable[Score]) -> list[Sensitivity]:
        """One model's rows, a row a pair.

        Raises:
            InputError: an example has no prediction or no score, or they are of several models.
        """
        predictions, scores = list(predictions), list(scores)
        models = {prediction.model for prediction in predictions} | {score.model for score in scores}
        if len(models) > 1:
            raise InputError(f"expected predictions and scores of one model, got {', '.join(sorted(models))}")
        answered, scored = _by_id(predictions), _by_id(scores)
        rows: list[Sensitivity] = []
        for perturbed_set, pairs in self._pairs.items():
            outputs = [(_find(answered, p), _find(answered, s)) for s, p in pairs]
            results = [(_find(scored, p), _find(scored, s)) for s, p in pairs]
            by_metric = {metric: self._metric_rows(metric, perturbed_set, outputs, results) for metric in self._metrics}
            for index, (output, _) in enumerate(outputs):
                values: dict[str, Any] = {metric: column[index] for metric, column in by_metric.items()}
                rows.append(Sensitivity(source_id=output.source_id, set=perturbed_set, model=output.model, **values))
        return rows

    def _metric_rows(
        self,
        metric: Metric,
        perturbed_set: EvaluationSet,
        outputs: list[tuple[Prediction, Prediction]],
        results: list[tuple[Score, Score]],
    ) -> list[MetricSensitivity | None]:
        """One metric's part of the rows of a set; pairs are (perturbed, static)."""
        reference_similarities = self._references[perturbed_set, metric]
        output_similarities = self._metrics[metric]([(p.text, s.text) for p, s in outputs])
        scale = math.fsum(reference_similarities) / max(len(reference_similarities), 1)
        column: list[MetricSensitivity | None] = []
        for a, b, (perturbed, static) in zip(reference_similarities, output_similarities, results, strict=True):
            after, before = getattr(perturbed, metric), getattr(static, metric)
            if after is None or before is None:
                column.append(None)
                continue
            column.append(
                MetricSensitivity(
                    difference=before - after,
                    reference_similarity=a,
                    output_similarity=b,
                    abs=a - b,
                    ratio=b / a if a else None,
                    norm_abs=(a - b) / scale if scale else None,
                )
            )
        return column


def _by_id(records: Iterable[RecordT]) -> dict[str, RecordT]:
    return {record.id: record for record in records}


def _find(records: dict[str, RecordT], example: Example) -> RecordT:
    try:
        return records[example.id]
    except KeyError:
        raise InputError(f"{example.id}: expected a prediction and a score for it, found none") from None
