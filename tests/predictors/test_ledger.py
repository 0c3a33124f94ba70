"""The ledger keeps requests and answers through kills, exports and imports."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.predictors.ledger import Entry, Ledger, RecordedAnswer, Request

ROW = "row [0-9a-f]{64}: "
MESSAGES = [{"role": "user", "content": "Given $x = \\theta$, derive $y$"}]


def request(number: int = 0, **changes: Any) -> Request:
    fields: dict[str, Any] = {
        "endpoint": "http://127.0.0.1/v1",
        "model": "m",
        "parameters": {"temperature": 0.0},
        "messages": MESSAGES,
    }
    return Request(**{**fields, "sample": number, **changes})


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def fill(ledger: Ledger) -> None:
    """Records three requests: one answered at the second attempt, one refused once, one without a response."""
    for number in (0, 0, 1, 2):
        ledger.record_attempt(request(number))
    ledger.record_refusal(request(0))
    ledger.record_answer(request(0), RecordedAnswer(text="y = θ", usage={"prompt_tokens": 3}))
    ledger.record_refusal(request(1))


def test_only_answered_requests_have_an_answer(ledger: Ledger) -> None:
    fill(ledger)
    assert ledger.find_answer(request(0)) == RecordedAnswer(text="y = θ", usage={"prompt_tokens": 3})
    assert [ledger.find_answer(request(number)) for number in (1, 2, 3)] == [None] * 3


def test_attempts_that_may_have_been_billed_are_counted(ledger: Ledger) -> None:
    fill(ledger)
    assert {entry.request.sample: entry.unaccounted for entry in ledger.entries()} == {0: 0, 1: 0, 2: 1}


def test_models_are_told_apart_by_endpoint_and_name(ledger: Ledger) -> None:
    fill(ledger)
    assert ledger.has_answers("http://127.0.0.1/v1", "m")
    assert not ledger.has_answers("http://127.0.0.1/v1", "n")
    assert not ledger.has_answers("http://127.0.0.1/v2", "m")
    assert ledger.unaccounted("http://127.0.0.1/v1", "m") == 1
    assert ledger.unaccounted("http://127.0.0.1/v1", "n") == 0


def test_the_attempts_of_the_last_minute_survive_a_restart(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.record_attempt(request(), tokens=5)
        ledger.record_attempt(request(model="n"), tokens=6)
        ledger.record_attempt(request(), tokens=7)
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        recent = ledger.recent("http://127.0.0.1/v1", "m", 60)
        assert [tokens for _, tokens in recent] == [5, 7]
        assert all(0 <= ago < 60 for ago, _ in recent)
        assert ledger.recent("http://127.0.0.1/v1", "m", 0) == []


@pytest.mark.parametrize(
    "change",
    [
        {"endpoint": "http://127.0.0.1/v2"},
        {"model": "n"},
        {"parameters": {"temperature": 0.5}},
        {"parameters": {}},
        {"messages": [{"role": "system", "content": MESSAGES[0]["content"]}]},
        {"sample": 1},
    ],
)
def test_everything_that_decides_an_answer_decides_the_key(change: dict[str, Any]) -> None:
    assert request(**change).key() != request().key()


@given(st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_the_key_does_not_depend_on_the_order_of_parameters(parameters: dict[str, float]) -> None:
    backwards = dict(reversed(list(parameters.items())))
    assert request(parameters=backwards).key() == request(parameters=parameters).key()


def test_a_kill_loses_no_recorded_answer(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from mathderive.predictors.ledger import RecordedAnswer, Ledger, Request
ledger = Ledger(Path(sys.argv[1]))
for number in range(2):
    request = Request(endpoint="e", model="m", parameters={}, messages=[], sample=number)
    ledger.record_attempt(request)
    if number == 0:
        ledger.record_answer(request, RecordedAnswer(text="kept"))
print("written", flush=True)
time.sleep(60)
"""
    path = tmp_path / "ledger.sqlite"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        with pytest.raises(InputError, match=r"ledger\.sqlite: .* no other run"):
            Ledger(path)
        process.send_signal(signal.SIGKILL)
    with Ledger(path) as ledger:
        assert [entry.answer for entry in ledger.entries() if entry.answer] == [RecordedAnswer(text="kept")]
        assert sum(entry.unaccounted for entry in ledger.entries()) == 1


