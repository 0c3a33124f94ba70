"""verified@n and the cost of searches: by enumeration, by the laws of estimators, and by hand."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.metrics.verified_at import (
    VerifiedRow,
    search_cost_rows,
    search_usage,
    shown_sizes,
    unbiased_share,
    verified_rows,
)
from mathderive.records import EvaluationSet, Prediction


def searched(
    source: int,
    answers: int,
    greedy: bool = False,
    verified: int = 0,
    name: EvaluationSet = "static",
    **changes: int,
) -> Prediction:
    usage = {
        "samples": answers,
        "greedy_verified": int(greedy),
        "verified_samples": verified,
        "checks": answers,
        "completion_tokens": 10 * answers,
        "milliseconds": 100 * answers,
    }
    ids: dict[str, Any] = {"id": f"{source}-{name}", "source_id": f"{source:03}", "set": name}
    return Prediction(**ids, model="m", text="", usage={**usage, **changes})


def rows_of(predictions: Sequence[Prediction]) -> list[VerifiedRow]:
    names = dict.fromkeys(prediction.set for prediction in predictions)
    return verified_rows({"m": {name: [one for one in predictions if one.set == name] for name in names}})


def shares(row: VerifiedRow) -> dict[int, float]:
    return {point.n: point.share.value for point in row.points if point.share}


@pytest.mark.parametrize(("samples", "verified"), [(1, 0), (1, 1), (5, 2), (7, 1), (6, 6)])
def test_the_formula_is_the_share_of_all_subsets(samples: int, verified: int) -> None:
    for n in range(1, samples + 1):
        subsets = list(itertools.combinations(range(samples), n))
        solved = sum(any(number < verified for number in subset) for subset in subsets)
        assert unbiased_share(samples, verified, n) == pytest.approx(solved / len(subsets))


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0, 1))
def test_the_formula_has_no_bias(samples: int, n: int, p: float) -> None:
    n = min(n, samples)
    expected = sum(
        math.comb(samples, verified)
        * p**verified
        * (1 - p) ** (samples - verified)
        * unbiased_share(samples, verified, n)
        for verified in range(samples + 1)
    )
    assert expected == pytest.approx(1 - (1 - p) ** n, abs=1e-9)


def searches(p: float, budget: int, at_once: int, to_the_end: bool) -> Iterator[tuple[float, Prediction]]:
    """Yields every outcome of a search whose answers are each verified with probability p, with its probability."""
    for outcome in itertools.product((True, False), repeat=budget):
        probability = math.prod(p if one else 1 - p for one in outcome)
        ends = [1, *range(1 + at_once, budget, at_once), budget]
        drawn = budget if to_the_end else next((end for end in ends if any(outcome[:end])), budget)
        yield probability, searched(0, drawn, outcome[0], sum(outcome[1:drawn]))


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_the_share_of_solved_questions_has_no_bias_at_the_ends_of_rounds(p: float) -> None:
    budget, at_once = 6, 3
    failed = searched(1, budget)
    known = [searched(2, 1, True), searched(3, 1 + at_once, verified=1)]  # they show the size of a round
    expected = dict.fromkeys(shown_sizes(budget), 0.0)
    formula = 0.0
    for probability, prediction in searches(p, budget, at_once, to_the_end=False):
        row = rows_of([prediction, failed, *known])[-1]
        assert row.estimator == "solved"
        for point in row.points:
            assert point.share is not None
            expected[point.n] += probability * (4 * point.share.value - sum(point.n >= end for end in (1, 4)))
        usage = search_usage(prediction)
        assert usage is not None
        if usage.answers > at_once:
            formula += probability * unbiased_share(usage.answers - 1, usage.verified_samples, at_once)
        else:
            formula += probability
    for n in (1, 4, 6):
        assert expected[n] == pytest.approx(1 - (1 - p) ** n)
    assert expected[2] < 1 - (1 - p) ** 2  # within a round
    # The formula for samples to the end is wrong where sampling stopped at a success.
    assert abs(formula - (1 - (1 - p) ** (at_once + 1))) > 0.005


def test_samples_to_the_end_are_estimated_with_and_without_the_greedy_answer() -> None:
    first, alone, *_ = rows_of([searched(0, 6, True, 0), searched(1, 6, False, 2), searched(2, 6)])
    assert (first.includes_greedy, alone.includes_greedy) == (True, False)
    assert first.estimator == alone.estimator == "unbiased"
    assert shares(first) == pytest.approx({1: 1 / 3, 2: (1 + 2 / 5) / 3, 4: (1 + 9 / 10) / 3, 6: 2 / 3})
    assert shares(alone) == pytest.approx({1: 2 / 5 / 3, 2: 7 / 10 / 3, 4: 1 / 3, 5: 1 / 3})
    assert [point.seconds for point in first.points] == pytest.approx([0.1, 0.2, 0.4, 0.6])
    assert all(point.is_exact for row in (first, alone) for point in row.points)


def test_a_share_within_a_round_is_called_a_lower_bound() -> None:
    (row, _) = rows_of([searched(0, 1, True), searched(1, 4, verified=1), searched(2, 10)])
    assert shares(row) == pytest.approx({1: 1 / 3, 2: 1 / 3, 4: 2 / 3, 8: 2 / 3, 10: 2 / 3})
    assert {point.n: point.is_exact for point in row.points} == {1: True, 2: False, 4: True, 8: True, 10: True}
    assert row.points[-1].seconds == pytest.approx((0.1 + 0.4 + 1.0) / 3)
    # Without a search that stopped in between, one round may have had all samples.
    (row, _) = rows_of([searched(0, 1, True), searched(1, 10, verified=1)])
    assert {point.n: point.is_exact for point in row.points} == {1: True, 2: False, 4: False, 8: False, 10: True}


def test_there_are_rows_for_each_set_and_for_all_of_them() -> None:
    predictions = [searched(0, 1, True), searched(0, 5, verified=1, name="vr"), searched(1, 9)]
    assert [(row.set, row.questions) for row in rows_of(predictions)] == [("static", 2), ("vr", 1), (None, 3)]


def test_models_that_do_not_search_have_no_rows() -> None:
    plain = searched(0, 1).model_copy(update={"usage": {"completion_tokens": 5}})
    silent = searched(0, 1).model_copy(update={"usage": None})
    for one in (plain, silent):
        assert verified_rows({"m": {"static": [one]}}) == search_cost_rows({"m": {"static": [one]}}) == []
    assert verified_rows({}) == search_cost_rows({}) == []


def test_questions_without_an_answer_are_left_out() -> None:
    failed = searched(1, 1).model_copy(update={"usage": None, "error": "quota"})
    assert rows_of([searched(0, 4, verified=1), failed]) == rows_of([searched(0, 4, verified=1)])


def test_a_verified_derivation_bears_the_cost_of_all_questions() -> None:
    predictions: list[Prediction] = [searched(0, 1, True, checks=1), searched(1, 4, verified=1, checks=3)]
    predictions += [searched(2, 10, checks=5)]
    row, together = search_cost_rows({"m": {"static": predictions}})
    assert (row.set, together.set, row.questions, row.verified) == ("static", None, 3, 2)
    costs = (row.samples, row.tokens, row.checks, row.seconds)
    assert [cost and cost.value for cost in costs] == pytest.approx([15 / 2, 150 / 2, 9 / 2, 1.5 / 2])
    (unsolved, _) = search_cost_rows({"m": {"static": [searched(0, 4)]}})
    assert unsolved.verified == 0
    assert unsolved.samples is unsolved.seconds is None
