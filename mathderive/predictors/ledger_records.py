"""The records of the ledger: a request, its answer, and the row and line of an export that hold both."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, SerializerFunctionWrapHandler, model_serializer, model_validator

from mathderive.checker.reading.reasoning import strip_reasoning
from mathderive.core.errors import InputError
from mathderive.records import Record, iterate_jsonl

TokenKind = Literal["prompt_tokens", "completion_tokens"]

MAX_TOKENS = 10**12
"""Maximum plausible number of tokens of a request; a larger count makes no sense."""


class Request(Record):
    """Everything that decides an answer.

    Attributes:
        parameters: the sampling parameters that are sent. If several samples are asked for at once, `n` and the seed
            of the first one are.
        messages: the chat messages, each with `role` and `content`.
        sample: a number that tells samples of the same request apart; it is not sent.
    """

    endpoint: str
    model: str
    parameters: dict[str, JsonValue]
    messages: list[dict[str, str]]
    sample: int = Field(default=0, ge=0)

    def text(self) -> str:
        """The request as canonical JSON: equal requests have equal texts."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def key(self) -> str:
        """The SHA-256 of `text()`."""
        return hashlib.sha256(self.text().encode()).hexdigest()


FailureKind = Literal["status", "length", "refused"]
"""The kinds of answers that failed for good: refused by a status, cut at the limit on tokens, refused in words or by a
content filter."""


class Answer(Record):
    """An endpoint's answer to a request; `error` says why there is no text.

    Attributes:
        text: the content as the endpoint gave it, with the reasoning that stands in it.
        reasoning: the reasoning that the endpoint gave beside the content.
    """

    text: str
    finish_reason: str | None = None
    error: str | None = None
    usage: dict[TokenKind, Annotated[int, Field(ge=0, le=MAX_TOKENS)]] | None = None
    reasoning: str | None = None

    @model_serializer(mode="wrap")
    def _omit_newer_fields(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leaves out empty fields that older ledgers lack, so that their exports stay as they are."""
        values: dict[str, Any] = dump(self)
        return {name: value for name, value in values.items() if value or name not in ("reasoning", "earlier")}

    @property
    def scored_text(self) -> str:
        """The text without reasoning."""
        return strip_reasoning(self.text)

    @property
    def failure(self) -> str | None:
        """The reason why there is no answer; null if there is one. It is never null if the text is empty."""
        if self.error is not None or self.scored_text.strip():
            return self.error
        return "cut at its length limit" if self.finish_reason == "length" else "an answer without text"

    @property
    def failure_kind(self) -> FailureKind | None:
        """The kind of failure, for which the answer can be asked again; null for an answer that did not fail."""
        if self.is_refused:
            return "status"
        if (self.error or "").startswith(("refused", "content filter")):
            return "refused"
        return "length" if self.finish_reason == "length" else None

    @property
    def is_refused(self) -> bool:
        """Whether the endpoint refused the request, and therefore does not bill it."""
        return (self.error or "").startswith("status ")

    @property
    def token_counts(self) -> tuple[int, int] | None:
        """The tokens of the prompt and of the completion; null unless both are known."""
        usage = self.usage or {}
        return (usage["prompt_tokens"], usage["completion_tokens"]) if len(usage) == 2 else None


class RecordedAnswer(Answer):
    """The final answer to a request.

    Attributes:
        earlier: the failed answers that it replaced when they were asked for again, the oldest first.
    """

    earlier: list[Answer] = Field(default_factory=list, max_length=10_000)

    @classmethod
    def refused(cls, status: int, words: str = "") -> "RecordedAnswer":
        """The answer to a request that the endpoint finally refused, in these words."""
        return cls(text="", error=f"status {status}" + (f": {words}" if words else ""))

    @property
    def all_answers(self) -> list[Answer]:
        """The answer and those that it replaced, in the order in which they came; all were paid for."""
        return [*self.earlier, Answer.model_validate(self.model_dump(exclude={"earlier"}))]

    def replacing(self, old: "RecordedAnswer | None") -> "RecordedAnswer":
        """This answer in the place of an old one, which it keeps."""
        return self if old is None else self.model_copy(update={"earlier": old.all_answers})

    def follows(self, older: "RecordedAnswer") -> bool:
        """Whether this is the other answer, or has replaced it."""
        known = older.all_answers
        return self.all_answers[: len(known)] == known


class Entry(Record):
    """A row of the ledger, and a line of an export.

    Attributes:
        sent: number of attempts.
        refused: number of attempts that the endpoint answered with an error, or with fewer answers than were asked for,
            and therefore does not bill.
        answer: the final answer; null if there is none yet.
    """

    request: Request
    sent: int = Field(ge=0, le=10**9)
    refused: int = Field(ge=0, le=10**9)
    answer: RecordedAnswer | None

    @model_validator(mode="after")
    def _check_counts(self) -> "Entry":
        if self.unaccounted < 0:
            raise ValueError("more attempts came back than were sent")
        return self

    @property
    def unaccounted(self) -> int:
        """The number of attempts that may have been billed although no answer arrived."""
        return self.sent - self.refused - (len(self.answer.all_answers) if self.answer else 0)


def read_export(path: Path) -> Iterator[Entry]:
    """Yields the entries of an exported ledger.

    Raises:
        InputError: the file is missing or not a regular one, or a line is not an entry.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise InputError(f"{path}: not a regular file; expected an exported ledger")
    yield from iterate_jsonl(path, Entry)
