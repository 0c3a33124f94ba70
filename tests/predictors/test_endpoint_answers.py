"""Answers in the forms that chat endpoints give them in, from a real HTTP server on loopback."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError
from mathderive.predictors.chat import ChatBaseline
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.ledger_records import RecordedAnswer
from mathderive.records import Prediction
from tests.predictors.test_chat import ask, baseline, example
from tests.predictors.test_chat_sampling import settings
from tests.support.chat_server import KEY, ChatServer, answer_to

ANSWER = answer_to(example("1").prompt)
OLD_LEDGER = Path(__file__).with_name("ledger_version_1")


def ask_once(server: ChatServer, folder: Path, fault: Any, **changes: Any) -> Prediction:
    """The prediction of one example, of which the first response has the fault."""
    server.faults = [fault]
    (prediction,) = ask(baseline(server, folder, **changes), [example("1")], folder / "static.jsonl")
    return prediction


def recorded(folder: Path) -> RecordedAnswer:
    with Ledger(folder / "ledger.sqlite") as ledger:
        (entry,) = ledger.entries()
    assert entry.answer is not None
    return entry.answer


def content(value: Any, **changes: Any) -> dict[str, Any]:
    return {"message": {"content": value, **changes}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"type": "text", "text": "x = 1"}], "x = 1"),
        ([{"type": "text", "text": "x = "}, {"type": "text", "text": "1 and y = 2"}], "x = 1 and y = 2"),
        (["x = ", {"type": "output_text", "text": "1"}], "x = 1"),
        ({"type": "text", "text": "x = 1"}, "x = 1"),
        ([{"text": "x = 1"}], "x = 1"),
        ([{"type": "text", "text": {"value": "x = 1", "annotations": []}}], "x = 1"),
        ([{"type": "image_url", "image_url": {"url": "u"}}, {"type": "text", "text": "x = 1"}], "x = 1"),
        ("x \ud800", "x ?"),
    ],
)
def test_a_content_may_be_a_list_of_parts(server: ChatServer, tmp_path: Path, value: Any, text: str) -> None:
    prediction = ask_once(server, tmp_path, content(value))
    assert (prediction.text, prediction.error) == (text, None)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (content(None), "an answer without text"),
        (content(""), "an answer without text"),
        (content([]), "an answer without text"),
        (content([{"type": "text", "text": ""}, {"type": "text", "text": None}]), "an answer without text"),
        (content([{"type": "image_url", "image_url": {"url": "u"}}]), "an answer without text"),
        (content("<think>x = 1</think>"), "an answer without text"),
        (content("<think>x = 1"), "an answer without text"),
        (content(None, reasoning_content="x = 1"), "an answer without text"),
        ({"finish_reason": "error"}, "an answer without text"),
        ({"finish_reason": "ERROR", "message": {"content": "x ="}}, "an answer without text"),
        ({"finish_reason": "abort", "message": {"content": "x ="}}, "an answer without text"),
        ({"error": {"message": "overloaded", "code": 502}}, "an error in place of an answer: overloaded"),
        (content(None, tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]),
         "a tool call in place of an answer"),
        (content("I call f", tool_calls=[{"id": "1"}]), "a tool call in place of an answer"),
        (content("", function_call={"name": "f", "arguments": "{}"}), "a tool call in place of an answer"),
        ({"finish_reason": "tool_calls", **content("f(x)")}, "a tool call in place of an answer"),
        (b'{"error": {"message": "overloaded"}}', "an error in place of an answer: overloaded"),
        (b'{"error": "overloaded"}', "an error in place of an answer: overloaded"),
        (b'{"object": "error", "message": "overloaded"}', "an error in place of an answer: overloaded"),
        (b'{"error": {"code": 7}, "choices": []}', 'an error in place of an answer: {"code": 7}'),
        (b'{"error": {"message": "m", "metadata": {"raw": "no room"}}}', "an error in place of an answer: m: no room"),
        (b'{"choices": []}', "no chat completion"),
        (b'{"choices": null}', "no chat completion"),
        (b'{"id": "1", "object": "chat.completion"}', "no chat completion"),
        (b'{"choices": [{"finish_reason": "stop"}]}', "no chat completion"),
        (content({"type": "text", "text": 7}), "an answer without text"),
        (content(7), "no chat completion"),
        (content([7]), "no chat completion"),
    ],
    ids=str,
)  # fmt: skip
def test_a_response_without_an_answer_is_unanswered_and_asked_again(
    server: ChatServer, tmp_path: Path, fault: Any, told: str
) -> None:
    prediction = ask_once(server, tmp_path / "again", fault)
    assert (prediction.text, prediction.error) == (ANSWER, None)
    assert len(server.requests) == 2
    with pytest.raises(UnansweredError) as caught:
        ask_once(server, tmp_path / "once", fault, max_attempts=1)
    assert f"(the last: {told})" in str(caught.value)
    with Ledger(tmp_path / "once" / "ledger.sqlite") as ledger:
        (entry,) = ledger.entries()
    assert (entry.answer, entry.unaccounted) == (None, 1)


def test_an_error_in_a_success_does_not_show_the_key(server: ChatServer, tmp_path: Path) -> None:
    fault = json.dumps({"error": {"message": f"bad key {KEY}"}}).encode()
    with pytest.raises(UnansweredError, match=r"an error in place of an answer: bad key \[redacted\]\)"):
        ask_once(server, tmp_path, fault, max_attempts=1)
    server.faults = [fault] * 8
    with pytest.raises(InputError) as caught:
        ask(baseline(server, tmp_path, max_attempts=1, concurrency=1), [example("1")], tmp_path / "b.jsonl")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<think>x = 2, no</think>x = 1", "x = 1"),
        ("<think>\nx = 2\n</think>\n\nx = 1 and y = 2\n", "x = 1 and y = 2"),
        ("x = 2, no\n</think>\n\nx = 1", "x = 1"),
        ("<THINK>x</THINK> x = 1", "x = 1"),
        ("<thinking>x</thinking>x = 1", "x = 1"),
        ("[THINK]x[/THINK]x = 1", "x = 1"),
        ("<reasoning>x</reasoning>x = 1", "x = 1"),
        ("x = 1 and <think>y?</think>y = 2", "x = 1 and y = 2"),
        ("<think>a <think> b</think> c</think>x = 1", "x = 1"),
        ("<think>the tag </thinking> is another</think>x = 1", "x = 1"),
        ("<think></think>x = 1", "x = 1"),
        (" x < think > y ", " x < think > y "),
        ("x = 1\n", "x = 1\n"),
    ],
)
def test_reasoning_in_the_text_is_not_scored_and_kept_in_the_ledger(
    server: ChatServer, tmp_path: Path, raw: str, text: str
) -> None:
    assert ask_once(server, tmp_path, content(raw)).text == text
    assert recorded(tmp_path).text == raw
    replayed = ask(baseline(server, tmp_path, key=None), [example("1")], tmp_path / "replayed.jsonl")
    assert [prediction.text for prediction in replayed] == [text]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "message",
    [
        {"content": "x = 1", "reasoning_content": "because"},
        {"content": "x = 1", "reasoning": "because"},
        {"content": "x = 1", "reasoning_content": None, "reasoning": "because"},
        {"content": [{"type": "thinking", "thinking": "because", "signature": "s"}, {"type": "text", "text": "x = 1"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "because"}]}, "x = 1"]},
        {"content": [{"type": "reasoning", "text": "because"}, {"type": "text", "text": "x = 1"}]},
    ],
)
def test_reasoning_beside_the_text_is_kept_in_the_ledger_alone(
    server: ChatServer, tmp_path: Path, message: dict[str, Any]
) -> None:
    prediction = ask_once(server, tmp_path, {"message": message})
    assert (prediction.text, prediction.error) == ("x = 1", None)
    assert "because" not in (tmp_path / "static.jsonl").read_text()
    answer = recorded(tmp_path)
    assert (answer.text, answer.reasoning) == ("x = 1", "because")
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Ledger(tmp_path / "other.sqlite") as other:
        ledger.export(tmp_path / "export.jsonl")
        assert other.import_entries(tmp_path / "export.jsonl") == 1
        assert list(other.entries()) == list(ledger.entries())


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
@pytest.mark.parametrize("text", ["<think>x = 1", None, ""])
def test_an_answer_that_is_cut_while_it_reasons_has_failed(
    server: ChatServer, tmp_path: Path, reason: str, text: str | None
) -> None:
    prediction = ask_once(server, tmp_path, {"finish_reason": reason, **content(text)})
    assert (prediction.text, prediction.finish_reason) == ("", "length")
    assert prediction.error == "cut at its length limit"
    assert len(server.requests) == 1
    assert recorded(tmp_path).failure_kind == "length"


def test_samples_are_without_reasoning(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [content("<think>no</think>x = 1")]
    chat: ChatBaseline = baseline(server, tmp_path)
    with chat:
        ((sample,),) = chat.sample([example("1")], [0], settings(), seed=3)
    assert sample.text == "x = 1"


def test_a_ledger_made_before_reasoning_was_kept_opens_and_is_exported_as_before(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as database:
        database.executescript(OLD_LEDGER.with_suffix(".sql").read_text())
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.export(tmp_path / "export.jsonl") == 5
        entries = {entry.request.sample: entry for entry in ledger.entries()}
    assert (tmp_path / "export.jsonl").read_bytes() == OLD_LEDGER.with_suffix(".jsonl").read_bytes()
    answers = [entry.answer for _, entry in sorted(entries.items())]
    assert [answer and (answer.scored_text, answer.failure, answer.failure_kind) for answer in answers] == [
        ("b", None, None),
        ("", "status 400", "status"),
        ("", "cut at its length limit", "length"),
        ("", "refused: no", "refused"),
        None,
    ]
