"""Failed answers are asked again, those alone, and the ledger keeps them."""

from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError
from mathderive.predictors.base import UnansweredError
from mathderive.predictors.ledger import Ledger
from mathderive.predictors.ledger_records import Entry, FailureKind
from mathderive.records import read_jsonl
from tests.predictors.test_chat import ask, baseline, example
from tests.predictors.test_faulty_endpoint import Place
from tests.support.chat_server import ChatServer, answer_to
from tests.support.command import complaint

FAULTS: dict[str, Any] = {
    "status": 422,
    "length": {"finish_reason": "length", "message": {"content": "x ="}},
    "refused": {"message": {"content": None, "refusal": "never"}},
    "filter": {"finish_reason": "content_filter", "message": {"content": ""}},
    "good": {},
}
EXAMPLES = {name: example(str(10**number)) for number, name in enumerate(FAULTS)}


def entries(folder: Path) -> dict[str, Entry]:
    """The entries of the ledger by the fault of their first answer."""
    with Ledger(folder / "ledger.sqlite") as ledger:
        by_prompt = {entry.request.messages[0]["content"]: entry for entry in ledger.entries()}
    return {name: by_prompt[one.prompt] for name, one in EXAMPLES.items()}


@pytest.fixture
def asked(server: ChatServer, tmp_path: Path) -> dict[str, Entry]:
    """The ledger after each example has met its fault."""
    server.faults = list(FAULTS.values())[::-1]
    ask(baseline(server, tmp_path, concurrency=1), list(EXAMPLES.values()), tmp_path / "static.jsonl")
    server.requests.clear()
    return entries(tmp_path)


@pytest.mark.parametrize(
    ("kinds", "names"),
    [
        (["status"], {"status"}),
        (["length"], {"length"}),
        (["refused"], {"refused", "filter"}),
        (["status", "length", "refused"], {"status", "length", "refused", "filter"}),
    ],
)
def test_only_answers_that_failed_in_the_wanted_way_are_asked_again(
    server: ChatServer, tmp_path: Path, asked: dict[str, Entry], kinds: list[FailureKind], names: set[str]
) -> None:
    chat = baseline(server, tmp_path)
    assert chat.ask_again(kinds) == (len(names), len(names))
    assert sorted(request["messages"][0]["content"] for request in server.requests) == sorted(
        EXAMPLES[name].prompt for name in names
    )
    for name, entry in entries(tmp_path).items():
        before = asked[name]
        assert before.answer is not None
        assert entry.answer is not None
        if name not in names:
            assert entry == before
            continue
        assert entry.answer.text == answer_to(EXAMPLES[name].prompt)
        assert entry.answer.earlier == before.answer.all_answers  # nothing is lost
        assert (entry.sent, entry.unaccounted) == (2, 0)
    assert chat.ask_again(kinds) == (0, 0)
    predictions = ask(chat, list(EXAMPLES.values()), tmp_path / "after.jsonl")
    failed = {name for name, one in zip(EXAMPLES, predictions, strict=True) if "answer to" not in one.text}
    assert failed == set(EXAMPLES) - names - {"good"}


def test_an_answer_that_fails_again_keeps_both(server: ChatServer, tmp_path: Path, asked: dict[str, Entry]) -> None:
    for number in range(1, 4):
        server.faults = [(422, b'{"error": "try %d"}' % number)]
        assert baseline(server, tmp_path).ask_again(["status"]) == (1, 0)
    answer = entries(tmp_path)["status"].answer
    assert answer is not None
    assert [one.error for one in answer.all_answers] == [
        "status 422: refused [redacted]",
        *(f"status 422: try {number}" for number in range(1, 4)),
    ]


def test_a_lost_answer_leaves_the_old_one(server: ChatServer, tmp_path: Path, asked: dict[str, Entry]) -> None:
    server.faults = [500]
    with pytest.raises(UnansweredError, match="status 500"):
        baseline(server, tmp_path, max_attempts=1).ask_again(["length"])
    after = entries(tmp_path)["length"]
    assert after.answer == asked["length"].answer
    server.faults = [401]
    with pytest.raises(InputError, match="answered 401"):
        baseline(server, tmp_path).ask_again(["length"])
    assert entries(tmp_path)["length"].answer == asked["length"].answer


