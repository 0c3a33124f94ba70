"""A search samples a chat model: what is sent, recorded and paid for, at endpoints with and without `n`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from mathderive.core.errors import InputError
from mathderive.predictors.base import Spender, UnansweredError, predict_set
from mathderive.predictors.chat import ChatBaseline
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.search import EXHAUSTED, Search
from mathderive.predictors.settings import ChatSettings, SamplerSettings
from mathderive.records import Example, Prediction, read_jsonl
from tests.support.chat_server import KEY, USAGE, ChatServer, answer_to

PRICES: dict[str, Any] = {"prompt_price": 1e6, "completion_price": 1e6, "max_tokens": 3}
"""Prices of one dollar per token."""


def example(name: str) -> Example:
    prompt = f"Given a = {name}, then obtain a = {name}"
    return Example(id=f"{name}-static", source_id=name, set="static", prompt=prompt, target="t", steps=[])


QUESTIONS = [example(name) for name in ("1", "22", "333")]


def settings(**changes: object) -> SamplerSettings:
    around = {"kind": "openai", "name": "chat", "model": "m"}
    entry = {"kind": "search", "around": around, "samples": 6, "samples_at_once": 5, "temperature": 0.7}
    return SamplerSettings.model_validate({**entry, **changes})


def baseline(server: ChatServer, folder: Path, key: str | None = KEY, **changes: Any) -> ChatBaseline:
    fields = {"kind": "openai", "name": "chat", "model": "m", "base_url": server.url, "few_shot": 0, **changes}
    return ChatBaseline(ChatSettings.model_validate(fields), key, [], 0, folder / "ledger.sqlite")


def draw(chat: ChatBaseline, numbers: Sequence[int], questions: Sequence[Example] = QUESTIONS) -> list[list[str]]:
    with chat:
        drawn = chat.sample(questions, numbers, settings(), seed=3)
    return [[one.text for one in samples] for samples in drawn]


def sizes(server: ChatServer) -> list[int]:
    return [request.get("n", 1) for request in server.requests]


def test_an_endpoint_with_n_is_asked_once_for_all_samples(server: ChatServer, tmp_path: Path) -> None:
    chat = baseline(server, tmp_path, temperature=0.0)
    with chat:
        drawn = chat.sample(QUESTIONS, range(1, 6), settings(top_p=0.9), seed=3)
    assert sizes(server) == [5, 5, 5]
    assert {(request["temperature"], request["top_p"]) for request in server.requests} == {(0.7, 0.9)}
    assert len({one.text for samples in drawn for one in samples}) == 15
    for question, samples in zip(QUESTIONS, drawn, strict=True):
        assert all(one.text.startswith(answer_to(question.prompt)) for one in samples)
        assert all((one.tokens, one.log_probability) == (USAGE["completion_tokens"], None) for one in samples)
    assert chat.note() == f"{3 * (7 + 5 * 3)} tokens"  # the prompt's tokens count once


@pytest.mark.parametrize(
    ("accepts", "gives", "expected"),
    [
        (1, 128, [5, 2, 1, 1, 1, 1, 1, *[1] * 5]),  # refuses `n`
        (128, 1, [5, *[1] * 9]),  # ignores it
        (2, 128, [5, 2, 2, 1, 2, 2, 1]),
        (128, 3, [5, 2, 3, 2]),
    ],
)
def test_endpoints_that_give_fewer_answers_are_asked_for_fewer(
    server: ChatServer, tmp_path: Path, accepts: int, gives: int, expected: list[int]
) -> None:
    server.accepts, server.gives = accepts, gives
    chat = baseline(server, tmp_path)
    with chat:
        drawn = [chat.sample([one], range(1, 6), settings(), seed=3)[0] for one in QUESTIONS[:2]]
    assert len({one.text for samples in drawn for one in samples}) == 10
    assert sizes(server) == expected
    assert server.choices == 10  # none is paid twice
    alone = [(str(request["messages"]), request["seed"]) for request in server.requests if "n" not in request]
    assert len(set(alone)) == len(alone) == expected.count(1)
    assert chat.unaccounted() == 0


def test_samples_follow_from_seed_number_and_question(server: ChatServer, tmp_path: Path) -> None:
    server.accepts = 1
    together = draw(baseline(server, tmp_path / "a"), range(1, 6))
    parts = [draw(baseline(server, tmp_path / "b"), numbers, QUESTIONS[::-1]) for numbers in (range(3, 6), range(1, 3))]
    assert [[*second, *first] for first, second in zip(*parts, strict=True)][::-1] == together
    seeded = draw(baseline(server, tmp_path / "c", parameters={"seed": 4}), range(1, 6))
    other = draw(baseline(server, tmp_path / "d", sample=1), range(1, 6))
    assert len({text for run in (together, seeded, other) for samples in run for text in samples}) == 45


def test_recorded_samples_are_not_asked_for_again(server: ChatServer, tmp_path: Path) -> None:
    first = draw(baseline(server, tmp_path), range(1, 4))
    more = draw(baseline(server, tmp_path), range(1, 6))
    assert [samples[:3] for samples in more] == first
    assert sizes(server) == [3, 3, 3, 2, 2, 2]
    assert draw(baseline(server, tmp_path, key=None), range(1, 6)) == more
    with pytest.raises(UnansweredError, match="3 items not in the ledger"):
        draw(baseline(server, tmp_path, key=None), range(1, 7))
    assert len(server.requests) == 6
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        entries = list(ledger.entries())
    assert sorted(entry.request.sample for entry in entries) == sorted([*range(1, 6)] * 3)
    assert all((entry.sent, entry.unaccounted) == (1, 0) for entry in entries)
    counts = [entry.answer.token_counts for entry in entries if entry.answer and entry.answer.token_counts]
    assert [sum(column) for column in zip(*counts, strict=True)] == [6 * 7, 15 * 3]


def test_the_greedy_answer_is_the_baselines(server: ChatServer, tmp_path: Path) -> None:
    chat = baseline(server, tmp_path)
    predict_set(chat, QUESTIONS, tmp_path / "static.jsonl", lambda *_: None)
    predictions = read_jsonl(tmp_path / "static.jsonl", Prediction)
    assert draw(chat, [0]) == [[one.text] for one in predictions]
    assert len(server.requests) == 3


def test_a_refused_question_is_no_evidence_against_n(server: ChatServer, tmp_path: Path) -> None:
    chat = baseline(server, tmp_path)
    server.faults = [400] * 7
    with chat:
        (failed,) = chat.sample(QUESTIONS[:1], range(1, 6), settings(), seed=3)
        (good,) = chat.sample(QUESTIONS[1:2], range(1, 6), settings(), seed=3)
    assert [one.text for one in failed] == [""] * 5
    assert len({one.text for one in good}) == 5
    assert sizes(server) == [5, 2, 1, 1, 1, 1, 1, 5]
    assert chat.unaccounted() == 0


def test_a_missing_sample_stops_no_other_and_is_asked_again(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [500]
    with pytest.raises(UnansweredError, match=r"1 item .*the last: status 500"):
        draw(baseline(server, tmp_path, max_attempts=1, concurrency=2), range(1, 6))
    drawn = draw(baseline(server, tmp_path), range(1, 6))
    assert len({text for samples in drawn for text in samples}) == 15
    assert sizes(server) == [5] * 4
    assert server.choices == 15


def test_an_empty_sample_is_asked_again_alone(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [{"message": {"content": ""}}]
    chat = baseline(server, tmp_path)
    (drawn,) = draw(chat, range(1, 6), QUESTIONS[:1])
    assert all(drawn)
    assert len(set(drawn)) == 5
    assert sizes(server) == [5, 1]
    assert chat.unaccounted() == 1  # the empty answer may have been billed


def test_a_lost_response_counts_every_sample(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [b"{"]
    chat = baseline(server, tmp_path, **PRICES)
    draw(chat, range(1, 6), QUESTIONS[:1])
    assert sizes(server) == [5, 5]
    assert chat.unaccounted() == 5
    most = 5 * (len(QUESTIONS[0].prompt) + 16 + 3)
    assert chat.note() == f"22 tokens, ${most + 22}.00"
    with chat:
        assert chat.note() == f"22 tokens, ${most + 22}.00"  # as the ledger tells it


def test_no_request_is_sent_that_might_exceed_the_money(server: ChatServer, tmp_path: Path) -> None:
    most = 5 * (len(QUESTIONS[0].prompt) + 16 + 3)
    for limit, sent in ((most - 1, 0), (most, 1)):
        chat = baseline(server, tmp_path, **PRICES, max_cost=float(limit), concurrency=1)
        with pytest.raises(InputError, match="max_cost"):
            draw(chat, range(1, 6))
        assert len(server.requests) == sent
    draw(baseline(server, tmp_path, **PRICES, max_cost=22.0), range(1, 6), QUESTIONS[:1])  # recorded
    assert len(server.requests) == 1


def test_a_null_temperature_is_not_sent_with_samples(server: ChatServer, tmp_path: Path) -> None:
    draw(baseline(server, tmp_path, temperature=None), range(1, 3))
    assert all("temperature" not in request for request in server.requests)


def test_samples_without_token_counts_are_estimated(server: ChatServer, tmp_path: Path) -> None:
    server.usage = None
    with (chat := baseline(server, tmp_path)):
        (samples,) = chat.sample(QUESTIONS[:1], range(1, 3), settings(), seed=3)
    assert all(len(one.text) / 3 <= one.tokens < len(one.text) / 3 + 1 for one in samples)


def test_top_k_is_refused_around_a_chat_model() -> None:
    with pytest.raises(ValidationError, match="top_k is no parameter of OpenAI's protocol"):
        settings(top_k=5)


def test_a_search_around_a_chat_model_ranks_without_log_probabilities(server: ChatServer, tmp_path: Path) -> None:
    search = Search("search", baseline(server, tmp_path), settings(), seed=0, checker_seed="0", workers=1)
    assert isinstance(search, Spender)
    assert search.unaccounted() == 0
    ((prediction,),) = search.predict(search.batches(QUESTIONS[:1]))
    # No answer can be read, so all rank alike, and the greedy one is the first.
    assert (prediction.text, prediction.finish_reason) == (answer_to(QUESTIONS[0].prompt), EXHAUSTED)
    assert prediction.usage is not None
    assert (prediction.usage["samples"], prediction.usage["completion_tokens"]) == (6, 18)
    assert sizes(server) == [1, 5]
    assert search.note() == "32 tokens"
    assert search.unaccounted() == 0
