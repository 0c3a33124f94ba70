"""The tables: means by hand, no empty cells, and the paper's own numbers from the released outputs."""

import json
from pathlib import Path

import pytest

from mathderive.metrics.scoring import score
from mathderive.metrics.statistics import Estimate
from mathderive.records import EVALUATION_SETS, EvaluationSet, MetricSensitivity, Prediction, Score, Scores, Sensitivity
from mathderive.report.failure_table import failure_rows
from mathderive.report.numbers import percent
from mathderive.report.score_table import score_grid, score_rows
from mathderive.report.sensitivity_table import quantity, sensitivity_rows
from mathderive.report.tables import as_json, as_markdown
from tests.support.released_records import load


def make_score(
    name: EvaluationSet, value: float, goal: bool = True, bleurt: float | None = None, model: str = "m"
) -> Score:
    return Score(
        id=f"1-{name}",
        source_id="1",
        set=name,
        model=model,
        rouge2=value,
        bleu=value / 2,
        gleu=value / 4,
        bleurt=bleurt,
        ends_with_goal=goal,
    )


def make_pair(name: EvaluationSet, ratio: float | None, bleurt: bool = False) -> Sensitivity:
    values = MetricSensitivity(
        difference=-0.25,
        reference_similarity=0.5,
        output_similarity=0.25,
        abs=0.25,
        ratio=ratio,
        norm_abs=0.5,
    )
    return Sensitivity(
        source_id="1",
        set=name,
        model="m",
        rouge2=values,
        bleu=values,
        gleu=values,
        bleurt=values if bleurt else None,
    )


def test_means_by_hand() -> None:
    scores: Scores = {"m": {"static": [make_score("static", 1.0), make_score("static", 0.5, goal=False)], "vr": []}}
    (row,) = score_rows(scores)
    assert (row.set, row.examples) == ("static", 2)
    found = {measure: estimate.value for measure, estimate in row.means.items() if estimate}
    assert found == {"rouge2": 0.75, "bleu": 0.375, "gleu": 0.1875, "ends_with_goal": 0.5}


def test_the_page_has_one_table_for_each_measure() -> None:
    titles = [table.title for table in score_grid(score_rows({"m": {"static": [make_score("static", 1.0)]}})).tables]
    assert titles == ["ROUGE-2", "BLEU", "GLEU", "Ends with the goal", "BLEURT"]


def test_a_mean_ratio_is_over_the_pairs_that_have_one() -> None:
    (row,) = sensitivity_rows({"m": [make_pair("vr", 0.5), make_pair("vr", None), make_pair("vr", 1.0)]})
    assert row.pairs == 3
    assert row.means["bleu"] is not None
    assert row.means["bleu"]["ratio"] == Estimate(0.75, None)
    assert row.means["bleu"]["difference"] == Estimate(-0.25, None)
    assert row.means["bleurt"] is None
    (without,) = sensitivity_rows({"m": [make_pair("vr", None)]})
    assert without.means["rouge2"] is not None
    assert without.means["rouge2"]["ratio"] is None


def test_bleurt_s_column_says_where_it_was_not_computed() -> None:
    plain = score_rows({"m": {"static": [make_score("static", 1.0)]}})
    text = as_markdown(plain, sensitivity_rows({"m": [make_pair("ag", 1.0)]}))
    assert "| m | Static | 100.0 | 50.0 | 25.0 | – | 100.0 | 1 |" in text
    assert "### BLEURT" not in text, "a table of dashes says nothing"
    assert text.endswith("– not computed.\n")
    mixed = score_rows(
        {
            "m": {"static": [make_score("static", 1.0, bleurt=0.7)]},
            "n": {"static": [make_score("static", 1.0, model="n")]},
        }
    )
    text = as_markdown(mixed, sensitivity_rows({"m": [make_pair("ag", 1.0, bleurt=True)]}))
    assert "| m | Static | 100.0 | 50.0 | 25.0 | 70.0 | 100.0 | 1 |" in text
    assert "| n | Static | 100.0 | 50.0 | 25.0 | – | 100.0 | 1 |" in text
    assert "### BLEURT" in text
    assert text.endswith("– not computed.\n")