def test_an_imported_export_is_exported_alike(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    assert ledger.export(tmp_path / "out.jsonl") == 3
    with Ledger(tmp_path / "other.sqlite") as other:
        assert other.import_entries(tmp_path / "out.jsonl") == 1  # entries without an answer are not imported
        assert other.import_entries(tmp_path / "out.jsonl") == 0
        assert other.find_answer(request(0)) == ledger.find_answer(request(0))
        other.export(tmp_path / "answered.jsonl")
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert (tmp_path / "answered.jsonl").read_text().splitlines() == [line for line in lines if "y = θ" in line]


def test_an_import_with_one_bad_line_changes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    good = Entry(request=request(5), sent=1, refused=0, answer=RecordedAnswer(text="new")).model_dump_json()
    (tmp_path / "in.jsonl").write_text(good + "\n" + json.dumps({"request": {}}) + "\n")
    with pytest.raises(InputError, match=r"in\.jsonl:2: "):
        ledger.import_entries(tmp_path / "in.jsonl")
    assert list(ledger.entries()) == []


@pytest.mark.parametrize(("sent", "refused"), [(0, 0), (1, 1), (10**30, 0), (-1, 0)])
def test_an_import_whose_attempts_do_not_add_up_is_refused(
    ledger: Ledger, tmp_path: Path, sent: int, refused: int
) -> None:
    line = {"request": request(5).model_dump(), "sent": sent, "refused": refused, "answer": {"text": "new"}}
    (tmp_path / "in.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"in\.jsonl:1: "):
        ledger.import_entries(tmp_path / "in.jsonl")


def test_an_import_with_another_answer_to_the_same_request_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    fill(ledger)
    other = Entry(request=request(0), sent=1, refused=0, answer=RecordedAnswer(text="another")).model_dump_json()
    (tmp_path / "in.jsonl").write_text(other + "\n")
    with pytest.raises(InputError, match="another answer"):
        ledger.import_entries(tmp_path / "in.jsonl")


def test_a_file_that_is_no_ledger_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("no database at all, but long enough to be taken for one" * 100)
    with pytest.raises(InputError, match=r"ledger\.sqlite: .*expected a ledger"):
        Ledger(path)


def test_a_ledger_of_another_version_is_refused_in_one_line_and_not_kept_locked(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match=r"ledger\.sqlite: version 99 of a ledger; expected 1") as caught:
        Ledger(path)
    with closing(sqlite3.connect(path, timeout=0)) as database:
        database.execute("BEGIN IMMEDIATE")
    assert caught.tb  # keeps the frames alive, with anything that was left open


def damage(path: Path, *statements: str) -> None:
    """Makes a ledger of one answered request and changes it by SQL."""
    with Ledger(path) as ledger:
        ledger.record_attempt(request(), tokens=5)
        ledger.record_answer(request(), RecordedAnswer(text="y = θ", usage={"prompt_tokens": 3}))
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("UPDATE requests SET request = '{'", ROW + r"line: Invalid JSON"),
        ("UPDATE requests SET request = '[]'", ROW + r"line: "),
        ("UPDATE requests SET request = replace(request, '\"m\"', '\"n\"')", ROW + r"the key of another request"),
        ("UPDATE requests SET answer = ''", ROW + r"line: Invalid JSON"),
        ("UPDATE requests SET answer = '{}'", ROW + r"text: "),
        ("UPDATE requests SET answer = '{\"text\": 7}'", ROW + r"text: "),
        ("UPDATE requests SET sent = 0", ROW + r".*more attempts came back than were sent"),
        ("UPDATE requests SET refused = -1", ROW),
        ("UPDATE requests SET sent = 9223372036854775807", ROW),
        ("UPDATE requests SET answer = '{\"text\": \"\", \"usage\": {\"tokens\": 1}}'", ROW + r"usage"),
        (f"UPDATE requests SET answer = '{{\"text\": \"\", \"usage\": {{\"prompt_tokens\": 1{'0' * 400}}}}}'", "usage"),
        ("UPDATE requests SET answer = CAST(x'ff' AS TEXT)", "expected an intact ledger"),
    ],
    ids=lambda text: str(text)[:60],
)  # fmt: skip
def test_a_damaged_row_is_named_in_one_line(tmp_path: Path, statement: str, named: str) -> None:
    path = tmp_path / "ledger.sqlite"
    damage(path, statement)
    with Ledger(path) as ledger:
        for use in (
            lambda: list(ledger.entries()),
            lambda: ledger.has_answers("http://127.0.0.1/v1", "m"),
            lambda: ledger.unaccounted("http://127.0.0.1/v1", "m"),
            lambda: ledger.export(tmp_path / "out.jsonl"),
        ):
            with pytest.raises(InputError, match=rf"ledger\.sqlite: .*{named}") as caught:
                use()
            assert "\n" not in str(caught.value)


def test_damaged_pages_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        for number in range(200):
            ledger.record_attempt(request(number))
    content = path.read_bytes()
    for start in range(0, len(content), 4096):
        path.write_bytes(content[:start] + bytes(range(256)) * 16 + content[start + 4096 :])
        try:
            with Ledger(path) as ledger:
                assert len(list(ledger.entries())) <= 200
                ledger.recent("http://127.0.0.1/v1", "m", 60)
        except InputError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON recent BEGIN DELETE FROM requests; END",
        "CREATE VIEW v AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        "CREATE TABLE other (x)",
        "CREATE INDEX i ON recent (time)",
        "ALTER TABLE recent ADD COLUMN other TEXT",
        "DROP TABLE recent",
    ],
)
def test_a_ledger_with_other_tables_is_refused(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "ledger.sqlite"
    damage(path, statement)
    with pytest.raises(InputError, match=r"ledger\.sqlite: has other tables than a ledger"):
        Ledger(path)


def test_an_endless_view_in_a_table_s_place_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, 'e', 'm', 1.0, 1 FROM n"
    damage(path, "DROP TABLE requests", f"CREATE VIEW requests (key, request, sent, refused, answer) AS {endless}")
    with pytest.raises(InputError, match=r"ledger\.sqlite: has other tables than a ledger"):
        Ledger(path)


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.touch()  # left by a kill before the tables were written
    with Ledger(path) as ledger:
        fill(ledger)
        assert ledger.has_answers("http://127.0.0.1/v1", "m")


def test_attempts_from_the_future_expire(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    damage(path, "UPDATE recent SET time = 1e12")
    with Ledger(path) as ledger:
        ((ago, _),) = ledger.recent("http://127.0.0.1/v1", "m", 60)
        assert ago < 60
        time.sleep(0.2)
        assert ledger.recent("http://127.0.0.1/v1", "m", 0.1) == []


def test_only_regular_files_are_opened_and_imported(ledger: Ledger, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for place in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file; expected a ledger"):
            Ledger(place)
        with pytest.raises(InputError, match="not a regular file; expected an exported ledger"):
            ledger.import_entries(place)
