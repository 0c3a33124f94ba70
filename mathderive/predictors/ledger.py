"""What was asked of chat endpoints and what they answered: kept before anything is sent, and before it is used.

One row a request, known by all that decides its answer: endpoint, model, sampling parameters, messages and the
sample's number. Chat endpoints have no idempotency key, so a request that ended without an answer, by a kill or
a cut connection, may have been billed all the same; the ledger counts such attempts apart from those that the endpoint
refused.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, model_validator

from mathderive.core.errors import InputError
from mathderive.records import Record, iterate_jsonl, write_jsonl

_VERSION = 1
"""Of the table, in SQLite's `user_version`."""

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
    # The last minute's attempts: budgets hold over any minute, also one in which a run was killed and started again.
    "CREATE TABLE recent (endpoint TEXT NOT NULL, model TEXT NOT NULL, time REAL NOT NULL, tokens INTEGER NOT NULL)",
)

_OF_MODEL = "json_extract(request, '$.endpoint') = ? AND json_extract(request, '$.model') = ?"
_UNACCOUNTED = "sent - refused - (answer IS NOT NULL)"


class Request(Record):
    """All that decides an answer; `parameters` are those of sampling that are sent along."""

    endpoint: str
    model: str
    parameters: dict[str, float | int | str]
    messages: list[dict[str, str]]
    sample: int = Field(default=0, ge=0)

    def text(self) -> str:
        """Canonical JSON: equal requests have equal texts."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def key(self) -> str:
        return hashlib.sha256(self.text().encode()).hexdigest()


class Answer(Record):
    """What an endpoint made of a request for good; `error` says why there is no text."""

    text: str
    finish_reason: str | None = None
    error: str | None = None
    usage: dict[str, int] | None = None


class Entry(Record):
    """A request and what became of it.

    Attributes:
        sent: attempts begun.
        refused: those of them that the endpoint answered with an error, and so will not bill.
    """

    request: Request
    sent: int = Field(ge=0, le=10**9)
    refused: int = Field(ge=0, le=10**9)
    answer: Answer | None

    @model_validator(mode="after")
    def _adds_up(self) -> "Entry":
        if self.unaccounted < 0:
            raise ValueError("more attempts came back than were sent")
        return self

    @property
    def unaccounted(self) -> int:
        """Attempts that may have been billed though nothing came back."""
        return self.sent - self.refused - (self.answer is not None)


class Ledger:
    """The file; one process writes it, and every method returns when what it says is on the disk."""

    def __init__(self, path: Path) -> None:
        """Opens the ledger, made if it is missing.

        Raises:
            InputError: the file is none of ours, or in use.
        """
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
            try:
                self._take_possession()
            except BaseException:
                self.close()
                raise
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: {error}; expected a ledger that no other run has open") from None

    def _take_possession(self) -> None:
        """Locks the file for this process alone, and makes the tables if there are none."""
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
        self._database.execute("COMMIT")

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._database.close()

    def answer_of(self, request: Request) -> Answer | None:
        """What was answered for good before, if anything."""
        row = self._database.execute("SELECT answer FROM requests WHERE key = ?", (request.key(),)).fetchone()
        return None if row is None or row[0] is None else Answer.model_validate_json(row[0])

    def sends(self, request: Request, tokens: int = 0) -> None:
        """An attempt, of so many tokens by estimate, is about to go out."""
        with self._transaction():
            self._database.execute(
                "INSERT INTO requests (key, request, sent) VALUES (?, ?, 1)"
                " ON CONFLICT (key) DO UPDATE SET sent = sent + 1",
                (request.key(), request.text()),
            )
            self._database.execute(
                "INSERT INTO recent (endpoint, model, time, tokens) VALUES (?, ?, ?, ?)",
                (request.endpoint, request.model, time.time(), tokens),
            )

    def is_refused(self, request: Request) -> None:
        """The endpoint answered the attempt with an error that another attempt may not meet."""
        with self._transaction():
            self._database.execute("UPDATE requests SET refused = refused + 1 WHERE key = ?", (request.key(),))

    def is_answered(self, request: Request, answer: Answer) -> None:
        """The attempt brought an answer, or a failure that no other attempt would mend."""
        with self._transaction():
            self._database.execute("UPDATE requests SET answer = ? WHERE key = ?", (to_text(answer), request.key()))

    def recent(self, endpoint: str, model: str, seconds: float) -> list[tuple[float, int]]:
        """The attempts of the last `seconds`: how long ago, and of how many tokens; older ones are forgotten."""
        now = time.time()
        with self._transaction():
            self._database.execute("DELETE FROM recent WHERE time < ?", (now - seconds,))
        rows = self._database.execute(
            "SELECT time, tokens FROM recent WHERE endpoint = ? AND model = ? ORDER BY time", (endpoint, model)
        )
        return [(max(0.0, now - sent), tokens) for sent, tokens in rows]

    def has_answers(self, endpoint: str, model: str) -> bool:
        """Whether anything is answered that was asked of this model."""
        query = f"SELECT 1 FROM requests WHERE answer IS NOT NULL AND {_OF_MODEL}"
        return self._database.execute(query, (endpoint, model)).fetchone() is not None

    def unaccounted(self, endpoint: str, model: str) -> int:
        """How many attempts of this model may have been billed without an answer."""
        query = f"SELECT coalesce(sum({_UNACCOUNTED}), 0) FROM requests WHERE {_OF_MODEL}"
        return int(self._database.execute(query, (endpoint, model)).fetchone()[0])

    def entries(self) -> Iterator[Entry]:
        """Everything, in the order of the keys."""
        rows = self._database.execute("SELECT request, sent, refused, answer FROM requests ORDER BY key")
        for request, sent, refused, answer in rows:
            yield Entry(
                request=Request.model_validate_json(request),
                sent=sent,
                refused=refused,
                answer=None if answer is None else Answer.model_validate_json(answer),
            )

    def export(self, path: Path) -> int:
        """Writes all entries as JSON lines, the same bytes for the same contents; returns how many."""
        return write_jsonl(path, self.entries())

    def take_in(self, path: Path) -> int:
        """Adds an export's entries, all of them or none; returns how many were not here before.

        Raises:
            InputError: a line is no entry, or answers a request otherwise than it was answered here.
        """
        added = 0
        with self._transaction():
            for number, entry in enumerate(iterate_jsonl(path, Entry), 1):
                mine = self.answer_of(entry.request)
                if mine is not None and entry.answer is not None and mine != entry.answer:
                    raise InputError(f"{path}: line {number}: another answer than {self.path} has to the same request")
                if mine is not None or entry.answer is None:
                    continue
                added += 1
                self._database.execute(
                    "INSERT INTO requests (key, request, sent, refused, answer) VALUES (?, ?, ?, ?, ?)"
                    " ON CONFLICT (key) DO UPDATE SET sent = sent + excluded.sent,"
                    " refused = refused + excluded.refused, answer = excluded.answer",
                    (entry.request.key(), entry.request.text(), entry.sent, entry.refused, to_text(entry.answer)),
                )
        return added

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What the block writes is on the disk when it ends, all or nothing.

        Raises:
            InputError: the disk does not take it.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            yield
            self._database.execute("COMMIT")
        except BaseException as error:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise InputError(f"{self.path}: {error}; expected a disk that takes what is written") from None
            raise


def to_text(answer: Answer) -> str:
    return json.dumps(answer.model_dump(mode="json", exclude_none=True), ensure_ascii=False)
