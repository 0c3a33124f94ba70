"""The chat baseline asks a real HTTP server on loopback."""

import gzip
import json
import socket
import tracemalloc
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError, predict_set
from mathderive.predictors.chat import ChatBaseline
from mathderive.predictors.settings import ChatSettings
from mathderive.records import EvaluationSet, Example, Prediction, read_jsonl
from mathderive.symbolic.prompts import parse_few_shot_prompt
from tests.support.chat_server import KEY, ChatServer, answer_to
from tfds_builders.released.result_files import read_result_files

PAIRS = [(f"Given x = {i}, then obtain x = {i}", f"x = {i} and x = {i}") for i in range(20)]


def example(source: str, kind: EvaluationSet = "static", **fields: Any) -> Example:
    prompt = f"Given a = {source}, then obtain a = {source}"
    return Example(id=f"{source}-{kind}", source_id=source, set=kind, prompt=prompt, target="t", steps=[], **fields)


def baseline(server: ChatServer, folder: Path, key: str | None = KEY, **changes: Any) -> ChatBaseline:
    return baseline_at(server.url, folder, key, **changes)


def baseline_at(url: str, folder: Path, key: str | None = KEY, **changes: Any) -> ChatBaseline:
    fields = {"kind": "openai", "name": "chat", "model": "m", "base_url": url, "few_shot": 0, **changes}
    return ChatBaseline(ChatSettings.model_validate(fields), key, PAIRS, 0, folder / "ledger.sqlite")


