"""The ledger of requests to chat endpoints: a request is stored before it is sent, its answer before it is used.

Each request is one row. Its key is everything that decides the answer: endpoint, model, sampling parameters, messages
and the number of the sample. Chat endpoints offer no idempotency key. A request that ended without an answer, because
of a kill or a cut connection, may therefore have been billed. The ledger counts such attempts separately from those
that the endpoint refused.
"""

import json
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mathderive.core.errors import InputError
from mathderive.predictors.ledger_records import Answer, Entry, FailureKind, RecordedAnswer, Request, read_export
from mathderive.records import parse_line, write_jsonl

_VERSION = 1
"""Version of the tables, stored as SQLite's `user_version`."""

_TABLES = (
    """
    CREATE TABLE requests (
        key TEXT PRIMARY KEY,
        request TEXT NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        refused INTEGER NOT NULL DEFAULT 0,
        answer TEXT
    ) STRICT, WITHOUT ROWID
    """,
    # The attempts of the last minute: rate limits hold even if a run is killed and restarted within a minute.
    "CREATE TABLE recent (endpoint TEXT NOT NULL, model TEXT NOT NULL, time REAL NOT NULL, tokens INTEGER NOT NULL)",
)

_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"


class Ledger:
    """The ledger's file, an SQLite database.

    One process at a time can open it. Every method that writes returns when its change is on disk.
    """

    def __init__(self, path: Path) -> None:
        """Opens the ledger; creates it if it is missing.

        Raises:
            InputError: the file is not a ledger, or another process uses it.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a regular file; expected a ledger")
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
            try:
                self._lock_and_create()
            except BaseException:
                self.close()
                raise
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: {error}; expected a ledger that no other run has open") from None

    def _lock_and_create(self) -> None:
        """Locks the file for this process, and creates the tables in a new file."""
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("BEGIN IMMEDIATE")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version == 0 and not self._database.execute("SELECT 1 FROM sqlite_schema").fetchone():
            for table in _TABLES:
                self._database.execute(table)
            self._database.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise InputError(f"{self.path}: version {version} of a ledger; expected {_VERSION}")
        if self._database.execute(_SCHEMA).fetchall() != _expected_schema():
            # A trigger or a view could do anything, even run for ever.
            raise InputError(f"{self.path}: has other tables than a ledger; expected those alone")
        self._database.execute("COMMIT")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def find_answer(self, request: Request) -> RecordedAnswer | None:
        """Returns the recorded answer to a request; null if there is none."""
        rows = list(self._rows("SELECT answer FROM requests WHERE key = ?", (request.key(),)))
        return self._parse_answer(rows[0][0], request.key()) if rows else None

    def find_entry(self, request: Request) -> Entry | None:
        """Returns the row of a request; null if there is none."""
        rows = list(self._rows("SELECT * FROM requests WHERE key = ?", (request.key(),)))
        return self._parse_row(*rows[0]) if rows else None

    def record_attempt(self, *requests: Request, tokens: int = 0) -> None:
        """Records that an attempt is about to be sent, which may ask for several samples of one answer.

        Args:
            requests: one for each sample; they differ in the sample alone.
            tokens: the attempt's estimated size.
        """
        first = requests[0]
        with self._transaction():
            self._database.executemany(
                "INSERT INTO requests (key, request, sent) VALUES (?, ?, 1)"
                " ON CONFLICT (key) DO UPDATE SET sent = sent + 1",
                [(request.key(), request.text()) for request in requests],
            )
            self._database.execute(
                "INSERT INTO recent (endpoint, model, time, tokens) VALUES (?, ?, ?, ?)",
                (first.endpoint, first.model, time.time(), tokens),
            )

    def record_refusal(self, *requests: Request) -> None:
        """Records that the endpoint answered the attempt with an error that is not final."""
        with self._transaction():
            self._add_refusals(requests)

    def record_answer(self, request: Request, answer: RecordedAnswer) -> None:
        """Records the attempt's answer, or a failure that another attempt would repeat."""
        self.record_answers([request], [answer])

    def record_answers(self, requests: Sequence[Request], answers: Sequence[RecordedAnswer | None]) -> None:
        """Records the answers to an attempt, all of them or none; each keeps the answer that it replaces.

        Args:
            requests: those of the attempt.
            answers: the answers to the first requests, null where one was useless. The endpoint gave no others, so
                the other requests are not billed.
        """
        given = [
            (_to_json(answer.replacing(self.find_answer(request))), request.key())
            for request, answer in zip(requests, answers, strict=False)
            if answer
        ]
        with self._transaction():
            self._database.executemany("UPDATE requests SET answer = ? WHERE key = ?", given)
            self._add_refusals(requests[len(answers) :])

    def _add_refusals(self, requests: Sequence[Request]) -> None:
        self._database.executemany(
            "UPDATE requests SET refused = refused + 1 WHERE key = ?", [(request.key(),) for request in requests]
        )

    def recent(self, endpoint: str, model: str, seconds: float) -> list[tuple[float, int]]:
        """Returns the attempts of the last `seconds` as (seconds ago, tokens), and deletes older ones."""
        now = time.time()
        with self._transaction():
            self._database.execute("DELETE FROM recent WHERE time < ?", (now - seconds,))
            # The clock was moved back; the attempts count as made now, so that they expire.
            self._database.execute("UPDATE recent SET time = ? WHERE time > ?", (now, now))
        rows = self._rows(
            "SELECT time, tokens FROM recent WHERE endpoint = ? AND model = ? ORDER BY time", (endpoint, model)
        )
        return [(max(0.0, now - sent), max(0, tokens)) for sent, tokens in rows]

    def has_answers(self, endpoint: str, model: str) -> bool:
        """Whether the ledger holds an answer of this model."""
        return any(entry.answer is not None for entry in self._entries_of(endpoint, model))

    def failed(self, endpoint: str, model: str, kinds: Collection[FailureKind]) -> list[Request]:
        """The requests to this model whose answers failed in one of these ways."""
        entries = self._entries_of(endpoint, model)
        return [entry.request for entry in entries if entry.answer and entry.answer.failure_kind in kinds]

    def replaced(self, endpoint: str, model: str) -> int:
        """The number of this model's failed answers that others have replaced."""
        rows = self._rows("SELECT * FROM requests WHERE instr(answer, '\"earlier\"')")  # few; the others are not parsed
        entries = [self._parse_row(*row) for row in rows]
        return sum(
            len(entry.answer.earlier)
            for entry in entries
            if entry.answer and (entry.request.endpoint, entry.request.model) == (endpoint, model)
        )

    def unaccounted(self, endpoint: str, model: str) -> int:
        """The number of attempts of this model that may have been billed although no answer arrived."""
        return sum(entry.unaccounted for entry in self._entries_of(endpoint, model))

    def entries(self) -> Iterator[Entry]:
        """Yields all entries in the order of their keys.

        Raises:
            InputError: the file is damaged, or a row is not an entry; names the file and the row's key.
        """
        for row in self._rows("SELECT * FROM requests ORDER BY key"):
            yield self._parse_row(*row)

    def _parse_row(self, key: str, request: str, sent: int, refused: int, answer: str | None) -> Entry:
        asked = parse_line(request, Request, self._place(key))
        if asked.key() != key:
            raise InputError(f"{self._place(key)}: the key of another request; expected an intact ledger")
        try:
            return Entry(request=asked, sent=sent, refused=refused, answer=self._parse_answer(answer, key))
        except ValidationError as error:
            raise InputError(f"{self._place(key)}: {error.errors()[0]['msg']}; expected an intact ledger") from None

    def _entries_of(self, endpoint: str, model: str) -> Iterator[Entry]:
        return (entry for entry in self.entries() if (entry.request.endpoint, entry.request.model) == (endpoint, model))

    def _rows(self, query: str, parameters: Sequence[str] = ()) -> Iterator[tuple[Any, ...]]:
        """Yields the rows of a query.

        Raises:
            InputError: the file is damaged.
        """
        try:
            yield from self._database.execute(query, parameters)
        except sqlite3.Error as error:
            raise InputError(f"{self.path}: {error}; expected an intact ledger") from None

    def _parse_answer(self, text: str | None, key: str) -> RecordedAnswer | None:
        return None if text is None else parse_line(text, RecordedAnswer, self._place(key))

    def _place(self, key: str) -> str:
        return f"{self.path}: row {key}"

    def export(self, path: Path) -> int:
        """Writes all entries as JSON lines and returns their number; equal ledgers give equal files."""
        return write_jsonl(path, self.entries())

    def import_entries(self, path: Path) -> int:
        """Adds the answered entries of an export, all of them or none; returns the number of new answers.

        Raises:
            InputError: the file is not a regular one, a line is not an entry, or its answer differs from the recorded
                answer to the same request.
        """
        added = 0
        with self._transaction():
            for number, entry in enumerate(read_export(path), 1):
                mine = self.find_entry(entry.request)
                if mine is None or mine.answer is None:
                    if entry.answer is not None:
                        added += 1
                        self._add_entry(entry)
                elif entry.answer is None or mine.answer.follows(entry.answer):
                    continue
                elif entry.answer.follows(mine.answer):
                    added += 1
                    self._replace_entry(entry, entry.sent + mine.unaccounted)
                else:
                    raise InputError(f"{path}: line {number}: another answer than {self.path} has to the same request")
        return added

    def _add_entry(self, entry: Entry) -> None:
        """Adds an answered entry to the attempts that are recorded."""
        assert entry.answer is not None
        self._database.execute(
            "INSERT INTO requests (key, request, sent, refused, answer) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (key) DO UPDATE SET sent = sent + excluded.sent,"
            " refused = refused + excluded.refused, answer = excluded.answer",
            (entry.request.key(), entry.request.text(), entry.sent, entry.refused, _to_json(entry.answer)),
        )

    def _replace_entry(self, entry: Entry, sent: int) -> None:
        """Puts an entry in the place of an older state of it."""
        assert entry.answer is not None
        self._database.execute(
            "UPDATE requests SET sent = ?, refused = ?, answer = ? WHERE key = ?",
            (sent, entry.refused, _to_json(entry.answer), entry.request.key()),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Commits everything that the block writes, or nothing if it raises.

        Raises:
            InputError: the database cannot be written, for example because the disk is full.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                expected = "a disk with room to write" if isinstance(error, sqlite3.OperationalError) else "a ledger"
                raise InputError(f"{self.path}: {error}; expected {expected}") from None
            raise


@cache
def _expected_schema() -> list[tuple[Any, ...]]:
    """The schema of a new ledger."""
    with closing(sqlite3.connect(":memory:")) as database:
        for table in _TABLES:
            database.execute(table)
        return database.execute(_SCHEMA).fetchall()


def _to_json(answer: Answer) -> str:
    return json.dumps(answer.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
