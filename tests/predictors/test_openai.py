"""The chat baseline against a real HTTP server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mathderive.config import OpenAIPredictor
from mathderive.errors import InputError
from mathderive.predictors.base import predict_set
from mathderive.predictors.openai import ChatBaseline
from mathderive.prompts import parse_few_shot_prompt
from mathderive.records import Example, Prediction, read_jsonl

KEY = "sk-secret-of-this-test"
PAIRS = [(f"Given x = {i}, then obtain x = {i}", f"x = {i} and x = {i}") for i in range(20)]


def example(source: str, kind: str = "static", **fields: Any) -> Example:
    prompt = f"Given a = {source}, then obtain a = {source}"
    return Example(id=f"{source}-{kind}", source_id=source, set=kind, prompt=prompt, target="t", steps=[], **fields)


class ChatServer(ThreadingHTTPServer):
    """Answers each prompt by its length, after the faults it was given have been handed out."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.faults: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({**body, "authorization": self.headers["Authorization"]})
        status = self.server.faults.pop() if self.server.faults else 200
        text = f"{len(body['messages'][0]['content'])}"
        answer: dict[str, Any] = {"error": {"message": f"refused {KEY}", "type": "fault"}}
        if status == 200:
            answer = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": body["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            }
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def baseline(server: ChatServer, folder: Path, **changes: Any) -> ChatBaseline:
    fields = {"kind": "openai", "name": "chat", "model": "m", "base_url": server.url, "few_shot": 0, **changes}
    return ChatBaseline(OpenAIPredictor(**fields), KEY, PAIRS, 0, folder / "ledger.sqlite")


def quiet(what: str, done: int, wanted: int, note: str = "") -> None:
    pass


def test_every_item_is_answered_once(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(10**index)) for index in range(30)]
    predict_set(baseline(server, tmp_path, concurrency=4), examples, tmp_path / "static.jsonl", quiet)
    predictions = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert [prediction.text for prediction in predictions] == [str(len(item.prompt)) for item in examples]
    assert len(server.requests) == 30
    assert predictions[0].usage == {"prompt_tokens": 7, "completion_tokens": 3}
    assert {request["authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert {request["temperature"] for request in server.requests} == {0}


def test_passing_faults_are_tried_again(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [429, 500, 503]
    predict_set(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl", quiet)
    (prediction,) = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert prediction.error is None
    assert len(server.requests) == 4


def test_an_item_that_fails_for_good_is_recorded_and_stops_nothing(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [400]
    predict_set(
        baseline(server, tmp_path, concurrency=1), [example("1"), example("2")], tmp_path / "static.jsonl", quiet
    )
    first, second = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert (first.text, first.error) == ("", "status 400")
    assert second.error is None


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refused_key_stops_at_once_and_is_not_shown(server: ChatServer, tmp_path: Path, status: int) -> None:
    server.faults = [status]
    with pytest.raises(InputError, match=f"answered {status}") as caught:
        predict_set(baseline(server, tmp_path, concurrency=1), [example("1")], tmp_path / "static.jsonl", quiet)
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


def test_no_temperature_is_sent_where_it_is_null(server: ChatServer, tmp_path: Path) -> None:
    predict_set(baseline(server, tmp_path, temperature=None), [example("1")], tmp_path / "static.jsonl", quiet)
    assert "temperature" not in server.requests[0]


def test_worked_examples_are_the_items_own_and_its_variants_share_them(server: ChatServer, tmp_path: Path) -> None:
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


def test_what_the_ledger_answers_is_not_asked_again(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(10**index)) for index in range(5)]
    predict_set(baseline(server, tmp_path), examples, tmp_path / "a" / "static.jsonl", quiet)
    predict_set(baseline(server, tmp_path), examples, tmp_path / "b" / "static.jsonl", quiet)
    assert len(server.requests) == 5
    assert (tmp_path / "a" / "static.jsonl").read_bytes() == (tmp_path / "b" / "static.jsonl").read_bytes()


def test_an_item_whose_attempts_are_used_up_is_asked_again_next_time(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [500, 500]
    for name in "ab":
        chat = baseline(server, tmp_path, max_attempts=2)
        predict_set(chat, [example("1")], tmp_path / name / "static.jsonl", quiet)
    first, second = (read_jsonl(tmp_path / name / "static.jsonl", Prediction)[0] for name in "ab")
    assert (first.error, second.error) == ("status 500", None)


def test_money_stops_before_the_limit_is_passed(server: ChatServer, tmp_path: Path) -> None:
    examples = [example(str(index)) for index in range(200)]
    prices = {"prompt_price": 1000.0, "completion_price": 1000.0, "max_tokens": 3, "max_cost": 1.0}
    with pytest.raises(InputError, match="max_cost"):
        predict_set(baseline(server, tmp_path, **prices), examples, tmp_path / "static.jsonl", quiet)
    assert 95 <= len(server.requests) <= 100  # ten tokens each, a cent; the worst that one can cost is five


def test_the_key_is_in_no_file(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [400, 500]
    predict_set(baseline(server, tmp_path), [example("1"), example("2")], tmp_path / "static.jsonl", quiet)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