def test_a_model_s_name_stays_in_its_cell() -> None:
    text = as_markdown(score_rows({"a|b\n<i>": {"static": [make_score("static", 1.0)]}}), [])
    assert "| a\\|b \\<i\\> | Static |" in text


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "12.3"), (1.0, "100.0"), (-0.0262, "−2.6"), (-0.0001, "0.0"), (-0.0, "0.0"), (None, "–")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert percent(value) == shown


def test_relative_quantities_are_not_in_hundredths() -> None:
    (row,) = sensitivity_rows({"m": [make_pair("sr", 0.98765)]})
    assert quantity(row.means["gleu"], "ratio") == "0.988"
    assert quantity(row.means["gleu"], "norm_abs") == "0.500"
    assert quantity(row.means["gleu"], "difference") == "−25.0"


def test_json_holds_the_unrounded_rows() -> None:
    rows = score_rows({"m": {"ee": [make_score("ee", 1 / 3)]}})
    tree = json.loads(json.dumps(as_json(rows, sensitivity_rows({"m": [make_pair("ee", None)]}))))
    assert tree["scores"][0]["rouge2"] == 1 / 3
    assert tree["scores"][0]["bleurt"] is None
    assert tree["sensitivity"][0]["rouge2"]["ratio"] is None
    assert tree["sensitivity"][0]["pairs"] == 1


def make_prediction(error: str | None = None, finish_reason: str | None = None) -> Prediction:
    return Prediction(id="1-vr", source_id="1", set="vr", model="m", text="", error=error, finish_reason=finish_reason)


def test_failures_are_counted_by_kind_over_all_sets() -> None:
    failed = [
        make_prediction(error="refused: I cannot"),
        make_prediction(error="status 400", finish_reason="length"),
        make_prediction(finish_reason="length"),
        make_prediction(finish_reason="stop"),
    ]
    rows = failure_rows({"m": {"vr": failed, "sr": [make_prediction(error="refused: never")]}, "n": {"vr": failed[3:]}})
    assert [(row.model, row.reason, row.count) for row in rows] == [
        ("m", "refused", 2),
        ("m", "cut at its length limit", 1),
        ("m", "status 400", 1),
    ]
    scores = score_rows({"m": {"static": [make_score("static", 1.0)]}})
    assert "| m | refused | 2 |" in as_markdown(scores, [], rows)
    assert as_json(scores, [], rows)["failures"][0] == {"model": "m", "reason": "refused", "count": 2}
    assert "failed" not in as_markdown(scores, [], [])
    assert "failures" not in as_json(scores, [], [])


def test_a_hostile_reason_is_short_and_does_not_act() -> None:
    (row,) = failure_rows({"m": {"vr": [make_prediction(error="a|b\n\u202e<i>" + "x" * 10_000)]}})
    assert len(row.reason) < 80
    assert "\u202e" not in row.reason
    assert "| a\\|b ⟨U+202E⟩\\<i\\>xxx" in as_markdown([], [], [row])


def test_static_means_are_those_of_the_recorded_scores(shared_reference: Path) -> None:
    released = load(shared_reference, "gpt-4")
    by_id = {example.id: example for example in released.examples}
    scores = {name: [score(by_id[p.id], p) for p in released.predictions if p.set == name] for name in EVALUATION_SETS}
    static = score_rows({"gpt-4": scores})[0]
    for metric, key in (("rouge2", "rouge"), ("bleu", "bleu"), ("gleu", "gleu")):
        recorded = sum(row[f"static_{key}"] for row in released.rows) / len(released.rows)
        estimate = static.means[metric]
        assert estimate is not None
        assert estimate.value == pytest.approx(recorded, abs=1e-12)
