"""AUC and Spearman's correlation against scikit-learn and scipy, on data and on resamples of it."""

import json
import warnings
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mathderive.metrics.metric_study import MetricStudyRow, auc, metric_study, spearman
from mathderive.metrics.statistics import FEWER_RESAMPLES
from mathderive.records import EVALUATION_SETS, MISSING_OPERATORS, ErrorCategory, Score, Scores, Truth, ValiditySummary
from tests.support.resampling import rng_of

few_values = st.integers(0, 4).map(lambda value: value / 4)
"""A few values, so that many are equal."""

items = st.lists(st.tuples(few_values, few_values, st.booleans(), st.integers(0, 3)), min_size=1, max_size=25)


@given(items)
@settings(max_examples=200)
def test_auc_is_scikit_learn_s_on_any_resample(data: list[tuple[float, float, bool, int]]) -> None:
    value, _, positive, weight = map(list, zip(*data, strict=True))
    weights = np.array([[1.0] * len(data), weight])
    for ours, drawn in zip(auc(value, positive)(weights), weights.astype(int), strict=True):
        labels = np.repeat(positive, drawn)
        if labels.all() or not labels.any():
            assert np.isnan(ours)
        else:
            assert ours == pytest.approx(roc_auc_score(labels, np.repeat(value, drawn)), abs=1e-12)


@given(items)
@settings(max_examples=200)
def test_auc_is_that_of_mann_and_whitney(data: list[tuple[float, float, bool, int]]) -> None:
    right = [value for value, _, positive, _ in data if positive]
    wrong = [value for value, _, positive, _ in data if not positive]
    (ours,) = auc([item[0] for item in data], [item[2] for item in data])(np.ones((1, len(data))))
    if right and wrong:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the p-value, where all are equal
            statistic = scipy.stats.mannwhitneyu(right, wrong).statistic
        assert ours == pytest.approx(statistic / (len(right) * len(wrong)), abs=1e-12)
    else:
        assert np.isnan(ours)


@given(items)
@settings(max_examples=200)
def test_spearman_is_scipy_s_on_any_resample(data: list[tuple[float, float, bool, int]]) -> None:
    one, other, _, weight = map(list, zip(*data, strict=True))
    weights = np.array([[1.0] * len(data), weight])
    for ours, drawn in zip(spearman(one, other)(weights), weights.astype(int), strict=True):
        first, second = np.repeat(one, drawn), np.repeat(other, drawn)
        if len(set(first)) < 2 or len(set(second)) < 2:
            assert np.isnan(ours)
        else:
            assert ours == pytest.approx(scipy.stats.spearmanr(first, second).statistic, abs=1e-12)


def make_score(source: int, model: str = "m", name: str = "static", verified: bool = True, **changes: Any) -> Score:
    ids = {"id": f"{source}-{name}", "source_id": f"{source:03}", "set": name, "model": model}
    truths: dict[Truth, int] = {"premise": 1, "valid": 3, "skipped": 0, "incorrect": 0, "unparsable": 0, "undecided": 0}
    if not verified:
        truths["valid"], truths["incorrect"] = 1 + source % 2, 2 - source % 2
    errors: dict[ErrorCategory, int] = {
        "incorrect": truths["incorrect"],
        "redundant": 0,
        "irrelevant": 0,
        "skipped": 0,
    }
    validity = ValiditySummary(
        equations=4,
        derived=3,
        valid_derived=truths["valid"],
        truths=truths,
        errors=errors,
        missing_operators=dict.fromkeys(MISSING_OPERATORS, 0),
        goal_reached=True,
        sound=verified,
        verified=verified,
    )
    values = {"rouge2": 0.5, "bleu": source / 100, "gleu": 0.9 if verified else 0.1, "ends_with_goal": True}
    return Score(**{**ids, **values, "validity": validity, **changes})


def by_set(scores: list[Score]) -> dict[Any, list[Score]]:
    return {name: [score for score in scores if score.set == name] for name in EVALUATION_SETS}


def study(scores: Scores, baseline: str | None = None) -> dict[tuple[Any, Any, Any], MetricStudyRow]:
    return {(row.model, row.set, row.metric): row for row in metric_study(scores, baseline)}


