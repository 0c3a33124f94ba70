"""The explorer's data: complete, without repeated texts, the same every time, and safe to show."""

import base64
import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.layout import equations_of
from mathderive.checker.verdicts import Validity
from mathderive.metrics.error_table import FINDINGS
from mathderive.metrics.registry import text_metrics
from mathderive.records import TRUTHS, Prediction, Score
from mathderive.report.explorer import explorer_data
from mathderive.report.numbers import percent
from mathderive.report.page import ReportContents, shown_examples
from mathderive.report.plain import visible
from mathderive.report.verdict_signs import SIGNS
from mathderive.symbolic.prompts import split_prompt
from tests.support.explored import checked_contents

MakeContents = Callable[..., ReportContents]


def unpack(contents: ReportContents) -> dict[str, Any]:
    packed = explorer_data(shown_examples(contents, 1000))
    return json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))


@pytest.fixture(scope="module")
def contents() -> ReportContents:
    return checked_contents()


@pytest.fixture(scope="module")
def data(contents: ReportContents) -> dict[str, Any]:
    return unpack(contents)


def texts(data: dict[str, Any], lines: list[dict[str, Any]]) -> list[str]:
    return [data["equations"][line["equation"]][0] for line in lines]


def answers(
    contents: ReportContents, data: dict[str, Any]
) -> Iterator[tuple[dict[str, Any], Prediction, Score, Validity]]:
    """Yields every answer of the data with its prediction, score and verdicts."""
    for answer in data["answers"]:
        model, example = data["models"][answer["model"]], data["examples"][answer["example"]]["id"]
        (prediction,) = (row for rows in contents.predictions[model].values() for row in rows if row.id == example)
        (score,) = (row for rows in contents.scores[model].values() for row in rows if row.id == example)
        (checked,) = (row for rows in contents.checked[model].values() for row in rows if row.id == example)
        yield answer, prediction, score, checked.validity


def test_every_question_and_every_answer_is_there(contents: ReportContents, data: dict[str, Any]) -> None:
    examples = {example.id: example for rows in contents.examples.values() for example in rows}
    assert [example["id"] for example in data["examples"]] == list(examples)
    for shown in data["examples"]:
        example = examples[shown["id"]]
        asked = split_prompt(example.prompt)
        prompt = [*asked.premises, *asked.derive, asked.goal]
        assert texts(data, shown["prompt"]["lines"]) == prompt
        assert texts(data, shown["reference"]["lines"]) == split_answer(example.target)
        assert [line["origin"] for line in shown["reference"]["lines"]][:2] == ["premise", "differentiate 1"]
    asked_of = sum(len(rows) for by_set in contents.predictions.values() for rows in by_set.values())
    assert len(data["answers"]) == asked_of
    for answer, prediction, score, _ in answers(contents, data):
        assert texts(data, answer["lines"]) == [visible(text) for text in equations_of(prediction.text)]
        values = [score.metric(metric.key) for metric in text_metrics()]
        assert answer["scores"] == [None if value is None else percent(value) for value in values]
        assert answer["endsWithGoal"] == score.ends_with_goal


def test_verdicts_are_the_checkers(contents: ReportContents, data: dict[str, Any]) -> None:
    for answer, _, _, validity in answers(contents, data):
        shown = [(line["verdict"]["kind"], line["verdict"]["words"][0]) for line in answer["lines"]]
        assert shown == [(step.category or step.truth, step.truth) for step in validity.steps]
        said = answer["validity"]
        assert (said["verified"], said["goalReached"]) == (validity.verified, validity.goal_reached)
        categories = [step.category or step.truth for step in validity.steps]
        assert said["findings"] == {finding: categories.count(finding) for finding in FINDINGS if finding in categories}
    kinds = {finding for answer, *_ in answers(contents, data) for finding in answer["validity"]["findings"]}
    assert {"incorrect", "redundant", "unparsable"} <= kinds  # or else little was tested


def test_every_verdict_and_category_has_a_sign() -> None:
    assert SIGNS.keys() == {*TRUTHS, *FINDINGS}
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_reasons_have_their_formulas(contents: ReportContents, data: dict[str, Any]) -> None:
    shown = []
    for answer, _, _, validity in answers(contents, data):
        for line, step in zip(answer["lines"], validity.steps, strict=True):
            pieces = [
                piece if isinstance(piece, str) else f"${data['equations'][piece][0]}$"
                for piece in line["verdict"]["reason"]
            ]
            assert "".join(pieces) == visible(step.reason)
            values = line["verdict"].get("counterexample")
            assert (values is None) == (step.counterexample is None)
            shown += [text for text in pieces if text.startswith("$")]
    assert "$x$" in shown


def test_equations_and_formulas_are_held_once(data: dict[str, Any]) -> None:
    held = [entry[0] for entry in data["equations"]]
    assert len(held) == len(set(held))
    assert len(data["formulas"]) == len(set(data["formulas"]))
    places = {entry[1] for entry in data["equations"] if len(entry) == 2}
    assert places == set(range(len(data["formulas"])))
    assert all(formula.startswith("<math ") for formula in data["formulas"])


def test_the_same_contents_give_the_same_text(contents: ReportContents) -> None:
    assert explorer_data(shown_examples(contents, 9)) == explorer_data(shown_examples(checked_contents(), 9))


def test_without_verdicts_there_are_none(contents: ReportContents) -> None:
    data = unpack(replace(contents, checked={}))
    assert data["answers"]
    for answer, _, score, _ in answers(contents, data):  # the verdicts are those of the contents that have them
        assert "validity" not in answer
        assert answer["endsWithGoal"] == score.ends_with_goal
        assert not [line for line in answer["lines"] if "verdict" in line]


def test_what_is_too_long_is_cut(make_contents: MakeContents) -> None:
    data = unpack(make_contents(answer="x = 1 and " * 100 + "y" * 10_000))
    of_t5 = [answer for answer in data["answers"] if data["models"][answer["model"]] == "t5"]
    assert {len(answer["lines"]) for answer in of_t5} == {60}
    assert {answer["note"] for answer in of_t5} == {"Cut here: 41 more equations are not shown."}
    data = unpack(make_contents(answer="y" * 10_000 + " and x = 1"))
    (answer,) = [a for a in data["answers"] if a["example"] == 0 and data["models"][a["model"]] == "t5"]
    assert [len(text) for text in texts(data, answer["lines"])] == [5_000]
    assert answer["note"] == "Cut here: 5,000 more characters and 1 more equations are not shown."


def test_an_answer_that_failed_says_why(make_contents: MakeContents) -> None:
    contents = make_contents(answer="")
    failed = {
        name: [row.model_copy(update={"error": "quota"}) for row in rows]
        for name, rows in contents.predictions["t5"].items()
    }
    data = unpack(replace(contents, predictions={"t5": failed}))
    assert {answer["note"] for answer in data["answers"]} == {"No answer: quota"}


@pytest.mark.parametrize("text", ["a\x00 = \u202eb", "x = \ud800", "</script>", "$x$ = $", r"\text{<b>} = 1"])
def test_hostile_text_is_text(make_contents: MakeContents, text: str) -> None:
    contents = make_contents(answer=text, model=text[:3])
    data = unpack(contents)
    of_model = [answer for answer in data["answers"] if data["models"][answer["model"]] == visible(text[:3])]
    assert {tuple(texts(data, answer["lines"])) for answer in of_model} == {(visible(text),)}
    assert re.fullmatch(r"[A-Za-z0-9+/=]*", explorer_data(shown_examples(contents, 1000)))