def test_replaced_answers_stay_paid(server: ChatServer, tmp_path: Path, asked: dict[str, Entry]) -> None:
    prices: dict[str, Any] = {"prompt_price": 1e6, "completion_price": 1e6}
    chat = baseline(server, tmp_path, **prices)
    with chat:
        assert chat.note() == "40 tokens, $40.00"  # four answers of ten tokens; the refused one is free
    chat.ask_again(["length"])
    with chat:
        assert chat.note() == "50 tokens, $50.00"


def test_exports_before_and_after_a_retry_can_be_imported_in_any_order(
    server: ChatServer, tmp_path: Path, asked: dict[str, Entry]
) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.export(tmp_path / "before.jsonl")
    baseline(server, tmp_path).ask_again(["status", "length"])
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.export(tmp_path / "after.jsonl")
    for names, counts in ((("before", "after"), (5, 2)), (("after", "before"), (5, 0))):
        with Ledger(tmp_path / f"{names[0]}.sqlite") as other:
            assert tuple(other.import_entries(tmp_path / f"{name}.jsonl") for name in names) == counts
            other.export(tmp_path / "out.jsonl")
        assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "after.jsonl").read_bytes()


@pytest.mark.slow
@pytest.mark.long
def test_the_command_asks_again_and_the_predict_stage_takes_the_new_answers(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [FAULTS["length"], 422]
    place = Place(tmp_path, server.url, rows=1, concurrency=1)
    place.run("predict")
    assert sum(prediction.error is None for prediction in place.predictions()) == 4
    before = place.predictions()
    server.requests.clear()
    assert "chat: no failed answers (refused)" in place.run("ledger", "retry", "--failed", "refused").stderr
    ended = place.run("ledger", "retry", "--failed", "status")
    assert "ledger: chat: 1 asked again, 1 of them answered now" in ended.stderr
    assert ended.stdout.strip().endswith("ledger.sqlite")
    assert len(server.requests) == 1
    place.run("predict")
    assert sum(one != other for one, other in zip(before, place.predictions(), strict=True)) == 1
    assert [prediction.error for prediction in place.predictions()] == [None] * 5
    assert "1 asked again" in place.run("ledger", "retry").stderr  # whatever has failed
    place.run("predict")
    assert {prediction.finish_reason for prediction in place.predictions()} == {"stop"}
    assert len(server.requests) == 2
    assert "nothing to do" in place.run("predict").stderr
    assert "no key in OPENAI_API_KEY" not in place.run("ledger", "retry", key="").stderr  # nothing is left to ask
    place.run("ledger", "export", "export.jsonl")
    kept = [entry.answer.earlier for entry in read_jsonl(tmp_path / "export.jsonl", Entry) if entry.answer]
    assert sum(map(len, kept)) == 2


@pytest.mark.slow
def test_a_retry_that_cannot_ask_is_refused_in_one_line(server: ChatServer, tmp_path: Path) -> None:
    place = Place(tmp_path, server.url, rows=1, concurrency=1)
    assert "no such ledger" in complaint(place.run("ledger", "retry", code=2).stderr)
    server.faults = [422]
    place.run("predict")
    assert "chat: no key in OPENAI_API_KEY" in complaint(place.run("ledger", "retry", key="", code=2).stderr)
    line = complaint(place.run("ledger", "retry", "predictors=[{kind: copy}]", code=2).stderr)
    assert "no chat model" in line
    assert place.run("ledger", "retry", "--failed", "other", code=2).stderr


@pytest.mark.slow
def test_the_answers_of_a_searched_model_are_asked_again(server: ChatServer, tmp_path: Path) -> None:
    server.faults = [422]
    place = Place(tmp_path, server.url, rows=1, concurrency=1)
    place.run("predict")
    chat = f"{{kind: openai, name: chat, model: m, base_url: '{server.url}', few_shot: 0}}"
    ended = place.run("ledger", "retry", f"predictors=[{{kind: search, around: {chat}}}, {chat}]")
    assert ended.stderr.count("asked again") == 1
