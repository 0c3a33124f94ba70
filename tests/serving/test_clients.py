"""The server takes what clients send: stop sequences, system messages, nulls and parameters without an effect."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mathderive.serving.stopping import StopFilter, cut_at_stop
from tests.serving.test_protocol import ASKED, CHAT, PROMPT, ask, send
from tests.support.command import start
from tests.support.served import KEY, Served


@pytest.fixture
def client(served: Served) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key=KEY, max_retries=0, timeout=60) as client:
        yield client


def text(completion: Any) -> str:
    return completion.choices[0].message.content


def test_an_answer_ends_before_its_first_stop_sequence(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**ASKED)
    written = text(whole)
    assert len(written) > 12
    middle, late = written[5:8], written[-3:]
    stops: list[Any] = [middle, [middle], [late, middle], ["never in it", middle, ""]]
    for stop in stops:
        cut = client.chat.completions.create(**ASKED, stop=stop)
        assert text(cut) == written[: written.index(middle)]
        assert cut.choices[0].finish_reason == "stop"
        assert cut.usage is not None
        assert whole.usage is not None
        assert 0 < cut.usage.completion_tokens < whole.usage.completion_tokens
    unstopped: list[Any] = ["never in it", [], None, ["\n\n", "</s>"], "", [None]]
    for stop in unstopped:
        assert text(client.chat.completions.create(**ASKED, stop=stop)) == written
    assert text(client.chat.completions.create(**ASKED, stop=written[0])) == ""


def test_a_stopped_answer_is_the_same_in_pieces(client: openai.OpenAI) -> None:
    written = text(client.chat.completions.create(**ASKED))
    for stop in (written[5:8], written[-4:], "never in it", written[7:9] + "#"):
        for more in ({}, {"n": 2, "temperature": 1.5, "seed": 3}):
            options: dict[str, Any] = {"stop": [stop, "}}}"], **more}
            whole = client.chat.completions.create(**ASKED, **options)
            stream: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
            chunks = list(client.chat.completions.create(**ASKED, **options, **stream))
            for choice in whole.choices:
                mine = [one for chunk in chunks for one in chunk.choices if one.index == choice.index]
                assert "".join(one.delta.content or "" for one in mine) == choice.message.content
                assert stop not in (choice.message.content or "")
                assert mine[-1].finish_reason == choice.finish_reason
            assert chunks[-1].usage == whole.usage


@example("aba", ["b", "aba"], 1)
@given(st.text("ab", max_size=12), st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.integers(1, 4))
def test_pieces_never_show_a_part_of_a_stop_sequence(written: str, stops: list[str], size: int) -> None:
    passing = StopFilter(stops)
    pieces = [passing.add(written[start : start + size]) for start in range(0, len(written), size)]
    expected = cut_at_stop(written, stops)
    for end in range(len(pieces)):
        assert expected.startswith("".join(pieces[: end + 1]))
    assert "".join(pieces) + passing.add("", is_last=True) == expected


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_system_message_is_accepted_and_has_no_effect(client: openai.OpenAI, role: str) -> None:
    messages: Any = [{"role": role, "content": "You derive."}, *ASKED["messages"]]
    assert text(client.chat.completions.create(model="tiny", messages=messages)) == text(
        client.chat.completions.create(**ASKED)
    )


HARMLESS: dict[str, Any] = {
    "logprobs": False,
    "top_logprobs": None,
    "logit_bias": {},
    "tools": None,
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "function_call": None,
    "functions": None,
    "response_format": {"type": "text"},
    "metadata": {"run": "1"},
    "store": False,
    "service_tier": "auto",
    "user": "me",
    "safety_identifier": "me",
    "prompt_cache_key": "k",
    "modalities": ["text"],
    "prediction": None,
    "best_of": 1,
    "top_k": -1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "presence_penalty": 0,
    "frequency_penalty": 0.0,
    "skip_special_tokens": True,
    "echo": False,
    "use_beam_search": False,
    "unheard_of": {"deep": [1]},
    "n": 1,
    "seed": 1234,
    "stop": None,
    "max_tokens": None,
    "max_completion_tokens": None,
    "temperature": None,
    "top_p": None,
    "stream": False,
    "stream_options": None,
}


def test_parameters_that_change_nothing_are_accepted(served: Served) -> None:
    _, _, plain = ask(served)
    status, _, body = ask(served, **HARMLESS)
    assert (status, body["choices"]) == (200, plain["choices"])
    nulls = dict.fromkeys(HARMLESS)
    assert ask(served, **nulls)[2]["choices"] == plain["choices"]
    for name, value in HARMLESS.items():
        assert ask(served, **{name: value})[0] == 200, name


@pytest.mark.parametrize(
    "changes",
    [
        {"logprobs": True}, {"top_logprobs": 2}, {"logit_bias": {"5": 1}}, {"top_k": 5}, {"min_p": 0.1},
        {"repetition_penalty": 1.2}, {"best_of": True}, {"tools": [{"type": "function"}]}, {"tool_choice": "required"},
        {"guided_json": {}}, {"ignore_eos": True}, {"min_tokens": 3}, {"use_beam_search": True}, {"echo": True},
        {"continue_final_message": True}, {"stop_token_ids": [3]}, {"modalities": ["audio"]}, {"num_beams": 4},
    ],
    ids=str,
)  # fmt: skip
def test_parameters_that_would_change_the_answer_are_refused(served: Served, changes: dict[str, Any]) -> None:
    status, _, body = ask(served, **changes)
    (name,) = changes
    assert (status, body["error"]["param"]) == (400, name)
    assert f"{name}: not supported; expected null" in body["error"]["message"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"stop": 7}, "stop.0"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": "x" * 501}, "stop.0"),
        ({"stop": "\ud800"}, "stop.0"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "x"}, *ASKED["messages"]]}, "messages.0.role"),
        ({"messages": [{"role": "system", "content": "x"}] * 16 + ASKED["messages"]}, "messages"),
        ({"messages": [{"role": "user", "content": "x", "type": "image_url"}]}, "messages.0.type"),
        ({"x" * 65: 1}, None),
        ({"a b": 1}, None),
    ],
    ids=lambda value: str(value)[:50],
)
def test_other_forms_are_refused_by_name(served: Served, changes: dict[str, Any], named: str | None) -> None:
    status, _, body = ask(served, **changes)
    assert (status, body["error"]["param"]) == (400, named)


def test_the_body_that_lm_evaluation_harness_sends_is_answered(served: Served) -> None:
    body = {
        "messages": [
            {"role": "system", "content": "Derive.", "type": "text"},
            {"role": "user", "content": PROMPT, "type": "text"},
        ],
        "model": "tiny",
        "max_tokens": 256,
        "temperature": 0,
        "stop": ["\n\n"],
        "seed": 1234,
    }
    status, _, answer = send(served, "POST", CHAT, json.dumps(body))
    assert status == 200
    assert json.loads(answer)["choices"] == ask(served)[2]["choices"]


@pytest.mark.slow
@pytest.mark.long
def test_the_server_says_that_it_compiles_before_it_gives_its_address(checkpoint: Path) -> None:
    arguments: list[str | Path] = ["--port", "0", "--checkpoint", checkpoint, "decoding.max_source_length=64"]
    process = start("serve", *arguments, "decoding.max_target_length=64", cwd=checkpoint)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stderr.readline().startswith("serve: compiles the model's programs")
        assert process.stderr.readline().startswith("serve: ready after ")
        assert process.stdout.readline().startswith("http://")
    finally:
        process.terminate()
        assert process.communicate(timeout=60) == ("", "")
