"""The headline: which scores it shows, and whether its sentence agrees with the tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mathderive.metrics.comparisons import pair_rows
from mathderive.records import EVALUATION_SETS, EvaluationSet, Score
from mathderive.report.headline import comparison_sentences, make_headline
from mathderive.report.page import ReportContents, write_report
from mathderive.report.score_table import score_rows
from tests.metrics.test_comparisons import by_model, make_score, summary

MakeContents = Callable[..., ReportContents]


def answers(model: str, name: EvaluationSet, verified: int, count: int = 40, value: float = 0.5) -> list[Score]:
    checked = [summary(number < verified, valid=1) for number in range(count)]
    return [make_score(n, name, model, value=value, validity=validity) for n, validity in enumerate(checked)]


def sentences(*scores: list[Score], copy_model: str | None = "copy") -> list[str]:
    return comparison_sentences(pair_rows(by_model([one for part in scores for one in part])), copy_model)


def test_verified_answers_come_first_with_intervals_and_sets_as_columns(make_contents: MakeContents) -> None:
    contents = make_contents(sources=6, checked=True)
    scores = score_rows(contents.scores)
    headline = make_headline(scores, pair_rows(contents.scores), "copy")
    assert headline is not None
    assert headline.table.head == ["Measure", "Model", "Static", "VR", "EE", "AG", "SR"]
    assert [row[:3] for row in headline.table.rows] == [
        ["Verified", "t5", "50.0 [16.7, 83.3]"],
        ["Verified", "copy", "0.0"],
        ["Sound", "t5", "50.0 [16.7, 83.3]"],
        ["Sound", "copy", "0.0"],
        ["ROUGE-2", "t5", "100.0"],
        ["ROUGE-2", "copy", headline.table.rows[5][2]],
    ]


def test_without_verdicts_the_headline_has_text_metrics_alone(make_contents: MakeContents) -> None:
    contents = make_contents(sources=3)
    headline = make_headline(score_rows(contents.scores), pair_rows(contents.scores), "copy")
    assert headline is not None
    assert {row[0] for row in headline.table.rows} == {"ROUGE-2"}
    assert make_headline([], [], "copy") is None


def test_a_sentence_names_the_sets_of_every_outcome() -> None:
    (sentence,) = sentences(
        *(answers("t5", name, n) for name, n in zip(EVALUATION_SETS, (30, 25, 4, 0, 0), strict=True)),
        *(answers("copy", name, n) for name, n in zip(EVALUATION_SETS, (2, 0, 3, 0, 20), strict=True)),
    )
    assert sentence == (
        "By verified answers, t5 beats copy on static and VR; it does not differ significantly from copy on EE; "
        "it equals copy in every answer on AG; it loses to copy on SR "
        "(paired bootstrap test, p < 0.05, adjusted by Holm’s method)."
    )


def test_without_variation_there_is_no_test() -> None:
    (sentence,) = sentences(answers("t5", "static", 40), answers("copy", "static", 0))
    assert "t5 is ahead of copy by the same amount in every answer on static (" in sentence
    (sentence,) = sentences(answers("t5", "static", 0), answers("copy", "static", 40))
    assert "t5 is behind copy by the same amount in every answer on static (" in sentence


def test_the_order_of_the_models_does_not_matter() -> None:
    better, worse = answers("t5", "static", 30), answers("copy", "static", 2)
    assert sentences(better, worse) == sentences(worse, better)
    assert "t5 beats copy on static (" in sentences(better, worse)[0]


def test_there_is_a_sentence_for_each_model_and_none_without_copy() -> None:
    parts = [answers(model, "static", n) for model, n in (("a", 30), ("b", 3), ("copy", 2))]
    assert [one.split(" on ")[0] for one in sentences(*parts)] == [
        "By verified answers, a beats copy",
        "By verified answers, b does not differ significantly from copy",
    ]
    assert sentences(*parts, copy_model=None) == sentences(*parts[:2]) == []


def test_a_text_metric_takes_the_place_of_verdicts() -> None:
    plain = [one.model_copy(update={"validity": None}) for one in answers("t5", "static", 0, value=0.9)]
    plain = [one.model_copy(update={"rouge2": 0.8 + n % 7 / 100}) for n, one in enumerate(plain)]
    (sentence,) = sentences(plain, answers("copy", "static", 0))
    assert sentence.startswith("By ROUGE-2, t5 beats copy on static (")


@pytest.mark.slow
def test_the_headline_is_first_in_the_tables_and_last_in_the_terminal(
    tmp_path: Path, make_contents: MakeContents
) -> None:
    terminal = write_report(tmp_path, make_contents(sources=6, checked=True))
    last = terminal.split("\n\n")[-1]
    assert last.splitlines()[0] == "Results"
    assert last.splitlines()[2].split()[:2] == ["Verified", "t5"]
    assert "t5 does not differ significantly from copy on static" in last.splitlines()[-1]
    text = (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("## ")][:2] == ["## Results", "## Scores"]
