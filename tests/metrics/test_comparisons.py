"""Comparisons of models, effects of perturbations, the error table and the breakdown: by hand and by their laws."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.metrics.breakdown import breakdown_rows
from mathderive.metrics.comparisons import change_rows, effect_rows, pair_rows
from mathderive.metrics.error_table import FINDINGS, error_rows
from mathderive.records import (
    ERROR_CATEGORIES,
    EVALUATION_SETS,
    MISSING_OPERATORS,
    TRUTHS,
    EvaluationSet,
    Example,
    Score,
    Scores,
    StepRecord,
    ValiditySummary,
)


def summary(verified: bool = False, errors: dict[Any, int] | None = None, **truths: int) -> ValiditySummary:
    return ValiditySummary(
        equations=sum(truths.values()),
        derived=sum(truths.values()) - truths.get("premise", 0),
        valid_derived=truths.get("valid", 0),
        truths={truth: truths.get(truth, 0) for truth in TRUTHS},
        errors={category: (errors or {}).get(category, 0) for category in ERROR_CATEGORIES},
        missing_operators=dict.fromkeys(MISSING_OPERATORS, 0),
        goal_reached=verified,
        sound=verified,
        verified=verified,
    )


def make_score(
    source: int, name: EvaluationSet = "static", model: str = "m", value: float = 0.5, **changes: Any
) -> Score:
    ids: dict[str, Any] = {"id": f"{source}-{name}", "source_id": f"{source:03}", "set": name, "model": model}
    return Score(**{**ids, "rouge2": value, "bleu": value, "gleu": value, "ends_with_goal": True, **changes})


def by_model(scores: list[Score]) -> Scores:
    models = dict.fromkeys(score.model for score in scores)
    return {m: {n: [s for s in scores if (s.model, s.set) == (m, n)] for n in EVALUATION_SETS} for m in models}


def test_models_are_compared_on_the_examples_that_both_answered() -> None:
    scores = [make_score(source, model="a", value=0.7 + source / 100) for source in range(20)]
    scores += [make_score(source, model="b", value=0.5 + (source % 7) / 100) for source in range(4, 24)]
    (row,) = pair_rows(by_model(scores))
    assert (row.model, row.other, row.set, row.examples) == ("a", "b", "static", 16)
    found = row.comparisons["rouge2"]
    assert found is not None
    expected = sum(0.2 + source / 100 - (source % 7) / 100 for source in range(4, 20)) / 16
    assert found.difference.value == pytest.approx(expected)
    assert found.difference.interval is not None
    assert 0 < found.difference.interval[0] < expected < found.difference.interval[1]
    assert found.p is not None
    assert found.p < 0.001
    assert row.comparisons["bleurt"] is row.comparisons["verified"] is None
    goal = row.comparisons["ends_with_goal"]
    assert goal is not None
    assert (goal.difference.value, goal.difference.interval, goal.p, goal.adjusted_p) == (0, None, None, None)


def test_every_pair_of_models_is_one_family_by_measure() -> None:
    scores = [
        make_score(source, name, model, value=(source * factor % 11) / 11)
        for source in range(15)
        for name in ("static", "sr")
        for model, factor in (("a", 3), ("b", 5), ("c", 7))
    ]
    rows = pair_rows(by_model(scores))
    assert [(row.set, row.model, row.other) for row in rows] == [
        (name, *pair) for name in ("static", "sr") for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    ]
    found = [row.comparisons["gleu"] for row in rows]
    smallest = min(comparison.p for comparison in found if comparison and comparison.p)
    adjusted = [comparison.adjusted_p for comparison in found if comparison and comparison.p == smallest]
    assert adjusted[0] == min(1, smallest * 6)


def test_only_the_pairs_that_are_asked_for_are_compared_and_one_family() -> None:
    scores = by_model(
        [
            make_score(source, name, model, value=(source * factor % 11) / 11)
            for source in range(15)
            for name in ("static", "sr")
            for model, factor in (("a", 3), ("b", 5), ("c", 7))
        ]
    )
    rows = pair_rows(scores, [("c", "a")])
    assert [(row.model, row.other, row.set) for row in rows] == [("c", "a", "static"), ("c", "a", "sr")]
    for row, reversed_row in zip(rows, pair_rows(scores, [("a", "c")]), strict=True):
        found, mirrored = row.comparisons["bleu"], reversed_row.comparisons["bleu"]
        assert found is not None
        assert mirrored is not None
        assert found.p is not None
        assert found.difference.value == -mirrored.difference.value
        assert (found.p, found.adjusted_p) == (mirrored.p, mirrored.adjusted_p)
        assert found.adjusted_p == min(1, 2 * found.p)
    assert rows[0].comparisons["bleu"] == rows[1].comparisons["bleu"]  # the same values in both sets
    (itself,) = [row for row in pair_rows(scores, [("a", "a")]) if row.set == "sr"]
    same = itself.comparisons["gleu"]
    assert same is not None
    assert (same.difference.value, same.p) == (0, None)


verdicts = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=12)


@given(verdicts)
@settings(max_examples=20, deadline=None)
def test_changes_are_counted_both_ways(outcomes: list[tuple[bool, bool]]) -> None:
    scores = by_model(
        [
            make_score(source, model=model, validity=summary(verified, valid=1))
            for source, pair in enumerate(outcomes)
            for model, verified in zip("ab", pair, strict=True)
        ]
    )
    (row,) = change_rows(scores, [("a", "b")])
    (mirrored,) = change_rows(scores, [("b", "a")])
    assert row.examples == len(outcomes)
    found = {
        **dict.fromkeys(row.both, (True, True)),
        **dict.fromkeys(row.model_alone, (True, False)),
        **dict.fromkeys(row.other_alone, (False, True)),
        **dict.fromkeys(row.neither, (False, False)),
    }
    assert found == {f"{source}-static": pair for source, pair in enumerate(outcomes)}
    assert (mirrored.model_alone, mirrored.other_alone) == (row.other_alone, row.model_alone)
    assert (mirrored.both, mirrored.neither) == (row.both, row.neither)
    (compared,) = pair_rows(scores, [("a", "b")])
    difference = compared.comparisons["verified"]
    assert difference is not None
    assert difference.difference.value * len(outcomes) == pytest.approx(len(row.model_alone) - len(row.other_alone))


def test_changes_need_the_verdicts_on_all_answers() -> None:
    checked = make_score(0, model="a", validity=summary(True, valid=1))
    assert change_rows(by_model([checked, make_score(0, model="b")]), [("a", "b")]) == []
    assert change_rows(by_model([checked, make_score(1, model="b")]), [("a", "b")]) == []


def test_an_effect_is_the_variant_less_its_static_example() -> None:
    scores = [make_score(source, value=0.9) for source in range(10)]
    scores += [make_score(source, "vr", value=0.4 + source / 100) for source in range(5, 15)]
    scores += [make_score(30, "sr", value=0.4)]
    (row,) = effect_rows(by_model(scores))
    assert (row.model, row.set, row.pairs) == ("m", "vr", 5)
    found = row.comparisons["bleu"]
    assert found is not None
    assert found.difference.value == pytest.approx(0.47 - 0.9)


def test_the_error_table_by_hand() -> None:
    checked = {
        0: summary(True, premise=2, valid=4),
        1: summary(False, {"incorrect": 2}, premise=1, valid=1, incorrect=2),
        2: summary(False, {"redundant": 1, "skipped": 1}, premise=1, valid=2, skipped=1),
        3: summary(False, {"irrelevant": 1}, premise=1, valid=1, unparsable=1, undecided=2),
    }
    scores = [make_score(source, validity=validity) for source, validity in checked.items()]
    scores += [make_score(0, "vr", validity=summary(False, {"incorrect": 1}, incorrect=1))]
    scores += [make_score(4, "vr")]
    static, renamed, together = error_rows(by_model(scores))
    assert (static.set, static.answers, static.equations) == ("static", 4, 19)
    assert static.valid_equations is not None
    assert static.derived == 14
    assert static.valid_equations.value == 8 / 14
    found = static.findings["incorrect"]
    assert (found.equations, found.answers) == (2, 1)
    assert found.of_equations is not None
    assert found.of_answers is not None
    assert found.per_answer is not None
    assert (found.of_equations.value, found.of_answers.value, found.per_answer.value) == (2 / 19, 1 / 4, 2 / 4)
    counts = {finding: rates.equations for finding, rates in static.findings.items()}
    assert counts == {"incorrect": 2, "redundant": 1, "irrelevant": 1, "skipped": 1, "unparsable": 1, "undecided": 2}
    assert (renamed.set, renamed.answers, renamed.equations) == ("vr", 1, 1)
    assert (together.set, together.answers, together.equations) == (None, 5, 20)
    json.dumps([asdict(row) for row in (static, renamed, together)], allow_nan=False)


summaries = st.builds(
    lambda verified, premise, valid, **kinds: summary(verified, kinds, premise=premise, valid=valid, **kinds),
    st.booleans(),
    *[st.integers(0, 3)] * 2,
    **{kind: st.integers(0, 2) for kind in ("incorrect", "skipped")},
)


@given(st.lists(summaries, max_size=8))
@settings(max_examples=20, deadline=None)
def test_any_verdicts_make_shares_or_nothing(checked: list[ValiditySummary]) -> None:
    scores = by_model([make_score(source, validity=validity) for source, validity in enumerate(checked)])
    for row in error_rows(scores):
        json.dumps(asdict(row), allow_nan=False)
        assert set(row.findings) == set(FINDINGS)
        for rates in row.findings.values():
            assert (rates.of_equations is None) == (row.equations == 0)
            for share in (rates.of_equations, rates.of_answers):
                assert share is None or 0 <= share.value <= 1
            assert rates.answers <= rates.equations


def test_an_answer_without_equations_has_no_true_ones() -> None:
    assert summary().valid_equations == 0
    (row, _) = error_rows(by_model([make_score(0, validity=summary())]))
    assert row.valid_equations is None
    assert row.findings["incorrect"].of_equations is None


def test_scores_by_length_and_operator() -> None:
    def example(source: int, *annotations: Any) -> Example:
        steps = [StepRecord(annotation=annotation, srepr="") for annotation in annotations]
        return Example(id=f"{source}-static", source_id=f"{source:03}", set="static", prompt="", target="", steps=steps)

    examples = [
        example(0, "premise", ["add", 1, "Integer(1)"], ["add", 2, "Integer(1)"]),
        example(1, "premise", ["cos", 1]),
        example(2, "premise", ["add", 1, "Integer(1)"], ["cos", 2]),
    ]
    scores = by_model([make_score(source, value=source / 2) for source in range(3)])
    rows = {(row.by, row.value): row for row in breakdown_rows(examples, scores)}
    assert list(rows) == [
        ("equations", 2),
        ("equations", 3),
        ("operator", "premise"),
        ("operator", "add"),
        ("operator", "cos"),
    ]
    assert {key: row.answers for key, row in rows.items()} == dict(zip(rows, (1, 2, 3, 2, 2), strict=True))
    means = {key: row.means["bleu"].value for key, row in rows.items() if row.means["bleu"]}
    assert means == dict(zip(rows, (0.5, 0.5, 0.5, 0.5, 0.75), strict=True))
    assert all(row.means["verified"] is None for row in rows.values())


def test_nothing_is_compared_where_there_is_nothing() -> None:
    assert pair_rows({}) == effect_rows({}) == error_rows({}) == breakdown_rows([], {}) == []
    assert pair_rows(by_model([make_score(0)])) == effect_rows(by_model([make_score(0, "vr")])) == []
