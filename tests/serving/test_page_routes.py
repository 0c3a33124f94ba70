"""The routes that the page uses for formulas, questions and missing steps."""

import json
from typing import Any

from mathderive.checker.filling import fill
from mathderive.checker.supervision import SupervisedChecker
from mathderive.symbolic.prompts import split_prompt
from tests.serving.test_protocol import send
from tests.support.served import Served


def post(served: Served, path: str, **asked: Any) -> tuple[int, Any]:
    status, _, body = send(served, "POST", path, json.dumps(asked))
    return status, json.loads(body)


def test_equations_are_typeset_and_other_text_is_not(served: Served) -> None:
    equations = [
        r"\frac{d}{d x} f{(x)} = 2 x",
        r"\href{javascript:alert(1)}{x} = 1",
        "</script>",
        r"\text{<b>} = 1",
        "",
    ]
    status, _, body = send(served, "POST", "/typeset", json.dumps({"equations": equations}))
    first, *others = json.loads(body)["mathml"]
    assert status == 200
    assert first.startswith("<math ")
    assert others == [None] * 4
    assert send(served, "POST", "/typeset", json.dumps({"equations": ["x"] * 65}))[0] == 400
    assert send(served, "POST", "/typeset", json.dumps({"equations": ["x" * 2001]}))[0] == 400


def test_a_sentence_is_typeset_in_parts(served: Served) -> None:
    sentences = [r"equation 1 plus $x = 1$ is $\frac{$", "costs $5", "$</script>$", " $x = 1$" * 40]
    status, _, body = send(served, "POST", "/typeset", json.dumps({"equations": [], "sentences": sentences}))
    assert status == 200
    first, second, third, many = json.loads(body)["sentences"]
    assert [part["text"] for part in first] == ["equation 1 plus ", "x = 1", " is ", r"\frac{", ""]
    assert [part["is_formula"] for part in first] == [False, True, False, True, False]
    assert [part["mathml"] is not None for part in first] == [False, True, False, False, False]
    assert second == [{"text": "costs $5", "is_formula": False, "mathml": None}]
    assert third[1] == {"text": "</script>", "is_formula": True, "mathml": None}
    assert sum(part["mathml"] is not None for part in many) == 16
    assert send(served, "POST", "/typeset", json.dumps({"equations": [], "sentences": [""] * 17}))[0] == 400


def test_a_question_is_written_in_the_models_notation(served: Served) -> None:
    typed = {"premises": ["$E = mc^2$", r"f(x) = \sin x"], "derive": ["f'(x) = cos(x)"], "goal": "m = E/c^2"}
    status, found = post(served, "/notation", **typed)
    assert status == 200
    assert [one["text"] for one in found["premises"]] == ["E = c^{2} m", r"f{(x)} = \sin{(x)}"]
    assert found["derive"] == [{"text": r"\frac{d}{d x} f{(x)} = \cos{(x)}", "fault": None}]
    texts = tuple(tuple(one["text"] for one in found[field]) for field in ("premises", "derive"))
    assert split_prompt(found["prompt"]) == (*texts, r"m = \frac{E}{c^{2}}")


def test_a_question_with_a_fault_has_no_prompt(served: Served) -> None:
    _, found = post(served, "/notation", premises=["x = 1", "<b>", "{" * 5_000], goal="x + 1")
    assert [one["text"] for one in found["premises"]] == ["x = 1", None, None]
    assert all(one["fault"] for one in (*found["premises"][1:], found["goal"]))
    assert found["prompt"] is None
    assert post(served, "/notation", premises=["x = 1"])[1]["prompt"] is None
    assert post(served, "/notation", premises=[], goal="x = 1")[1]["prompt"] is None
    for field, value in (
        ("premises", ["x = 1"] * 65),
        ("premises", ["x" * 10_001]),
        ("goal", ["x = 1"]),
        ("rules", ""),
    ):
        status, refused = post(served, "/notation", **{"premises": ["x = 1"], field: value})
        assert (status, refused["error"]["param"].split(".")[0]) == (400, field)


def test_a_question_that_takes_too_long_is_not_read(served: Served) -> None:
    # Each line has many readings, and all lines are read with the names of all others.
    line = "+".join(rf"\int \frac{{d}}{{d x}} {letter} \sin^{{9}} x^{{2}} dx" for letter in "abcfghklmnpqrstuvwyz")
    _, found = post(served, "/notation", premises=[f"{line} = {number} + {line}" for number in range(64)], goal="x = 1")
    assert {one["fault"] for one in found["premises"]} == {"the question takes too much time or memory to read"}
    assert post(served, "/notation", premises=["x = 1"], goal="x=1")[1]["prompt"] == "Given x = 1, then obtain x = 1"


def test_missing_equations_are_returned_where_they_are_asked_for(served: Served) -> None:
    premise, goal = r"f{(x)} = \sin{(x)}", r"e^{\frac{d}{d x} f{(x)}} = e^{\cos{(x)}}"
    asked = {"prompt": f"Given {premise}, then obtain {goal}", "derivation": f"{premise} and {goal}"}
    status, found = post(served, "/check", **asked, fill=True)
    assert status == 200
    with SupervisedChecker() as checker:
        verdict = checker.check(asked["prompt"], asked["derivation"], counts_missing=True, rules="textbook")
    expected = fill(verdict)
    filled = {"equations": [*expected.equations], "missing": [2, 3], "open": 0}
    assert found["filled"] == filled
    assert found["steps"] == json.loads(verdict.model_dump_json())["steps"]
    assert post(served, "/check", **{**asked, "derivation": " and ".join(expected.equations)})[1]["verified"]
    assert post(served, "/check", **asked, fill="yes")[0] == 400
    batch = [{**asked, "fill": True}, asked]
    results = post(served, "/check/batch", derivations=batch)[1]["results"]
    assert [result["filled"] for result in results] == [filled, None]
