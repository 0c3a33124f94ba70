"""The server speaks the protocol of OpenAI's client, and refuses everything else with the protocol's errors."""

import json
import socket
import time
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import openai
import pytest

from mathderive.config.schema import DecodingSettings
from mathderive.model.sampling import Sampling, sample_key
from mathderive.predictors.t5 import T5Model
from tests.support import tiny_training
from tests.support.command import complaint, run
from tests.support.served import KEY, TOKENS, Served, serving

PROMPT = tiny_training.PAIRS[0][0]
ASKED: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": PROMPT}]}
CHAT = "/v1/chat/completions"
BATCH = ("POST", "/check/batch")


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> T5Model:
    decoding = DecodingSettings(batch_size=2, max_source_length=TOKENS, max_target_length=TOKENS, dtype="float32")
    return T5Model("tiny", str(checkpoint), decoding)


def send(
    served: Served, method: str, path: str, body: bytes | str | Iterable[bytes] = b"", **headers: str | bytes
) -> tuple[int, HTTPMessage, bytes]:
    """Sends any request; returns status, headers and body of the response."""
    connection = HTTPConnection(urllib.parse.urlsplit(served.url).netloc, timeout=60)
    kind = {"Content-Type": "application/json"} if method == "POST" else {}
    names: dict[str, Any] = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        chunked = "Transfer-Encoding" in names
        connection.request(method, path, body, {**served.headers, **kind, **names}, encode_chunked=chunked)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def ask(served: Served, **changes: Any) -> tuple[int, HTTPMessage, Any]:
    status, headers, body = send(served, "POST", CHAT, json.dumps({**ASKED, **changes}))
    return status, headers, json.loads(body)


def is_alive(served: Served) -> bool:
    return ask(served, max_tokens=1)[0] == 200


def test_the_client_finds_the_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny"]
    assert client.models.retrieve("tiny").id == "tiny"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")


def test_an_answer_is_the_models_text_with_its_token_counts(client: openai.OpenAI, model: T5Model) -> None:
    for prompt, _ in tiny_training.PAIRS[:5]:
        (expected,) = model.complete([model.encode(prompt)])
        answered = client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": prompt}])
        assert answered.choices[0].message.content == expected.text
        assert answered.choices[0].finish_reason == expected.finish_reason
        assert answered.usage is not None
        assert answered.usage.prompt_tokens == len(model.encode(prompt))
        assert answered.usage.completion_tokens == expected.completion_tokens
        assert answered.usage.total_tokens == len(model.encode(prompt)) + expected.completion_tokens