def test_blind_noisy_and_seeing_metrics_are_told_apart() -> None:
    scores = [
        make_score(source, name=name, verified=source % 3 == 0) for source in range(60) for name in ("static", "vr")
    ]
    rows = study({"m": by_set(scores)})
    assert set(rows) == {
        ("m", name, metric) for name in ("static", "vr", None) for metric in ("rouge2", "bleu", "gleu")
    }
    blind, noisy, seeing = (rows["m", "static", metric] for metric in ("rouge2", "bleu", "gleu"))
    assert (blind.answers, blind.verified, blind.all_valid) == (60, 20, 20)
    assert blind.verified_auc is not None
    assert (blind.verified_auc.value, blind.verified_auc.interval) == (0.5, None)
    assert blind.valid_equations_correlation is None
    assert noisy.verified_auc is not None
    assert noisy.verified_auc.interval is not None
    assert noisy.verified_auc.interval[0] < noisy.verified_auc.value < noisy.verified_auc.interval[1]
    assert seeing.verified_auc is not None
    assert seeing.verified_auc.value == 1
    assert seeing.verified_correlation is not None
    assert seeing.verified_correlation.value == pytest.approx(1)
    assert seeing.valid_equations_correlation is not None
    assert 0.5 < seeing.valid_equations_correlation.value < 1
    # Both sets have the same scores. Their interval is that of one set, since a source's answers are drawn together.
    both = rows["m", None, "bleu"]
    assert both.answers == 120
    assert both.verified_auc is not None
    assert both.verified_auc.interval == noisy.verified_auc.interval


def test_the_interval_of_an_auc_is_scipy_s() -> None:
    scores = [make_score(source, verified=source % 3 == 0, bleu=(source * 17 % 23) / 23) for source in range(50)]
    row = study({"m": by_set(scores)})["m", "static", "bleu"]
    data = (
        np.array([score.bleu for score in scores]),
        np.array([score.validity is not None and score.validity.verified for score in scores]),
    )
    theirs = scipy.stats.bootstrap(
        data,
        lambda value, label: roc_auc_score(label, value),
        paired=True,
        vectorized=False,
        n_resamples=FEWER_RESAMPLES,
        method="percentile",
        rng=rng_of([score.source_id for score in scores]),
    )
    assert row.verified_auc is not None
    assert row.verified_auc.interval == pytest.approx(tuple(theirs.confidence_interval), abs=1e-6)


def test_the_baseline_is_no_part_of_the_whole() -> None:
    scores = {
        model: by_set([make_score(source, model, verified=model != "copy" and source % 2 == 0) for source in range(20)])
        for model in ("a", "b", "copy")
    }
    assert study(scores, "copy")[None, "static", "gleu"].answers == 40
    assert study(scores)[None, "static", "gleu"].answers == 60
    assert not [row for row in metric_study({"a": scores["a"], "copy": scores["copy"]}, "copy") if row.model is None]


def test_where_a_class_is_empty_there_is_no_auc() -> None:
    rows = metric_study({"m": by_set([make_score(source) for source in range(5)])})
    assert rows
    for row in rows:
        assert row.verified_auc is row.verified_correlation is row.valid_equations_correlation is None
        json.dumps(asdict(row), allow_nan=False)


def test_one_verified_answer_of_many_has_no_interval() -> None:
    """One resample in three lacks the answer, so the ends of an interval are not known."""
    rows = study({"m": by_set([make_score(source, verified=source == 7) for source in range(40)])})
    found = rows["m", "static", "bleu"].verified_auc
    assert found is not None
    assert found.interval is None


def test_nothing_checked_is_nothing_studied() -> None:
    assert metric_study({"m": by_set([make_score(0, validity=None)])}) == []
    assert metric_study({}) == []


def test_bleurt_is_studied_where_all_answers_have_it() -> None:
    some = [make_score(source, bleurt=0.5 if source else None) for source in range(4)]
    assert "bleurt" not in {row.metric for row in metric_study({"m": by_set(some)})}
    assert "bleurt" in {row.metric for row in metric_study({"m": by_set(some[1:])})}
