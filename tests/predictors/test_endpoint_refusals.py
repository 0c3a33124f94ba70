"""What chat endpoints refuse is shown in their own words, without secrets, and with the setting to change."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mathderive.config.loading import load_config
from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.redaction import HIDDEN, MOST_CHARACTERS, Redactor
from tests.predictors.test_chat import ask, baseline, baseline_at, example
from tests.support.chat_server import KEY, ChatServer

NESTED: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}


def refusal(status: int, body: Any) -> tuple[int, bytes]:
    return status, body if isinstance(body, bytes) else json.dumps(body).encode()


def openai_error(message: str, **fields: Any) -> tuple[int, bytes]:
    return refusal(400, {"error": {"message": message, "type": "invalid_request_error", **fields}})


@pytest.mark.parametrize(
    ("fault", "changes", "expected"),
    [
        (openai_error("Unsupported value: 'temperature' does not support 0 with this model.", param="temperature"),
         {}, "expected temperature: null"),
        (openai_error("This model takes no temperature."), {}, "expected temperature: null"),
        (refusal(422, {"detail": [{"loc": ["body", "temperature"], "msg": "extra fields not permitted"}]}),
         {}, "expected temperature: null"),
        (openai_error("Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                      "'max_completion_tokens' instead.", param="max_tokens", code="unsupported_parameter"),
         {"max_tokens": 100}, "expected max_tokens: null and parameters: {max_completion_tokens: 100}"),
        (openai_error("max_tokens must be at most 64"), {"max_tokens": 100}, "expected another max_tokens"),
        (openai_error("Unknown field max_completion_tokens, expected max_tokens"),
         {"parameters": {"max_completion_tokens": 9}}, "expected max_tokens: 9 in place of parameters.max_completion"),
        (openai_error("no", param="reasoning_effort"), {"parameters": {"reasoning_effort": "low"}},
         "expected another value of parameters.reasoning_effort, or none"),
        (openai_error("no", param="reasoning.effort"), {"parameters": {"reasoning": {"effort": "low"}}},
         "expected another value of parameters.reasoning, or none"),
        (refusal(400, {"message": "enable_thinking is unknown"}), {"parameters": NESTED},
         "expected another value of parameters.chat_template_kwargs, or none"),
        (refusal(400, {"object": "error", "message": "`seed` is too large", "code": 400}),
         {"parameters": {"extra_body": {"seed": 7}}}, "expected another value of parameters.seed, or none"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_refused_setting_ends_the_stage_at_once_and_is_named(
    server: ChatServer, tmp_path: Path, fault: Any, changes: dict[str, Any], expected: str
) -> None:
    server.faults = [fault] * 9
    chat = baseline(server, tmp_path, concurrency=1, **changes)
    with pytest.raises(InputError) as caught:
        ask(chat, [example(str(index)) for index in range(9)], tmp_path / "static.jsonl")
    assert not isinstance(caught.value, UnansweredError)
    assert f"answered {fault[0]} for model m; {expected}" in str(caught.value)
    words = str(caught.value).partition('; it says "')[2]
    assert words.removesuffix('"').split(":")[0] in fault[1].decode().replace("\\", "")
    assert len(server.requests) == 1
    server.faults = []  # nothing was recorded, so the same questions are asked when the config is changed
    assert ask(chat, [example("1")], tmp_path / "static.jsonl")[0].error is None
    assert chat.unaccounted() == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (openai_error("This model's maximum context length is 64 tokens, max_tokens and temperature included",
                      code="context_length_exceeded"),
         "This model's maximum context length is 64 tokens, max_tokens and temperature included"),
        (openai_error("'max_tokens' is too large: 9. This model's maximum context length is 64 tokens"),
         "'max_tokens' is too large: 9. This model's maximum context length is 64 tokens"),
        (openai_error("The response was filtered", param="prompt", code="content_filter"), "The response was filtered"),
        (refusal(400, {"error": "bad\n  input\x1b[31m"}), "bad input[31m"),
        (refusal(400, [{"error": {"message": "bad input"}}]), "bad input"),
        (refusal(400, {"error": {"message": "Provider returned error", "metadata": {"raw": '{"m": "bad"}'}}}),
         'Provider returned error: {"m": "bad"}'),
        (refusal(400, {"errors": ["one", "two"]}), "one; two"),
        (refusal(400, {"odd": 1}), '{"odd": 1}'),
        (refusal(400, b"bad input"), "bad input"),
        (refusal(400, b"<html><style>p {}</style><h1>Bad</h1> <p>input</p></html>"), "Bad input"),
        (refusal(400, b"[" * 100_000), "[" * (MOST_CHARACTERS - 4) + " ..."),
        (refusal(413, {"message": "too big"}), "too big"),
        (refusal(400, b""), ""),
        (refusal(400, b"\xff\xfe"), "\N{REPLACEMENT CHARACTER}" * 2),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_a_refused_question_is_recorded_and_shown_in_the_endpoints_words(
    server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], fault: Any, words: str
) -> None:
    server.faults = [fault]
    chat = baseline(server, tmp_path, concurrency=1, max_tokens=9)
    first, second = ask(chat, [example("1"), example("2")], tmp_path / "static.jsonl")
    assert (first.text, first.error) == ("", f"status {fault[0]}" + (f": {words}" if words else ""))
    assert second.error is None
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "answered" in line]
    assert line.startswith(f"predict: chat: {server.url} answered {fault[0]} for model m")
    assert f'it says "{words}"' in line or not words
    assert "settings to look at: " in line
    assert "max_tokens" in line


def test_the_same_refusal_is_shown_once_and_others_a_few_times(
    server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.faults = [openai_error(f"bad input {index // 2}") for index in range(40)]
    ask(baseline(server, tmp_path), [example(str(index)) for index in range(40)], tmp_path / "static.jsonl")
    lines = [line for line in capsys.readouterr().err.splitlines() if "answered 400" in line]
    assert len(lines) == len(set(lines)) == 3


SECRET_WORDS = [
    f"Incorrect API key provided: {KEY}.",
    f"Incorrect API key provided: {KEY[:9]}*****{KEY[-4:]}.",
    f"key {KEY.upper()} is unknown",
    f"Authorization: Bearer {KEY}",
    f"Basic {base64.b64encode(KEY.encode()).decode()}",
    f"https://user:{KEY}@host/v1",
    f"?key={KEY}&x=1",
    f"key: {KEY[:4]}\u200b{KEY[4:]}",
    f"the key begins with {KEY[:10]} and ends with {KEY[-8:]}",
    f"{KEY * 40}",
    f"x{KEY}y",
]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_secrets_are_in_no_message_and_no_file(
    server: ChatServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    shown = []
    for number, words in enumerate(SECRET_WORDS):
        server.faults = [refusal(status, {"error": {"message": words, "code": words, "param": words}})]
        try:
            ask(baseline(server, tmp_path / str(number)), [example("1")], tmp_path / str(number) / "static.jsonl")
        except InputError as error:
            shown.append(str(error))
    shown.append(capsys.readouterr().err)
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    parts = {KEY[start : start + 6].casefold() for start in range(len(KEY) - 5)}
    encoded = base64.b64encode(KEY.encode()).decode()
    assert not [part for part in [*parts, encoded] for text in shown if part in text.casefold()]
    assert sum(HIDDEN in text for text in shown) > 1


def test_words_that_are_no_secrets_are_left() -> None:
    words = "Unsupported value: 'temperature' does not support 0 (request 12ab). See max_completion_tokens."
    assert Redactor([KEY, "", " "]).redact(words) == words
    assert Redactor(["ab"]).redact("ab, tabs and (ab)") == f"{HIDDEN}, tabs and ({HIDDEN})"


@pytest.mark.parametrize(
    "text",
    ["sk-proj-Ab12Cd34", "gsk_Ab12Cd34Ef", "hf_Ab12Cd34Ef56", "0123456789abcdef0123456789abcdef", "AIzaSyA1234567890",
     "api_key=xyz", "API-Key: xyz", 'api-key": "xyz', "access_token: xyz", "sk-1***9"],
)  # fmt: skip
def test_other_keys_are_hidden_too(text: str) -> None:
    redacted = Redactor([]).redact(f"not this {text} but that")
    assert redacted.startswith("not this ")
    assert redacted.endswith(" but that")
    assert HIDDEN in redacted
    assert text.split()[-1].strip('"') not in redacted


def test_the_words_about_a_refused_key_are_shown(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [refusal(401, {"error": {"message": f"Incorrect key: {KEY}. It has expired."}})]
    with pytest.raises(
        InputError, match=r"for the key in OPENAI_API_KEY; it says \"Incorrect key: \[redacted\]. It has"
    ):
        ask(baseline(server, tmp_path), [example("1")], tmp_path / "static.jsonl")


def test_an_address_without_a_path_is_hinted_at(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [refusal(404, b"404 page not found")]
    with pytest.raises(InputError, match="base URL of an API, which often ends in /v1, and a model"):
        ask(baseline_at(server.url.removesuffix("/v1"), tmp_path), [example("1")], tmp_path / "static.jsonl")


@pytest.mark.parametrize(
    ("base", "path"),
    [
        ("/v1/", "/v1/chat/completions"),
        ("/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/a/b", "/a/b/chat/completions"),
        ("/openai/v1?api-version=preview", "/openai/v1/chat/completions?api-version=preview"),
        ("/openai/deployments/d?api-version=2024-10-21",
         "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        ("/openai/deployments/d/chat/completions?api-version=2024-10-21",
         "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
    ],
)  # fmt: skip
def test_addresses_are_understood(server: ChatServer, tmp_path: Path, base: str, path: str) -> None:
    chat = baseline_at(server.url.removesuffix("/v1") + base, tmp_path)
    assert ask(chat, [example("1")], tmp_path / "static.jsonl")[0].error is None
    (request,) = server.requests
    assert request["path"] == path
    is_azure = "/deployments/" in path
    assert (request["headers"]["api-key"], request["headers"]["Authorization"]) == (
        (KEY, None) if is_azure else (None, f"Bearer {KEY}")
    )
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        (entry,) = ledger.entries()
    assert entry.request.endpoint == server.url.removesuffix("/v1") + path.partition("/chat/completions")[0]


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        (
            "https://name.openai.azure.com",
            "expected https://name.openai.azure.com/openai/v1, with the deployment's name",
        ),
        ("https://name.openai.azure.com/openai", "expected https://name.openai.azure.com/openai/v1"),
        ("https://name.openai.azure.com/openai/deployments/d", "expected ?api-version=DATE"),
        ("http://h/v1/completions", "expected the address that /chat/completions follows"),
        ("https://h/v1/responses", "expected the address that /chat/completions follows"),
        ("http://localhost:11434/api/chat", "expected the address that /chat/completions follows"),
        (f"https://h/v1?key={KEY}", "expected none but api-version"),
        (f"https://user:{KEY}@h/v1", "expected an address without"),
        (f"https://{KEY}@h/v1", "expected an address without"),
        (f"ftp://user:{KEY}@h/v1", "begins with http:// or https://"),
        (f"https://user:{KEY}@[h/v1", "expected an address with a host"),
        ("localhost:8000/v1", "begins with http:// or https://"),
        ("http://h:port/v1", "expected an address with a host"),
        ("http:///v1", "expected an address with a host"),
        (" http://h/v1", "begins with http:// or https://, without spaces"),
    ],
)
def test_addresses_that_cannot_be_used_are_refused_with_a_hint_and_not_repeated(
    tmp_path: Path, address: str, hint: str
) -> None:
    config = tmp_path / "chat.yaml"
    entry = {"kind": "openai", "name": "chat", "model": "m", "base_url": address}
    config.write_text(json.dumps({"evaluation": {"source": "released"}, "predictors": [entry]}))
    with pytest.raises(InputError) as caught:
        load_config(config)
    assert "base_url: " in str(caught.value)
    assert hint in str(caught.value)
    assert KEY not in str(caught.value)


def test_parameters_are_any_json_and_sent_unchanged(server: ChatServer, tmp_path: Path) -> None:
    parameters = {
        "logit_bias": {"50256": -100},
        "stop": ["\n\n", "###"],
        "thinking": {"type": "enabled", "budget": {"tokens": [1, 2.5, None, True, "θ"]}},
        "reasoning_effort": None,
        "store": False,
        "extra_body": {"chat_template_kwargs": {"enable_thinking": False}, "top_k": 20},
    }
    chat = baseline(server, tmp_path, parameters=parameters)
    ask(chat, [example("1")], tmp_path / "static.jsonl")
    sent = {name: value for name, value in server.requests[0].items() if name not in ("headers", "path", "messages")}
    extra = parameters.pop("extra_body")
    assert isinstance(extra, dict)
    assert sent == {"model": "m", "temperature": 0, **parameters, **extra}
    ask(chat, [example("1")], tmp_path / "replayed.jsonl")
    ask(baseline(server, tmp_path, parameters={**parameters, **extra}), [example("1")], tmp_path / "same.jsonl")
    assert len(server.requests) == 1
    with Ledger(tmp_path / "ledger.sqlite") as ledger, Ledger(tmp_path / "other.sqlite") as other:
        ledger.export(tmp_path / "export.jsonl")
        assert other.import_entries(tmp_path / "export.jsonl") == 1


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"extra_body": {"model": "n"}}, "model is a key of the predictor itself"),
        ({"extra_body": {"messages": []}}, "messages is not the config's to choose"),
        ({"extra_body": {"seed": 1}, "seed": 2}, "seed stands in extra_body too"),
        ({"extra_body": [1]}, "extra_body: expected a mapping"),
        ({"extra_headers": {"a": "b"}}, "extra_headers is no parameter of a request"),
        ({"stream_options": {}}, "stream_options is not the config's to choose"),
        ({"max_completion_tokens": True}, "max_completion_tokens: expected a whole number"),
        ({"a": float("nan")}, "expected JSON|finite number"),
        ({"a": [{"b": float("inf")}]}, "expected JSON|finite number"),
        ({"a": "\ud800"}, "expected JSON"),
    ],
)
def test_parameters_that_cannot_be_sent_are_refused(
    server: ChatServer, tmp_path: Path, parameters: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValidationError, match=named):
        baseline(server, tmp_path, parameters=parameters)


def test_the_limit_that_newer_endpoints_want_bounds_the_cost(server: ChatServer, tmp_path: Path) -> None:
    prices: dict[str, Any] = {"prompt_price": 1e6, "completion_price": 1e6, "max_cost": 20.0}
    chat = baseline(server, tmp_path, parameters={"extra_body": {"max_completion_tokens": 3}}, **prices)
    with pytest.raises(InputError, match="max_cost"):
        ask(chat, [example("1")], tmp_path / "static.jsonl")
    assert not server.requests


@pytest.mark.parametrize(
    ("sizes", "count", "is_told"),
    [
        ([4000, 4300, 4900, 5200], lambda size: min(1024, size // 3), True),  # all prompts reach the limit
        ([4000, 4300, 4900, 5200], lambda size: size // 3, False),
        ([600, 4000], lambda size: min(512, size // 2), True),  # the other prompt leads to expect more
        ([4000], lambda size: 256, True),
        ([60, 90], lambda size: 20 + size // 3, False),
        ([300, 310, 320, 330], lambda size: 110, False),  # of nearly equal length
    ],
)
def test_a_cut_prompt_is_warned_of_once(
    server: ChatServer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    sizes: list[int],
    count: Callable[[int], int],
    is_told: bool,
) -> None:
    server.usage = lambda prompt: {"prompt_tokens": count(len(prompt)), "completion_tokens": 3}
    examples = [
        example(f"{size}{kind}").model_copy(update={"prompt": kind * size}) for size in sizes for kind in ("x", "y")
    ]
    predictions = ask(baseline(server, tmp_path, concurrency=1), examples, tmp_path / "static.jsonl")
    assert [prediction.error for prediction in predictions] == [None] * len(examples)
    told = [line for line in capsys.readouterr().err.splitlines() if "may have cut the prompt" in line]
    assert len(told) == is_told
    assert all(line.startswith("predict: chat: warning: ") and "num_ctx" in line for line in told)