def test_a_streamed_answer_is_the_same_in_pieces(client: openai.OpenAI, model: T5Model) -> None:
    (expected,) = model.complete([model.encode(PROMPT)])
    chunks = list(
        client.chat.completions.create(**ASKED, temperature=0, stream=True, stream_options={"include_usage": True})
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == expected.text
    assert sum(map(bool, pieces)) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == expected.finish_reason
    assert chunks[-1].usage.completion_tokens == expected.completion_tokens
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_limit_cuts_the_answer(client: openai.OpenAI, model: T5Model) -> None:
    (expected,) = model.complete([model.encode(PROMPT)], limits=[3])
    limits: list[dict[str, Any]] = [
        {"max_tokens": 3},
        {"max_completion_tokens": 3},
        {"max_tokens": 3, "max_completion_tokens": 9},
    ]
    for limit in limits:
        answered = client.chat.completions.create(**ASKED, **limit)
        assert answered.usage is not None
        assert answered.choices[0].message.content == expected.text
        assert (answered.choices[0].finish_reason, answered.usage.completion_tokens) == ("length", 3)
    usage = client.chat.completions.create(**ASKED, max_tokens=10**9).usage
    assert usage is not None
    assert usage.completion_tokens <= TOKENS


def texts(completion: Any) -> list[str]:
    assert [choice.index for choice in completion.choices] == list(range(len(completion.choices)))
    return [choice.message.content for choice in completion.choices]


@pytest.mark.slow
def test_sampled_answers_are_the_models_and_follow_from_the_seed(client: openai.OpenAI, model: T5Model) -> None:
    source = model.encode(PROMPT)
    keys = [sample_key(5, PROMPT, number) for number in range(2)]
    (expected,) = model.complete_with_samples([source], [Sampling(keys, 1.5)], [TOKENS])
    answered = client.chat.completions.create(**ASKED, n=2, temperature=1.5, seed=5)
    assert texts(answered) == [one.text for one in expected]
    assert len(set(texts(answered))) == 2
    assert [choice.finish_reason for choice in answered.choices] == [one.finish_reason for one in expected]
    assert answered.usage is not None
    assert answered.usage.prompt_tokens == len(source)
    assert answered.usage.completion_tokens == sum(one.completion_tokens for one in expected)
    assert answered.usage.total_tokens == len(source) + answered.usage.completion_tokens


def test_without_a_seed_samples_differ_each_time(client: openai.OpenAI) -> None:
    drawn = [texts(client.chat.completions.create(**ASKED, n=2, temperature=2)) for _ in range(3)]
    assert len({text for answers in drawn for text in answers}) > 3


def test_several_answers_at_temperature_0_are_the_greedy_one(client: openai.OpenAI) -> None:
    one = client.chat.completions.create(**ASKED)
    for changes in ({"n": 2}, {"n": 2, "temperature": 0, "seed": 7, "top_p": 0.5}):
        several = client.chat.completions.create(**ASKED, **changes)
        assert texts(several) == texts(one) * 2
        assert one.usage is not None
        assert several.usage is not None
        assert several.usage.completion_tokens == 2 * one.usage.completion_tokens
    most_likely: tuple[dict[str, Any], ...] = ({"temperature": 1e-37}, {"temperature": 2, "top_p": 1e-300})
    for changes in most_likely:
        assert texts(client.chat.completions.create(**ASKED, **changes)) == texts(one)


def test_streamed_samples_are_the_same_in_pieces(client: openai.OpenAI) -> None:
    samplings: tuple[dict[str, Any], ...] = ({"temperature": 1.5, "seed": 11}, {"temperature": 0})
    for changes in samplings:
        whole = client.chat.completions.create(**ASKED, n=2, **changes)
        options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = list(client.chat.completions.create(**ASKED, n=2, **changes, **options))
        written: dict[int, list[str]] = {0: [], 1: []}
        for choice in (choice for chunk in chunks for choice in chunk.choices):
            written[choice.index].append(choice.delta.content or "")
        assert ["".join(pieces) for pieces in written.values()] == texts(whole)
        assert all(sum(map(bool, pieces)) > 1 for pieces in written.values())
        assert chunks[-1].usage == whole.usage


def test_a_seeded_answer_does_not_depend_on_other_requests(client: openai.OpenAI) -> None:
    asked = [
        {
            **ASKED,
            "messages": [{"role": "user", "content": prompt}],
            "n": 1 + row % 2,
            "temperature": row % 3,
            "seed": row,
        }
        for row, (prompt, _) in enumerate(tiny_training.PAIRS[:4] * 2)
    ]
    alone = [texts(client.chat.completions.create(**one)) for one in asked]
    with ThreadPoolExecutor(4) as threads:  # no more than the queue holds
        together = list(threads.map(lambda one: texts(client.chat.completions.create(**one)), asked))
    assert together == alone


def test_a_message_may_consist_of_parts(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": PROMPT[:9]}, {"type": "text", "text": PROMPT[9:]}]
    whole = client.chat.completions.create(**ASKED)
    messages: Any = [{"role": "user", "content": parts}]
    again = client.chat.completions.create(model="tiny", messages=messages)
    assert again.choices[0].message.content == whole.choices[0].message.content


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"model": "gpt-4"}, 404, "model"),
        ({"model": None}, 400, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": ASKED["messages"] * 2}, 400, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, 400, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "y " * 40}]}, 400, "messages"),
        ({"messages": "Given"}, 400, "messages"),
        ({"temperature": 2.1}, 400, "temperature"),
        ({"temperature": -0.1}, 400, "temperature"),
        ({"temperature": "0"}, 400, "temperature"),
        ({"top_p": 0}, 400, "top_p"),
        ({"top_p": 1.1}, 400, "top_p"),
        ({"n": 0}, 400, "n"),
        ({"n": 3}, 400, "n"),  # more than the batch size
        ({"n": 1.5}, 400, "n"),
        ({"seed": 1.5}, 400, "seed"),
        ({"seed": 2**63}, 400, "seed"),
        ({"best_of": 2}, 400, "best_of"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": True}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 400, "max_tokens"),
        ({"stream": "yes"}, 400, "stream"),
        ({"tools": []}, 400, "tools"),
        ({"logprobs": True}, 400, "logprobs"),
        ({"response_format": {"type": "json_object"}}, 400, "response_format.type"),
    ],
)
def test_unsupported_parameters_are_refused_by_name(
    served: Served, changes: dict[str, Any], status: int, named: str
) -> None:
    answered, _, body = ask(served, **changes)
    assert answered == status
    assert body["error"]["param"] == named
    assert body["error"]["type"] == "invalid_request_error"
    assert body["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b"\xff\xfe",
        b'{"model": NaN}',
        b'{"model": 1e999}',
        b"9" * 10_000,
        json.dumps({**ASKED, "model": "\ud800"}).encode(),
        json.dumps({**ASKED, "\ud800": 1}).encode(),
        json.dumps({**ASKED, "messages": [{"role": "user", "content": "\ud800"}]}).encode(),
        json.dumps({**ASKED, "x" * 10_000: 1}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_malformed_bodies_are_refused(served: Served, body: bytes) -> None:
    status, headers, answer = send(served, "POST", CHAT, body)
    assert status in (400, 404)
    assert headers["Content-Type"] == "application/json"
    assert len(json.loads(answer)["error"]["message"]) < 1000


def test_a_prompt_of_a_megabyte_is_refused(served: Served) -> None:
    status, _, body = ask(served, messages=[{"role": "user", "content": "x" * 2**20}])
    assert (status, body["error"]["type"]) == (413, "invalid_request_error")
    chunks = (b"x" * 2**16 for _ in range(16))
    assert send(served, "POST", CHAT, chunks, Transfer_Encoding="chunked")[0] == 413
    assert is_alive(served)


def test_an_endless_body_is_cut_off(served: Served) -> None:
    endless = (b"x" * 2**16 for _ in range(10_000))
    with pytest.raises(ConnectionError):
        send(served, "POST", CHAT, endless, Transfer_Encoding="chunked")
    assert is_alive(served)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/models/%FF%00..%2f", 404),
        ("GET", CHAT, 405),
        ("DELETE", "/v1/models", 405),
        ("POST", "/", 405),
    ],
)
def test_other_paths_and_methods_are_refused_with_the_protocols_errors(
    served: Served, method: str, path: str, status: int
) -> None:
    answered, headers, body = send(served, method, path)
    assert answered == status
    assert json.loads(body)["error"]["message"]
    assert status != 405 or headers["Allow"]


