"""Sensitivity: how a model's answers change when an example is perturbed, compared with how the reference changes.

Let f(prediction, reference) be a metric, s static, p perturbed, o output and r reference. A static example and its
variant give

    difference            p_M = f(s_o, s_r) - f(p_o, p_r)
    reference_similarity  A = f(p_r, s_r)
    output_similarity     B = f(p_o, s_o)
    abs                   A - B
    ratio                 B / A
    norm_abs              (A - B) / mean(A)

as in the authors' result files (`VR_rouge`, `VR_rouge_abs`, `ratio_VR_rouge`, `norm_VR_rouge_abs`, ...). A = B for a
model whose answer changes exactly as the reference does.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mathderive.core.errors import InputError
from mathderive.metrics.registry import CHECKPOINT_METRIC, TextMetric, computed_metrics
from mathderive.records import (
    BUILT_IN_METRICS,
    PERTURBED_SETS,
    EvaluationSet,
    Example,
    MetricSensitivity,
    Prediction,
    Score,
    Sensitivity,
)

PairMetric = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""A metric of many (prediction, reference) pairs at a time, since BLEURT is computed in batches."""

RecordT = TypeVar("RecordT", Prediction, Score)


def _pair_metric(metric: TextMetric) -> PairMetric:
    return lambda pairs: [metric(prediction, reference) for prediction, reference in pairs]


def pair_up(examples: Iterable[Example]) -> dict[EvaluationSet, list[tuple[Example, Example]]]:
    """Returns the pairs of static example and variant by perturbed set, in the variants' order.

    Raises:
        InputError: a perturbed example has no static example.
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
    """Computes the sensitivity of models on one list of examples.

    A depends on the references alone, so it is computed once.
    """

    def __init__(self, examples: Iterable[Example], bleurt: PairMetric | None = None) -> None:
        """Pairs every perturbed example with its static example.

        Args:
            examples: examples of all sets in any order; rows come out by set, in this order within a set.
            bleurt: BLEURT, if there is a checkpoint; without it the rows' `bleurt` is null.

        Raises:
            InputError: a perturbed example has no static example, or a metric returned no finite number.
        """
        self._pairs = pair_up(examples)
        self._metrics = {metric.key: _pair_metric(metric) for metric in computed_metrics() if metric.sensitivity}
        if bleurt is not None:
            self._metrics[CHECKPOINT_METRIC] = bleurt
        self._references = {
            (perturbed_set, metric): list(f([(perturbed.target, base.target) for base, perturbed in pairs]))
            for perturbed_set, pairs in self._pairs.items()
            for metric, f in self._metrics.items()
        }

    def rows(self, predictions: Iterable[Prediction], scores: Iterable[Score]) -> list[Sensitivity]:
        """Returns one model's rows, one for each pair.

        Raises:
            InputError: an example has no prediction or no score, or these are of several models.
        """
        predictions, scores = list(predictions), list(scores)
        models = {prediction.model for prediction in predictions} | {score.model for score in scores}
        if len(models) > 1:
            raise InputError(f"expected predictions and scores of one model, got {', '.join(sorted(models))}")
        predictions_by_id, scores_by_id = _by_id(predictions), _by_id(scores)
        rows: list[Sensitivity] = []
        for perturbed_set, pairs in self._pairs.items():
            outputs = [(_look_up(predictions_by_id, p), _look_up(predictions_by_id, s)) for s, p in pairs]
            results = [(_look_up(scores_by_id, p), _look_up(scores_by_id, s)) for s, p in pairs]
            columns = {key: self._column(key, perturbed_set, outputs, results) for key in self._metrics}
            for index, (output, _) in enumerate(outputs):
                reactions = {key: column[index] for key, column in columns.items()}
                rows.append(_record(output, reactions))
        return rows

    def _column(
        self,
        metric: str,
        perturbed_set: EvaluationSet,
        outputs: list[tuple[Prediction, Prediction]],
        results: list[tuple[Score, Score]],
    ) -> list[MetricSensitivity | None]:
        """Returns one metric's reactions for the rows of a set; pairs are (perturbed, static)."""
        reference_similarities = self._references[perturbed_set, metric]
        output_similarities = self._metrics[metric]([(p.text, s.text) for p, s in outputs])
        scale = math.fsum(reference_similarities) / max(len(reference_similarities), 1)
        column: list[MetricSensitivity | None] = []
        for a, b, (perturbed, static) in zip(reference_similarities, output_similarities, results, strict=True):
            after, before = perturbed.metric(metric), static.metric(metric)
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


def _record(output: Prediction, reactions: dict[str, MetricSensitivity | None]) -> Sensitivity:
    """Puts the reactions into the fields of the built-in metrics and into `further_metrics`."""
    further = {key: reaction for key, reaction in reactions.items() if key not in BUILT_IN_METRICS and reaction}
    rouge2, bleu, gleu = (reactions[key] for key in ("rouge2", "bleu", "gleu"))
    assert rouge2 is not None
    assert bleu is not None
    assert gleu is not None
    return Sensitivity(
        source_id=output.source_id,
        set=output.set,
        model=output.model,
        rouge2=rouge2,
        bleu=bleu,
        gleu=gleu,
        bleurt=reactions.get(CHECKPOINT_METRIC),
        further_metrics=further,
    )


def _by_id(records: Iterable[RecordT]) -> dict[str, RecordT]:
    return {record.id: record for record in records}


def _look_up(records: dict[str, RecordT], example: Example) -> RecordT:
    try:
        return records[example.id]
    except KeyError:
        raise InputError(f"{example.id}: expected a prediction and a score for it, found none") from None
