"""The metric study: whether text metrics rank answers as the checker's verdicts do.

It has two questions. Does a metric rank right answers above wrong ones (AUC, 0.5 by chance)? Does it rank answers by
their share of valid equations (Spearman's correlation, 0 by chance)?
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mathderive.metrics.registry import text_metrics
from mathderive.metrics.statistics import Estimate, Floats, Statistic, estimate
from mathderive.records import EVALUATION_SETS, EvaluationSet, Score, Scores


@dataclass(frozen=True)
class MetricStudyRow:
    """How one metric ranks the answers of one model to one set.

    Attributes:
        model: the model; None for all models together.
        set: the set; None for all sets together.
        metric: the metric's key.
        answers: the number of answers.
        verified: the number of verified answers.
        all_valid: the number of answers that have equations which the prompt does not state, all of them valid.
        verified_auc: the AUC of the metric for verified answers against the others; None where one class is empty.
        verified_correlation: Spearman's correlation of the metric with being verified; None where either is constant.
        all_valid_auc: as `verified_auc`, for the answers that `all_valid` counts.
        valid_equations_correlation: Spearman's correlation of the metric with the share of valid equations.
    """

    model: str | None
    set: EvaluationSet | None
    metric: str
    answers: int
    verified: int
    all_valid: int
    verified_auc: Estimate | None
    verified_correlation: Estimate | None
    all_valid_auc: Estimate | None
    valid_equations_correlation: Estimate | None


def metric_study(scores: Scores, baseline: str | None = None) -> list[MetricStudyRow]:
    """Returns rows by model, by set and by metric, then the same for all models together if there are several.

    Args:
        scores: answers without verdicts are left out, and so are metrics that some of a row's answers lack.
        baseline: a model that the rows of all models leave out, since it does not reason.
    """
    groups: list[tuple[str | None, list[Score]]] = [
        (model, [score for in_set in by_set.values() for score in in_set if score.validity])
        for model, by_set in scores.items()
    ]
    models = [answers for model, answers in groups if model != baseline]
    if len(models) > 1:
        groups.append((None, [score for answers in models for score in answers]))
    rows = []
    for model, all_answers in groups:
        for name in (*EVALUATION_SETS, None):
            answers = [score for score in all_answers if name in (score.set, None)]
            for metric in text_metrics():
                values = [value for value in (score.metric(metric.key) for score in answers) if value is not None]
                if answers and len(values) == len(answers):
                    rows.append(_row(model, name, metric.key, answers, values))
    return rows


def auc(values: Sequence[float], positive: Sequence[bool]) -> Statistic:
    """Returns the area under the ROC curve; NaN where a class is empty.

    It is the probability that a positive item has a larger value than a negative one, with ties counted as half: the
    statistic of Mann and Whitney (1947) over the number of pairs.
    """
    order, starts, _ = _groups(values)
    is_positive = np.asarray(positive, dtype=bool)[order]

    def statistic(weights: Floats) -> Floats:
        ordered = weights[:, order]
        positives = np.add.reduceat(ordered * is_positive, starts, axis=1)
        negatives = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
        below = np.cumsum(negatives, axis=1) - negatives
        pairs = positives.sum(axis=1) * negatives.sum(axis=1)
        won = (positives * (below + negatives / 2)).sum(axis=1)
        return np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0)

    return statistic


def spearman(first: Sequence[float], second: Sequence[float]) -> Statistic:
    """Returns Spearman's rank correlation; NaN where all values of either sequence are equal.

    It is Pearson's correlation of the ranks, where equal values share the mean of their ranks.
    """
    groups = _groups(first), _groups(second)

    def statistic(weights: Floats) -> Floats:
        total = weights.sum(axis=1, keepdims=True)
        # Ranks are centred on their known mean first, so that the sums of products lose no precision.
        one, other = (_ranks(weights, *group) - (total + 1) / 2 for group in groups)
        covariance = (weights * one * other).sum(axis=1)
        scale = np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1))
        return np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 0)

    return statistic


def _row(
    model: str | None, name: EvaluationSet | None, metric: str, answers: Sequence[Score], values: Sequence[float]
) -> MetricStudyRow:
    summaries = [score.validity for score in answers if score.validity]
    verified = [summary.verified for summary in summaries]
    shares = [summary.valid_equations for summary in summaries]
    all_valid = [share == 1 for share in shares]
    sources = [score.source_id for score in answers]
    return MetricStudyRow(
        model=model,
        set=name,
        metric=metric,
        answers=len(answers),
        verified=sum(verified),
        all_valid=sum(all_valid),
        verified_auc=estimate(auc(values, verified), sources),
        verified_correlation=estimate(spearman(values, verified), sources),
        all_valid_auc=estimate(auc(values, all_valid), sources),
        valid_equations_correlation=estimate(spearman(values, shares), sources),
    )


def _groups(values: Sequence[float]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Returns the items' order by value, the start of each group of equal values in it, and the group of each item."""
    array = np.asarray(values, dtype=np.float64)
    order = np.argsort(array, kind="stable")
    _, starts, group_of_item = np.unique(array[order], return_index=True, return_inverse=True)
    return order, starts, group_of_item[np.argsort(order)]


def _ranks(
    weights: Floats, order: NDArray[np.intp], starts: NDArray[np.intp], group_of_item: NDArray[np.intp]
) -> Floats:
    """Returns each item's rank, where an item occurs as often as its weight says; equal items share their mean rank."""
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group_of_item]
