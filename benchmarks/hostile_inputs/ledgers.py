"""Hostile ledgers and exports of ledgers: damaged databases, other schemas, impossible counts, endless files."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.hostile_inputs.attack import MATHDERIVE, Attack

REQUEST = {"endpoint": "http://e/v1", "model": "m", "parameters": {}, "messages": [{"role": "user", "content": "p"}]}
ENTRY = {"request": {**REQUEST, "sample": 0}, "sent": 1, "refused": 0, "answer": {"text": "x = 1"}}
"""A right line of an export."""

LIST = (*MATHDERIVE, "ledger", "unaccounted", "--config", "top.yaml")
IMPORT = (*MATHDERIVE, "ledger", "import", "export.jsonl", "--config", "top.yaml")

ROWS: dict[str, tuple[object, ...]] = {
    "request that is no JSON": ("k", "{", 1, 0, None),
    "request of another form": ("k", "[]", 1, 0, None),
    "deep request": ("k", "[" * 100_000, 1, 0, None),
    "answer that is no JSON": ("k", json.dumps(ENTRY["request"]), 1, 0, "x"),
    "answer of another form": ("k", json.dumps(ENTRY["request"]), 1, 0, '{"text": 1}'),
    "usage with unknown keys": ("k", json.dumps(ENTRY["request"]), 1, 0, '{"text": "x", "usage": {"a": 1}}'),
    "usage beyond all numbers": (
        *("k", json.dumps(ENTRY["request"]), 1, 0),
        '{"text": "x", "usage": {"prompt_tokens": 1' + "0" * 400 + "}}",
    ),
    "more refused than sent": ("k", json.dumps(ENTRY["request"]), 0, 5, None),
    "negative counts": ("k", json.dumps(ENTRY["request"]), -1, -1, None),
    "half a surrogate pair": ("k", r'{"endpoint": "\ud800"}', 1, 0, None),
}
"""Rows of the table of requests that make no sense."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile ledger and export."""
    for name, row in ROWS.items():
        yield Attack(name, _database(partial(_insert, row)), LIST)
    for name, statement in {
        "trigger": "CREATE TRIGGER t AFTER INSERT ON requests BEGIN DELETE FROM requests; END",
        "endless view": "CREATE VIEW v AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT * FROM c",
        "further table": "CREATE TABLE further (x)",
        "missing table": "DROP TABLE requests",
        "view in the table's place": "DROP TABLE recent; CREATE VIEW recent AS SELECT 1",
        "another version": "PRAGMA user_version = 99",
    }.items():
        yield Attack(name, _database(partial(_execute, statement)), LIST)
    for place in (0, 16, 100, 1_000, 4_200, 9_000):
        yield Attack(f"zeros at byte {place}", _damaged(place), LIST, may_succeed=True)
    for name, make in _files().items():
        yield Attack(f"{name} as ledger", _with_config("runs/top/ledger.sqlite", make), LIST)
        yield Attack(f"{name} as export", _with_config("export.jsonl", make), IMPORT)
    for name, line in {
        "another form": "[1]",
        "no JSON": "{",
        "deep": "[" * 100_000,
        "long number": '{"sent": ' + "1" * 5_000 + "}",
        "huge counts": json.dumps({**ENTRY, "sent": 10**400}),
        "more refused than sent": json.dumps({**ENTRY, "refused": 9}),
        "unknown keys": json.dumps({**ENTRY, "further": 1}),
        "half a surrogate pair": json.dumps({**ENTRY, "answer": {"text": "\ud800"}}),
        "not a number": '{"sent": NaN}',
        "a line of 20 megabytes": '"' + "x" * 20_000_000 + '"',
    }.items():
        make = _writer(line + "\n")
        yield Attack(f"export: {name}", _with_config("export.jsonl", make), IMPORT)


def _files() -> dict[str, Callable[[Path], object]]:
    return {
        "pipe": os.mkfifo,
        "link to an endless file": lambda path: path.symlink_to("/dev/zero"),
        "link to itself": lambda path: path.symlink_to(path.name),
        "folder": lambda path: path.mkdir(),
        "random bytes": lambda path: path.write_bytes(bytes(range(256)) * 400),
        "half a database": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(100)),
    }


def _insert(row: tuple[object, ...], base: sqlite3.Connection) -> None:
    base.execute("INSERT OR REPLACE INTO requests VALUES (?,?,?,?,?)", row)


def _execute(statements: str, base: sqlite3.Connection) -> None:
    base.executescript(statements)


def _writer(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def _with_config(place: str, make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Prepares a config and, at a place, the file that a function makes."""

    def prepare(folder: Path) -> None:
        (folder / "top.yaml").write_text("{}", encoding="utf-8")
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        make(folder / place)

    return prepare


def _database(change: Callable[[sqlite3.Connection], object]) -> Callable[[Path], None]:
    """Prepares a right ledger of one entry that is then changed."""

    def make(path: Path) -> None:
        from mathderive.predictors.ledger import Entry, Ledger
        from mathderive.records import to_line

        export = path.with_name("export.jsonl")
        export.write_text(to_line(Entry.model_validate(ENTRY)), encoding="utf-8")
        with Ledger(path) as ledger:
            ledger.import_entries(export)
        with closing(sqlite3.connect(path)) as base:
            change(base)
            base.commit()

    return _with_config("runs/top/ledger.sqlite", make)


def _damaged(place: int) -> Callable[[Path], None]:
    prepare = _database(lambda base: None)

    def damage(folder: Path) -> None:
        prepare(folder)
        path = folder / "runs" / "top" / "ledger.sqlite"
        content = bytearray(path.read_bytes())
        content[place : place + 64] = bytes(len(content[place : place + 64]))
        path.write_bytes(content)

    return damage