def test_only_json_is_read(served: Served) -> None:
    assert send(served, "POST", CHAT, json.dumps(ASKED), Content_Type="text/plain")[0] == 400


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, "Bearer \u00fc", f"Bearer {KEY}x"]
)
def test_requests_without_the_key_are_refused(served: Served, value: str) -> None:
    for method, path in (("GET", "/v1/models"), ("POST", CHAT), ("POST", "/notation"), ("POST", "/check"), BATCH):
        status, headers, body = send(served, method, path, json.dumps(ASKED), Authorization=value.encode("latin-1"))
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
        assert json.loads(body)["error"]["code"] == "invalid_api_key"
        assert KEY.encode() not in body


def test_health_needs_no_key(served: Served) -> None:
    status, _, body = send(served, "GET", "/healthz", Authorization="")
    assert (status, json.loads(body)) == (200, {"status": "ok", "model": "tiny", "waiting": 0})


@pytest.mark.parametrize("stream", [False, True])
def test_clients_that_hang_up_free_their_places(served: Served, stream: bool) -> None:
    host, port = urllib.parse.urlsplit(served.url).netloc.split(":")
    body = json.dumps({**ASKED, "stream": stream}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    for cut in (10, len(request) - 10, len(request)):
        for _ in range(10):
            with socket.create_connection((host, int(port))) as connection:
                connection.sendall(request[:cut])
    deadline = time.monotonic() + 30
    while not is_alive(served):  # until the server has handled the cut requests
        assert time.monotonic() < deadline


@pytest.mark.slow
def test_a_full_server_says_when_to_retry_and_finishes_its_work_when_it_ends(checkpoint: Path) -> None:
    with ThreadPoolExecutor(30) as threads:
        with serving(checkpoint, "--batch-size", "1", "--waiting", "1") as server:
            # Compilation keeps the server busy: it computes two requests, queues one and refuses the others.
            asked = [threads.submit(ask, server) for _ in range(30)]
            while sum(one.done() for one in asked) < 27:
                time.sleep(0.001)
        answers = [one.result() for one in asked]
    assert {status for status, _, _ in answers} == {200, 429}
    for status, headers, body in answers:
        if status == 429:
            assert 1 <= int(headers["Retry-After"]) <= 60
            assert body["error"]["type"] == "rate_limit_error"
        else:
            assert body["choices"][0]["message"]["content"]


def test_an_address_in_use_is_refused_in_one_line(served: Served, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    result = run("serve", "--port", port, "--checkpoint", served.checkpoint, cwd=tmp_path, code=2)
    assert complaint(result.stderr).endswith("expected an address of this machine and a free port")


def test_a_folder_without_a_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    result = run("serve", "--port", "0", "--checkpoint", tmp_path, cwd=tmp_path, code=2)
    assert "config.json" in complaint(result.stderr)
