"""The tables of the studies in Markdown, in JSON and in a terminal."""

import json
from collections.abc import Callable

from mathderive.metrics.error_table import error_rows
from mathderive.records import MISSING_OPERATORS, EvaluationSet, Score
from mathderive.report.page import ReportContents
from mathderive.report.studies import Studies, as_json, as_markdown, error_tables, make_studies, summary_tables
from mathderive.report.text_tables import TextTable
from tests.metrics.test_comparisons import make_score, summary

MakeContents = Callable[..., ReportContents]


def studies_of(contents: ReportContents) -> Studies:
    return make_studies(contents.examples, contents.scores, contents.copy_model, contents.predictions)


def test_the_error_table_says_shares_intervals_and_counts(make_contents: MakeContents) -> None:
    by_equation, by_derivation, _ = error_tables(studies_of(make_contents(sources=6, checked=True)).errors)
    head = ["Incorrect", "Redundant", "Irrelevant", "Skipped", "Unparsable", "Undecided"]
    assert by_equation.head == ["Model", "Set", "Equations", "Valid", *head]
    assert by_derivation.head == ["Model", "Set", "Answers", "Sound", "Verified", *head]
    rows = {tuple(row[:2]): row[2:] for row in by_equation.rows}
    # Half of t5's answers have two incorrect equations of three; the interval is about which half is drawn.
    assert rows["t5", "Static"] == ["18", "50.0 [16.7, 83.3]", "33.3 [11.1, 55.6] (6)", *["0.0 (0)"] * 5]
    assert rows["copy", "All sets"] == ["90", "0.0", "66.7 (60)", *["0.0 (0)"] * 5]
    rows = {tuple(row[:2]): row[2:] for row in by_derivation.rows}
    assert rows["t5", "All sets"] == ["30", *["50.0 [16.7, 83.3]"] * 2, "50.0 [16.7, 83.3] (15)", *["0.0 (0)"] * 5]


def test_missing_steps_are_counted_by_model_and_set() -> None:
    scores: dict[str, dict[EvaluationSet, list[Score]]] = {"m": {}}
    for name, counts in (("static", (1, 0, 2, 0)), ("vr", (0, 3, 0, 2))):
        validity = summary(skipped=sum(counts)).model_copy(
            update={"missing_operators": dict(zip(MISSING_OPERATORS, counts, strict=True))}
        )
        scores["m"][name] = [make_score(0, name=name, validity=validity)]
    rows = {row[1]: row[2:] for row in error_tables(error_rows(scores))[-1].rows}
    assert rows["Static"] == ["3", "33.3 (1)", "0", "66.7 (2)", "0"]
    assert rows["All sets"] == ["8", "12.5 (1)", "37.5 (3)", "25.0 (2)", "25.0 (2)"]


def test_markdown_and_json_hold_every_study(make_contents: MakeContents) -> None:
    studies = studies_of(make_contents(sources=6, checked=True))
    text = as_markdown(studies)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Reasoning errors",
        "## Metric study",
        "## Comparisons",
        "## By kind of question",
    ]
    assert "| t5 | copy | Static | " in text
    tree = json.loads(json.dumps(as_json(studies), allow_nan=False))
    assert list(tree) == ["errors", "metric_study", "comparisons", "perturbation_effects", "breakdown"]
    assert tree["errors"][0]["findings"]["incorrect"]["equations"] == 6
    row = next(row for row in tree["metric_study"] if (row["model"], row["set"]) == ("t5", "vr"))
    # Right and wrong answers have the same text here, so no metric can tell them apart.
    assert row["verified_auc"] == {"value": 0.5, "interval": None}
    assert row["verified_correlation"] is None
    (verified,) = {row["comparisons"]["verified"]["difference"]["value"] for row in tree["comparisons"]}
    assert verified == 0.5


def test_significant_differences_are_starred(make_contents: MakeContents) -> None:
    contents = make_contents(sources=40, checked=True)
    scores = {
        model: {
            name: [score.model_copy(update={"gleu": 0.3 + number / 100}) for number, score in enumerate(of_set)]
            if model == "copy"
            else of_set
            for name, of_set in by_set.items()
        }
        for model, by_set in contents.scores.items()
    }
    text = as_markdown(make_studies(contents.examples, scores, "copy", contents.predictions))
    row = next(line for line in text.splitlines() if line.startswith("| t5 | copy | Static"))
    cells = row.split(" | ")
    assert cells[5].endswith("]*")  # GLEU
    assert "*" not in cells[6]  # no answer ends with the goal


def test_without_verdicts_there_is_nothing_about_them(make_contents: MakeContents) -> None:
    studies = studies_of(make_contents())
    assert summary_tables(studies) == []
    text = as_markdown(studies)
    assert "rror" not in text
    assert "erified" not in text
    assert list(as_json(studies)) == ["comparisons", "perturbation_effects", "breakdown"]
    empty = make_studies({}, {}, None, {})
    assert (as_markdown(empty), as_json(empty)) == ("", {})


def test_a_terminal_has_columns(make_contents: MakeContents) -> None:
    tables = summary_tables(studies_of(make_contents(sources=4, checked=True)))
    assert [table.title for table in tables] == [
        "Errors by equation",
        "Errors by derivation",
        "Missing steps",
        "Do metrics see that a derivation is right?",
        "Do metrics see how many equations are valid?",
    ]
    lines = tables[0].plain().splitlines()
    assert lines[1].split() == ["Model", "Set", "Equations", "Valid", "Incorrect", "Redundant", "Irrelevant", "Skipped",
                                "Unparsable", "Undecided"]  # fmt: skip
    assert len({len(line) for line in lines[1:]}) == 1


def test_a_hostile_name_stays_in_its_cell() -> None:
    table = TextTable("T", "", ["Model", "Set", "N"], [["a|b\n\u202e<i>", "Static", "1"]])
    assert table.markdown().splitlines()[-1] == "| a\\|b \u202e\\<i\\> | Static | 1 |"
    assert "\u202e" not in table.plain()
    assert len(table.plain().splitlines()) == 3
