"""The chat baseline as a user runs it, behind a proxy that spoils a fifth of all requests."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathderive.predictors.ledger import Entry, Ledger, Request
from mathderive.records import EVALUATION_SETS, Prediction, read_jsonl
from tests.support.chat_server import KEY, ChatServer, answer_to
from tests.support.command import complaint, jsonl_files, run, start
from tests.support.faulty_proxy import FAULTS, FaultyProxy, spoiling
from tests.support.released_files import large_released_file

CONCURRENCY = 8
PRICES = {"prompt_price": 1e6, "completion_price": 1e6, "max_tokens": 3}
"""Prices of one dollar per token."""


@pytest.fixture
def proxy(server: ChatServer) -> Iterator[FaultyProxy]:
    with spoiling(server.server_port) as proxy:
        yield proxy


class Place:
    """A folder with a config `chat.yaml`, a model behind `url`, and five questions for each row."""

    def __init__(self, folder: Path, url: str, rows: int, **settings: Any) -> None:
        self.folder, self.run_folder = folder, folder / "runs" / "chat"
        folder.mkdir(exist_ok=True)
        released = str(large_released_file(folder, rows))
        predictor = {"kind": "openai", "name": "chat", "model": "m", "base_url": url, "few_shot": 0}
        predictor |= {"concurrency": CONCURRENCY, "timeout_seconds": 2.0, "max_attempts": 20, **settings}
        config = {
            "evaluation": {"source": "released", "released": [released], "examples": None},
            "predictors": [predictor],
        }
        (folder / "chat.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def run(
        self, *arguments: str | Path, key: str = KEY, code: int = 0, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        environment = {"OPENAI_API_KEY": key, **environment}
        return run(*arguments, "--config", "chat.yaml", cwd=self.folder, code=code, **environment)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return start(*arguments, "--config", "chat.yaml", cwd=self.folder, OPENAI_API_KEY=KEY)

    def predictions(self) -> list[Prediction]:
        folder = self.run_folder / "predictions" / "chat"
        return [row for name in EVALUATION_SETS for row in read_jsonl(folder / f"{name}.jsonl", Prediction)]

    def answered(self) -> int:
        """The number of answered requests in the ledger."""
        self.run("ledger", "export", "export.jsonl")
        return (self.folder / "export.jsonl").read_text(encoding="utf-8").count('"answer":{')


def assert_every_question_has_its_answer(place: Place, count: int) -> None:
    predictions = place.predictions()
    assert len(predictions) == len({prediction.text for prediction in predictions}) == count
    assert all(prediction.text.startswith(answer_to("Given f{(x)} = x^{")) for prediction in predictions)
    assert all(prediction.error is None for prediction in predictions)


def kill_when(process: "subprocess.Popen[str]", reached: Callable[[], bool]) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def has_delivered(proxy: FaultyProxy, count: int) -> bool:
    return proxy.delivered >= count


def kill_and_finish(place: Place, proxy: FaultyProxy, moments: list[int]) -> None:
    """Kills the run after each of these numbers of delivered answers, finishes it, and counts repeated requests."""
    lost = 0
    for moment in moments:
        kill_when(place.start("predict"), partial(has_delivered, proxy, moment))
        time.sleep(0.5)  # responses in flight arrive or are dropped
        lost_here = proxy.delivered - lost - place.answered()
        print(f"killed at {moment} answers delivered, {lost_here} of them lost")
        assert 0 <= lost_here <= CONCURRENCY
        lost += lost_here
    ended = place.run("predict")
    wanted = len(place.predictions())
    print(f"{proxy.delivered} delivered for {wanted}, {len(proxy.arrivals)} requests; faults {dict(proxy.faults)}")
    print(ended.stderr)
    assert_every_question_has_its_answer(place, wanted)
    assert proxy.delivered == wanted + lost
    listed = place.run("ledger", "unaccounted").stdout.splitlines()
    assert 0 < len(listed) <= wanted
    assert "may have been billed without an answer; `ledger unaccounted` lists them" in ended.stderr


@pytest.mark.long
@pytest.mark.slow
def test_a_thousand_questions_through_faults_and_five_kills(
    server: ChatServer, proxy: FaultyProxy, tmp_path: Path
) -> None:
    server.delay = 0.02
    place = Place(tmp_path, proxy.url, rows=200)
    kill_and_finish(place, proxy, [150, 300, 450, 600, 750])
    assert len(place.predictions()) == 1000
    assert set(proxy.faults) == set(FAULTS)


@pytest.mark.slow
@pytest.mark.long
def test_every_sample_of_a_killed_search_is_accounted_for_and_none_is_paid_twice(
    server: ChatServer, proxy: FaultyProxy, tmp_path: Path
) -> None:
    server.delay = 0.05
    place = Place(tmp_path, proxy.url, rows=3, concurrency=2, max_attempts=50)
    config = yaml.safe_load((tmp_path / "chat.yaml").read_text())
    (chat,) = config["predictors"]
    config["predictors"] = [{"kind": "search", "name": "chat", "around": chat, "samples": 7, "samples_at_once": 3}]
    (tmp_path / "chat.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    for moment in (5, 20):
        kill_when(place.start("predict"), partial(has_delivered, proxy, moment))
    place.run("predict")
    place.run("ledger", "export", "export.jsonl")
    entries = read_jsonl(tmp_path / "export.jsonl", Entry)
    assert len(entries) == len(place.predictions()) * 7 == 105
    assert all(entry.answer for entry in entries)
    paid_without_answer = server.choices - len(entries)
    unaccounted = sum(entry.unaccounted for entry in entries)
    print(f"{server.choices} answers billed, {len(entries)} recorded, {unaccounted} may be billed without an answer")
    assert 0 < paid_without_answer <= unaccounted
    billed = server.choices
    place.run("predict")
    assert server.choices == billed


@pytest.mark.long
@pytest.mark.slow
def test_no_minute_holds_more_requests_than_its_budget(server: ChatServer, proxy: FaultyProxy, tmp_path: Path) -> None:
    place = Place(tmp_path, proxy.url, rows=14, requests_per_minute=60)
    # Neither the end of a set nor a kill and restart begins a new minute.
    kill_when(place.start("predict"), partial(has_delivered, proxy, 30))
    place.run("predict")
    assert_every_question_has_its_answer(place, 70)
    seconds = proxy.arrivals[-1] - proxy.arrivals[0]
    most = proxy.most_arrivals(60.0)
    print(f"{len(proxy.arrivals)} requests in {seconds:.0f} s, at most {most} in any minute")
    assert len(proxy.arrivals) > 75
    assert 50 <= most <= 60


def test_spending_stops_before_its_limit_whatever_responses_are_lost(server: ChatServer, tmp_path: Path) -> None:
    with spoiling(server.server_port, share=0.5) as proxy:
        place = Place(tmp_path, proxy.url, rows=150, max_cost=1000.0, **PRICES)
        line = complaint(place.run("predict", code=2).stderr)
    assert "chat: max_cost: " in line
    billed = 10 * server.billed  # ten tokens each
    print(f"{line}\nbilled: {billed} dollars for {server.billed} completions, {proxy.delivered} delivered")
    assert 0 < 10 * proxy.delivered < billed <= 1000


@pytest.mark.slow
@pytest.mark.long
def test_a_published_ledger_is_replayed_without_key_or_network(server: ChatServer, tmp_path: Path) -> None:
    with spoiling(server.server_port) as proxy:
        first = Place(tmp_path / "first", proxy.url, rows=6)
        first.run("score")
        first.run("ledger", "export", tmp_path / "ledger.jsonl")
    asked = len(server.requests)
    second = Place(tmp_path / "second", proxy.url, rows=6)  # the endpoint has ended
    skipped = second.run("predict", key="")
    assert "chat is skipped: there is no key in OPENAI_API_KEY" in skipped.stderr
    imported = second.run("ledger", "import", tmp_path / "ledger.jsonl", key="")
    assert "ledger: 30 answers are new" in imported.stderr
    second.run("score", key="")
    assert jsonl_files(second.run_folder) == jsonl_files(first.run_folder)
    assert len(jsonl_files(second.run_folder)) > 5
    assert "0 answers are new" in second.run("ledger", "import", tmp_path / "ledger.jsonl").stderr
    line = complaint(second.run("predict", "predictors.0.sample=1", key="", code=2).stderr)
    assert "chat: 30 items not in the ledger" in line
    assert len(server.requests) == asked


@pytest.mark.slow
def test_the_key_is_shown_nowhere(server: ChatServer, tmp_path: Path) -> None:
    server.headers = {"X-Echo": KEY}
    server.faults = [400, 429]
    place = Place(tmp_path, server.url, rows=2, concurrency=1)
    ends = [place.run("all", OPENAI_LOG="debug")]
    server.faults = [401]
    ends.append(place.run("all", "predictors.0.sample=1", code=2, OPENAI_LOG="debug"))
    ends.append(place.run("ledger", "export", "export.jsonl"))
    assert "openai._base_client" in ends[0].stderr  # a detailed log, without the key
    assert "answered 401 for model m; expected" in complaint(ends[1].stderr)
    assert {request["headers"]["Authorization"] for request in server.requests} == {f"Bearer {KEY}"}
    assert not [end for end in ends if KEY in end.stdout + end.stderr]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


def test_local_servers_are_asked_one_after_another_and_sent_no_key(server: ChatServer, tmp_path: Path) -> None:
    place = Place(tmp_path, server.url, rows=1)
    shared = f"kind: openai, base_url: '{server.url}', few_shot: 0, api_key_variable: null"
    place.run(
        "predict",
        f"predictors=[{{{shared}, name: chat, model: m}}, {{{shared}, name: other, model: n}}]",
        OPENAI_ORG_ID="organization-of-this-test",
        OPENAI_PROJECT_ID="project-of-this-test",
    )
    assert_every_question_has_its_answer(place, 5)
    assert [request["model"] for request in server.requests] == ["m"] * 5 + ["n"] * 5
    headers = [str(request["headers"]).lower() for request in server.requests]
    assert not [line for line in headers if "authorization" in line or "of-this-test" in line]


def test_a_missing_ledger_is_refused_in_one_line(tmp_path: Path) -> None:
    place = Place(tmp_path, "http://127.0.0.1", rows=1)
    for arguments in (["export", "out.jsonl"], ["unaccounted"]):
        assert "runs/chat/ledger.sqlite: no such ledger" in complaint(place.run("ledger", *arguments, code=2).stderr)
    assert not place.run_folder.exists()


def test_unaccounted_requests_are_printed_without_control_characters(tmp_path: Path) -> None:
    place = Place(tmp_path, "http://127.0.0.1", rows=1)
    message = {"role": "user", "content": "\x9b31m \u202e \x7f θ"}
    request = Request(endpoint="http://127.0.0.1", model="m", parameters={}, messages=[message])
    with Ledger(place.run_folder / "ledger.sqlite") as ledger:
        ledger.record_attempt(request)
    (line,) = place.run("ledger", "unaccounted").stdout.splitlines()
    assert line.isprintable()
    assert line.isascii()
    assert Entry.model_validate_json(line).request == request


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["import", "none.jsonl"], "none.jsonl: no such file"), (["import", "."], ".: Is a directory"),
     (["import", "chat.yaml"], "chat.yaml:1: "), (["export", "runs"], "runs: Is a directory"),
     (["export", "chat.yaml/x"], "chat.yaml: File exists")],
)  # fmt: skip
def test_an_unusable_file_is_refused_in_one_line(tmp_path: Path, arguments: list[str], named: str) -> None:
    place = Place(tmp_path, "http://127.0.0.1", rows=1)
    with Ledger(place.run_folder / "ledger.sqlite"):
        pass
    assert named in complaint(place.run("ledger", *arguments, code=2).stderr)
