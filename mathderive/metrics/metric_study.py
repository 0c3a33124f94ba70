"""Do text metrics see reasoning errors? How each metric ranks answers, against what the checker says of them.

Two things are asked of a metric: whether it ranks an answer that is right above one that is wrong (AUC, 0.5 by chance),
and whether it ranks answers as the share of their equations that are valid (Spearman's correlation, 0 by chance).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mathderive.metrics.statistics import Estimate, Floats, Statistic, estimate
from mathderive.records import EVALUATION_SETS, METRICS, EvaluationSet, Metric, Score, Scores


@dataclass(frozen=True)
class MetricStudyRow:
    """What one metric sees in the answers of one model (None: of all together) to one set (None: to all together).

    Attributes:
        answers: how many; `verified` and `all_valid` of them are verified, or have none but valid equations.
        verified_auc: whether the metric ranks verified answers above the others; None where one class is empty.
        verified_correlation: Spearman's, with being verified; None where one of both does not vary.
        all_valid_auc: as `verified_auc`, of the answers with valid equations only.
        valid_equations_correlation: Spearman's, with the share of valid equations.
    """

    model: str | None
    set: EvaluationSet | None
    metric: Metric
    answers: int
    verified: int
    all_valid: int
    verified_auc: Estimate | None
    verified_correlation: Estimate | None
    all_valid_auc: Estimate | None
    valid_equations_correlation: Estimate | None


def metric_study(scores: Scores, baseline: str | None = None) -> list[MetricStudyRow]:
    """Rows by model, by set and, within it, by metric; then the same of all models together, where there are several.

    Args:
        scores: answers without verdicts are left out, and metrics that some of a row's answers lack.
        baseline: a model that stays out of the rows of all models, as it answers nothing by reasoning.
    """
    groups: list[tuple[str | None, list[Score]]] = [
        (model, [score for of_set in by_set.values() for score in of_set if score.validity])
        for model, by_set in scores.items()
    ]
    models = [of_model for model, of_model in groups if model != baseline]
    if len(models) > 1:
        groups.append((None, [score for of_model in models for score in of_model]))
    rows = []
    for model, of_model in groups:
        for name in (*EVALUATION_SETS, None):
            answers = [score for score in of_model if name in (score.set, None)]
            rows += [_row(model, name, metric, answers) for metric in METRICS if _has(answers, metric)]
    return rows


def auc(values: Sequence[float], positive: Sequence[bool]) -> Statistic:
    """The area under the ROC curve: the probability that a positive item has a larger value than a negative one, ties
    counted as half (the statistic of Mann and Whitney, 1947, over the number of pairs); NaN where a class is empty.
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
    """Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs; NaN where the
    items are equal in one of both.
    """
    groups = _groups(first), _groups(second)

    def statistic(weights: Floats) -> Floats:
        total = weights.sum(axis=1, keepdims=True)
        # The mean rank is known; from it, sums of products lose nothing.
        one, other = (_ranks(weights, *of) - (total + 1) / 2 for of in groups)
        covariance = (weights * one * other).sum(axis=1)
        scale = np.sqrt((weights * one**2).sum(axis=1) * (weights * other**2).sum(axis=1))
        return np.divide(covariance, scale, out=np.full_like(covariance, np.nan), where=scale > 0)

    return statistic


def _row(model: str | None, name: EvaluationSet | None, metric: Metric, answers: Sequence[Score]) -> MetricStudyRow:
    summaries = [score.validity for score in answers if score.validity]
    verified = [summary.verified for summary in summaries]
    shares = [summary.valid_equations for summary in summaries]
    all_valid = [share == 1 for share in shares]
    values = [getattr(score, metric) for score in answers]
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


def _has(answers: Sequence[Score], metric: Metric) -> bool:
    return bool(answers) and all(score.measured(metric) is not None for score in answers)


def _groups(values: Sequence[float]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The items' order by value, where in it each group of equal values starts, and the group of each item."""
    array = np.asarray(values, dtype=np.float64)
    order = np.argsort(array, kind="stable")
    _, starts, group_of_item = np.unique(array[order], return_index=True, return_inverse=True)
    return order, starts, group_of_item[np.argsort(order)]


def _ranks(
    weights: Floats, order: NDArray[np.intp], starts: NDArray[np.intp], group_of_item: NDArray[np.intp]
) -> Floats:
    """Each item's rank among as many items as the weights say; those of a group share the mean of theirs."""
    sizes = np.add.reduceat(weights[:, order], starts, axis=1)
    return (np.cumsum(sizes, axis=1) - (sizes - 1) / 2)[:, group_of_item]