def quiet(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


def ask(chat: ChatBaseline, examples: list[Example], path: Path) -> list[Prediction]:
    predict_set(chat, examples, path, quiet)
    return read_jsonl(path, Prediction)


def test_every_item_is_answered_once(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(10**index)) for index in range(30)]
    predict_set(baseline(server, tmp_path, concurrency=4), examples, tmp_path / "static.jsonl", quiet)
    predictions = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert [prediction.text for prediction in predictions] == [answer_to(item.prompt) for item in examples]
    assert len(server.requests) == 30
    assert predictions[0].usage == {"prompt_tokens": 7, "completion_tokens": 3}
    assert {request["headers"]["Authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert {request["temperature"] for request in server.requests} == {0}


def test_transient_faults_are_retried(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [429, 500, 503]
    predict_set(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl", quiet)
    (prediction,) = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert prediction.error is None
    assert len(server.requests) == 4


def test_a_final_failure_is_recorded_and_stops_no_other_item(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [400]
    predict_set(
        baseline(server, tmp_path, concurrency=1), [example("1"), example("2")], tmp_path / "static.jsonl", quiet
    )
    first, second = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert (first.text, first.error) == ("", "status 400: refused [redacted]")
    assert second.error is None


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        (401, "401"),
        (402, "402"),
        (403, "403"),
        (404, "404"),
        ((429, "insufficient_quota"), r"429 \(insufficient quota\)"),
    ],
)
def test_a_refused_key_or_model_stops_the_stage_and_the_key_is_not_shown(
    server: ChatServer, tmp_path: Path, fault: Any, named: str
) -> None:
    server.faults = [fault]
    with pytest.raises(InputError, match=f"answered {named} for model m") as caught:
        predict_set(baseline(server, tmp_path, concurrency=1), [example("1")], tmp_path / "static.jsonl", quiet)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


def test_a_null_temperature_is_not_sent(server: ChatServer, tmp_path: Path) -> None:
    predict_set(baseline(server, tmp_path, temperature=None), [example("1")], tmp_path / "static.jsonl", quiet)
    assert "temperature" not in server.requests[0]


def test_each_source_example_draws_worked_examples_that_its_variants_share(server: ChatServer, tmp_path: Path) -> None:
    chat = baseline(server, tmp_path, few_shot=5)
    drawn = {}
    for item in (example("1"), example("1", "vr"), example("2")):
        pairs, query = parse_few_shot_prompt(chat.message(item))
        assert query == item.prompt
        assert len(set(pairs)) == 5
        assert set(map(tuple, pairs)) <= set(PAIRS)
        drawn[item.id] = pairs
    assert drawn["1-static"] == drawn["1-vr"] != drawn["2-static"]


def test_a_recorded_prompt_is_sent_word_for_word(server: ChatServer, tmp_path: Path) -> None:
    item = example("1", few_shot_prompt="as the authors sent it")
    assert baseline(server, tmp_path, few_shot=5).message(item) == "as the authors sent it"
    assert baseline(server, tmp_path, few_shot=0).message(item) == item.prompt


def test_the_authors_prompts_are_sent_as_they_recorded_them(
    server: ChatServer, tmp_path: Path, shared_reference: Path
) -> None:
    path = shared_reference / "gpt-4_results.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    chat = baseline(server, tmp_path, few_shot=5)
    for name, examples in read_result_files([path]).examples.items():
        key = "prompt" if name == "static" else f"{name.upper()} prompt"
        assert [chat.message(item) for item in examples] == [row[key] for row in rows]


def test_answers_in_the_ledger_are_not_asked_for_again(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(10**index)) for index in range(5)]
    predict_set(baseline(server, tmp_path), examples, tmp_path / "a" / "static.jsonl", quiet)
    predict_set(baseline(server, tmp_path), examples, tmp_path / "b" / "static.jsonl", quiet)
    assert len(server.requests) == 5
    assert (tmp_path / "a" / "static.jsonl").read_bytes() == (tmp_path / "b" / "static.jsonl").read_bytes()


def test_an_item_without_an_answer_stops_no_other_and_is_asked_again(server: ChatServer, tmp_path: Path) -> None:
    examples, path = [example("1"), example("2"), example("3")], tmp_path / "static.jsonl"
    server.faults = [500, 500]
    chat = baseline(server, tmp_path, max_attempts=1, concurrency=3)
    with pytest.raises(UnansweredError, match=r"chat: 2 items .* \(the last: status 500\)"):
        ask(chat, examples, path)
    assert not path.exists()
    assert len((tmp_path / "static.jsonl.partial").read_text().splitlines()) == 1
    assert [prediction.error for prediction in ask(chat, examples, path)] == [None] * 3
    assert len(server.requests) == 5


def test_with_keep_going_an_item_without_an_answer_is_recorded_as_failed(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [500]
    chat = baseline(server, tmp_path, max_attempts=1, keep_going=True)
    (prediction,) = ask(chat, [example("1")], tmp_path / "a.jsonl")
    assert prediction.error == "status 500"
    (again,) = ask(chat, [example("1")], tmp_path / "b.jsonl")  # a failed item has no answer in the ledger
    assert again.error is None


@pytest.mark.parametrize("keep_going", [False, True])
def test_an_endpoint_that_is_down_stops_the_stage(server: ChatServer, tmp_path: Path, keep_going: bool) -> None:
    server.faults = [500] * 100
    chat = baseline(server, tmp_path, max_attempts=1, concurrency=4, keep_going=keep_going)
    with pytest.raises(InputError, match=r"[4-7] items in a row .* \(status 500\)") as caught:
        # the three requests that are in flight beside the fourth failure may fail before they are cancelled
        ask(chat, [example(str(index)) for index in range(90)], tmp_path / "static.jsonl")
    assert not isinstance(caught.value, UnansweredError)
    assert len(server.requests) < 10


def test_an_unreachable_server_bills_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    chat = baseline_at(f"http://127.0.0.1:{port}", tmp_path, max_attempts=1)
    with pytest.raises(UnansweredError, match="no connection"):
        ask(chat, [example("1")], tmp_path / "static.jsonl")
    assert chat.unaccounted() == 0


@pytest.mark.parametrize(
    ("fault", "text", "finish_reason", "error"),
    [
        ({"message": {"content": None, "refusal": "I: never"}}, "", "stop", "refused: I: never"),
        ({"finish_reason": "content_filter", "message": {"content": ""}}, "", "content_filter", "content filter"),
        ({"finish_reason": "length", "message": {"content": "x ="}}, "x =", "length", None),
        ({"message": {"content": "x = \ud800"}}, "x = ?", "stop", None),
        (422, "", None, "status 422: refused [redacted]"),
    ],
)
def test_a_refusal_is_recorded_with_its_reason(
    server: ChatServer, tmp_path: Path, fault: Any, text: str, finish_reason: str | None, error: str | None
) -> None:
    server.faults = [fault]
    for name in ("asked", "replayed"):
        (prediction,) = ask(baseline(server, tmp_path), [example("1")], tmp_path / f"{name}.jsonl")
        assert (prediction.text, prediction.finish_reason, prediction.error) == (text, finish_reason, error)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "response",
    [b"", b"{", b"[]", b"null", b"7", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 7}}]}',
     b"[" * 100_000, b"\xff\xfe", b'{"choices": [{"message": null}]}'],
)  # fmt: skip
def test_a_response_that_is_no_completion_is_retried(server: ChatServer, tmp_path: Path, response: bytes) -> None:
    server.faults = [response]
    chat = baseline(server, tmp_path)
    (prediction,) = ask(chat, [example("1")], tmp_path / "static.jsonl")
    assert prediction.error is None
    assert len(server.requests) == 2
    assert chat.unaccounted() == 1  # it may have been billed


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": None}},
        {"message": {"content": ""}},
        {"message": {"content": " \n"}},
        {"finish_reason": "error"},
        {"finish_reason": "error", "message": {"content": "half an answer"}},
    ],
)
def test_an_answer_without_text_is_retried(server: ChatServer, tmp_path: Path, choice: Any) -> None:
    server.faults = [choice]
    chat = baseline(server, tmp_path)
    (prediction,) = ask(chat, [example("1")], tmp_path / "static.jsonl")
    assert (prediction.text, prediction.error) == (answer_to(example("1").prompt), None)
    assert len(server.requests) == 2
    assert chat.unaccounted() == 1  # it may have been billed
    server.faults = [choice]
    with pytest.raises(UnansweredError, match="the last: an answer without text"):
        ask(baseline(server, tmp_path, max_attempts=1, sample=1), [example("1")], tmp_path / "other.jsonl")


