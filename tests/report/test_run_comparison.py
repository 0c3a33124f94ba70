"""Two runs side by side: the tables by independent calculations, and their laws."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats

from mathderive.metrics.measures import titles
from mathderive.records import EVALUATION_SETS, EvaluationSet, Score
from mathderive.report.numbers import DASH
from mathderive.report.run_comparison import (
    LISTED,
    LONGEST_VALUE,
    ComparedRun,
    Pair,
    RunComparison,
    change_table,
    config_table,
    measure_tables,
    sentences,
)
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS
from tests.metrics.test_comparisons import by_model, make_score, summary
from tests.support.resampling import rng_of

SOURCES = 30


def make_run(name: str, config: Mapping[str, Any] | None = None, **factors: int) -> ComparedRun:
    """A run with a predictor for each factor, which decides its scores."""
    scores = [
        make_score(
            source,
            kind,
            predictor,
            value=(source * factor % 11) / 11,
            validity=summary(source * factor % 3 == 0, valid=2, incorrect=source * factor % 4),
        )
        for predictor, factor in factors.items()
        for kind in ("static", "sr")
        for source in range(SOURCES)
    ]
    return ComparedRun(name, f"runs/{name}", config or {}, by_model(scores))


def number(cell: str) -> float:
    """The value of a cell without its interval."""
    return float(cell.partition(" ")[0].replace("−", "-"))


def values(run: ComparedRun, predictor: str, kind: EvaluationSet, measure: str) -> list[float]:
    def value(score: Score) -> float:
        validity = score.validity
        assert validity is not None
        by_title = {"BLEU": score.bleu, "Verified": validity.verified, "Valid equations": validity.valid_equations}
        return float(by_title[measure])

    return [value(score) for score in run.scores[predictor][kind]]


def test_means_differences_and_intervals_are_those_of_numpy_and_scipy() -> None:
    first, second = make_run("base", t5=3), make_run("tuned", t5=5)
    (table,) = measure_tables(RunComparison(first, second, [Pair("t5", "t5")]))
    assert (table.title, table.head) == ("t5", ["Measure", "Set", "base", "tuned", "Difference", "p"])
    kinds = {SET_LABELS[kind]: kind for kind in EVALUATION_SETS}
    rows = {(measure, kinds[label]): cells for measure, label, *cells in table.rows}
    assert {measure for measure, _ in rows} == set(titles().values()) - {"BLEURT"}
    for measure in ("BLEU", "Verified", "Valid equations"):
        one, other = (values(run, "t5", "sr", measure) for run in (first, second))
        shown = rows[measure, "sr"]
        assert [number(cell) for cell in shown[:3]] == [
            pytest.approx(100 * float(np.mean(data)), abs=0.051) for data in (one, other, np.subtract(other, one))
        ]
        theirs = scipy.stats.bootstrap(
            (np.subtract(other, one),),
            np.mean,
            n_resamples=10_000,
            method="percentile",
            random_state=rng_of([f"{source:03}" for source in range(SOURCES)]),
        ).confidence_interval
        bounds = [number(part) for part in re.findall(r"[−\d.]+", shown[2].partition("[")[2])]
        assert bounds == [pytest.approx(100 * bound, abs=0.051) for bound in (theirs.low, theirs.high)]


def test_p_values_are_adjusted_for_all_pairs_and_sets_of_a_measure() -> None:
    comparison = RunComparison(
        make_run("base", t5=3, search=4),
        make_run("tuned", t5=5, search=7),
        [Pair("t5", "t5"), Pair("search", "search")],
    )
    tables = measure_tables(comparison)
    assert [table.title for table in tables] == ["t5", "search"]
    shown = [row[-1] for table in tables for row in table.rows if row[0] == "BLEU"]
    unadjusted = [row.comparisons["bleu"] for row in comparison.rows]
    order = [unadjusted[place] for place in (0, 2, 1, 3)]  # by pair, then by set
    family = [found.p for found in order if found and found.p is not None]
    assert len(family) == 4
    assert shown[family.index(min(family))] == f"{min(1, 4 * min(family)):.3f}"


def test_exchanging_the_runs_negates_the_differences() -> None:
    first, second, pairs = make_run("base", t5=3), make_run("tuned", t5=5), [Pair("t5", "t5")]
    (table,) = measure_tables(RunComparison(first, second, pairs))
    (mirrored,) = measure_tables(RunComparison(second, first, pairs))
    assert mirrored.head[2:4] == ["tuned", "base"]
    for row, other in zip(table.rows, mirrored.rows, strict=True):
        assert row[:2] == other[:2]
        assert (row[2], row[3], row[5]) == (other[3], other[2], other[5])
        assert number(row[4]) == -number(other[4])
    lines = [[row[1], row[2], row[3]] for row in change_table(RunComparison(first, second, pairs)).rows]
    assert sorted(lines) == sorted(
        [row[1], row[2], row[3]] for row in change_table(RunComparison(second, first, pairs)).rows
    )


def test_a_run_compared_with_itself_differs_in_nothing() -> None:
    run = make_run("base", {"run": {"seed": 1}}, t5=3, search=4)
    comparison = RunComparison(replace(run, name="first"), replace(run, name="second"), [Pair("t5", "t5")])
    assert comparison.unchanged == [Pair("t5", "t5")]
    assert all(
        c is None or (c.difference.value, c.p) == (0, None) for row in comparison.rows for c in row.comparisons.values()
    )
    assert sentences(comparison) == ["t5: every answer has the same scores in both runs.", "The configs do not differ."]
    assert not change_table(comparison).rows
    assert not measure_tables(comparison)


def test_p_is_1_where_no_answer_differs_and_absent_without_a_test() -> None:
    first = ComparedRun("a", "a", {}, by_model([make_score(source, value=source / 20) for source in range(10)]))
    second = ComparedRun("b", "b", {}, by_model([make_score(s, value=s / 20, bleu=s / 20 + 0.25) for s in range(10)]))
    (table,) = measure_tables(RunComparison(first, second, [Pair("m", "m")]))
    assert {row[0]: row[4:] for row in table.rows} == {
        "ROUGE-2": ["0.0", "1.000"],
        "BLEU": ["25.0", DASH],
        "GLEU": ["0.0", "1.000"],
        "Ends with the goal": ["0.0", "1.000"],
    }


def test_measures_that_one_run_lacks_are_dashes() -> None:
    first = make_run("checked", t5=3)
    unchecked = [
        score.model_copy(update={"validity": None}) for in_set in first.scores["t5"].values() for score in in_set
    ]
    second = ComparedRun("unchecked", "b", {}, by_model(unchecked))
    comparison = RunComparison(first, second, [Pair("t5", "t5")])
    (table,) = measure_tables(comparison)
    assert [row[3:] for row in table.rows if row[0] == "Verified"] == [[DASH] * 3] * 2
    assert [row[4:] for row in table.rows if row[0] == "BLEU"] == [["0.0", "1.000"]] * 2
    assert not change_table(comparison).rows


def test_the_sentence_names_the_sets_on_which_a_run_is_better() -> None:
    def run(name: str, verified: int) -> ComparedRun:
        checked = [make_score(s, model="t5", validity=summary(s < verified, valid=1)) for s in range(40)]
        return ComparedRun(name, name, {}, by_model(checked))

    (sentence, same_configs) = sentences(RunComparison(run("base", 5), run("tuned", 30), [Pair("t5", "t5")]))
    assert sentence.startswith("By verified answers, t5 (tuned) beats t5 (base) on static (paired bootstrap test")
    assert same_configs == "The configs do not differ."


def test_changed_verdicts_are_listed_by_run() -> None:
    first, second = make_run("base", t5=3), make_run("tuned", t5=5)
    comparison = RunComparison(first, second, [Pair("t5", "t5")])
    lost = [f"{source}-sr" for source in range(SOURCES) if source * 5 % 3]
    (line,) = [row for row in change_table(comparison).rows if row[1] == "SR"]
    assert line == ["t5", "SR", "base", f"{len(lost)} of {SOURCES}", f"{', '.join(lost[:LISTED])}, …"]


def test_config_values_are_shown_in_part_if_they_are_long() -> None:
    first = make_run("base", {"a": {"b": 1, "c": "x" * 1000}, "d": 2}, t5=3)
    second = make_run("tuned", {"a": {"b": 2, "c": "y"}, "d": 2, "e": None}, t5=3)
    table = config_table(RunComparison(first, second, [Pair("t5", "t5")]))
    assert table.head == ["Key", "base", "tuned"]
    assert table.rows == [
        ["a.b", "1", "2"],
        ["a.c", '"' + "x" * (LONGEST_VALUE - 1) + "…", '"y"'],
        ["e", DASH, "null"],
    ]