def test_an_answer_cut_before_its_first_word_is_final(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [{"finish_reason": "length", "message": {"content": None}}]
    (prediction,) = ask(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl")
    assert (prediction.text, prediction.finish_reason) == ("", "length")
    assert len(server.requests) == 1


def test_a_long_wait_is_cut_and_told_once(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mathderive.predictors.completions.LONGEST_WAIT", 0.1)
    monkeypatch.setattr("mathderive.predictors.endpoint_messages.LONGEST_WAIT", 0.1)
    server.headers = {"Retry-After": "1e9"}
    server.faults = [429, 503, 429]
    predictions = ask(baseline(server, tmp_path), [example("1"), example("2")], tmp_path / "static.jsonl")
    assert [prediction.error for prediction in predictions] == [None, None]
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"predict: chat: {server.url} asks to wait for 1e+09 s; it is asked again after 0 s"


@pytest.mark.parametrize("count", [10**400, -1, 1.5, True])
def test_an_implausible_count_of_tokens_is_ignored(server: ChatServer, tmp_path: Path, count: object) -> None:
    server.usage = {"prompt_tokens": count, "completion_tokens": 2}
    (prediction,) = ask(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl")
    assert (prediction.text, prediction.usage) == (answer_to(example("1").prompt), None)


@pytest.mark.parametrize("status", [200, 500])
def test_a_response_that_grows_when_decompressed_is_given_up(server: ChatServer, tmp_path: Path, status: int) -> None:
    server.headers = {"Content-Encoding": "gzip"}
    server.faults = [(status, gzip.compress(bytes(2**28)))]
    chat = baseline(server, tmp_path, max_attempts=1, concurrency=2)
    tracemalloc.start()
    try:
        with pytest.raises(UnansweredError, match="the last: a response that is too large"):
            ask(chat, [example("1")], tmp_path / "static.jsonl")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**26


@pytest.mark.parametrize("usage", [None, "many", {"prompt_tokens": -1, "completion_tokens": 2}, {"prompt_tokens": 1}])
def test_an_answer_without_token_counts_is_recorded(server: ChatServer, tmp_path: Path, usage: object) -> None:
    server.usage = usage
    prices: dict[str, Any] = {"prompt_price": 1e6, "completion_price": 1e6, "max_tokens": 3, "max_cost": 1000.0}
    chat = baseline(server, tmp_path, **prices)
    (prediction,) = ask(chat, [example("1")], tmp_path / "static.jsonl")
    assert (prediction.text, prediction.usage) == (answer_to(example("1").prompt), None)
    assert chat.note() == f"0 tokens, ${len(example('1').prompt) + 16 + 3}.00"  # the maximum cost


def test_equal_concurrent_requests_are_sent_once(server: ChatServer, tmp_path: Path) -> None:
    server.delay = 0.1
    alike = [example("1").model_copy(update={"id": str(index)}) for index in range(8)]
    answers = ask(baseline(server, tmp_path), alike, tmp_path / "static.jsonl")
    assert {prediction.text for prediction in answers} == {answer_to(alike[0].prompt)}
    assert len(server.requests) == 1


def test_another_sample_is_another_request(server: ChatServer, tmp_path: Path) -> None:
    for sample in (0, 1, 0, 1):
        ask(baseline(server, tmp_path, sample=sample), [example("1")], tmp_path / f"{len(server.requests)}.jsonl")
    assert len(server.requests) == 2
    assert all("sample" not in request for request in server.requests)


def test_without_a_key_answers_come_from_the_ledger_alone(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(index)) for index in range(5)]
    asked = ask(baseline(server, tmp_path), examples[:3], tmp_path / "asked.jsonl")
    assert ask(baseline(server, tmp_path, key=None), examples[:3], tmp_path / "replayed.jsonl") == asked
    with pytest.raises(UnansweredError, match=r"chat: 2 items not in the ledger, .* set OPENAI_API_KEY to have"):
        ask(baseline(server, tmp_path, key=None), examples, tmp_path / "more.jsonl")
    assert len(server.requests) == 3


def test_progress_shows_tokens_and_dollars(server: ChatServer, tmp_path: Path) -> None:
    notes: list[str] = []
    chat = baseline(server, tmp_path, prompt_price=1e6, completion_price=2e6, concurrency=1)
    examples = [example(str(index)) for index in range(3)]
    predict_set(chat, examples, tmp_path / "a.jsonl", lambda what, done, wanted, note="": notes.append(note))
    assert notes == ["", "10 tokens, $13.00", "20 tokens, $26.00", "30 tokens, $39.00"]
    ask(plain := baseline(server, tmp_path), examples, tmp_path / "b.jsonl")
    assert plain.note() == "30 tokens"  # everything in the ledger, without prices


def test_spending_stops_before_the_limit(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(index)) for index in range(200)]
    prices: dict[str, Any] = {"prompt_price": 1000.0, "completion_price": 1000.0, "max_tokens": 3, "max_cost": 1.0}
    with pytest.raises(InputError, match="max_cost"):
        predict_set(baseline(server, tmp_path, **prices), examples, tmp_path / "static.jsonl", quiet)
    assert 95 <= len(server.requests) <= 100  # each uses ten tokens, one cent; one may cost up to five cents


def test_rate_limits_hold_over_a_restart(server: ChatServer, tmp_path: Path) -> None:
    ask(baseline(server, tmp_path), [example(str(index)) for index in range(4)], tmp_path / "a.jsonl")
    server.delay = 0.3  # two concurrent requests would both arrive before the first is answered
    chat = baseline(server, tmp_path, requests_per_minute=5)
    answers = chat.predict([[example("5")], [example("6")]])
    assert isinstance(answers, Generator)
    with closing(answers):
        next(answers)
        assert len(server.requests) == 5


def test_the_key_is_in_the_request_and_in_no_file(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [400, 500]
    ask(baseline(server, tmp_path), [example("1"), example("2")], tmp_path / "static.jsonl")
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
