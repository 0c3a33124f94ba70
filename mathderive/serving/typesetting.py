"""Typesets equations and sentences for the page, in a child process: what `POST /typeset` accepts and returns."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field
from starlette.requests import Request

from mathderive.core.workers import Ended, Limits, WorkerProcess
from mathderive.report.typeset import split_formulas, typeset
from mathderive.serving.children import CHILDREN, SLOW_NICENESS, give_way
from mathderive.serving.limits import result_for
from mathderive.serving.protocol import Asked, Refusal, Text

LONGEST_FORMULA = 2_000
"""Maximum characters of an equation, and of a formula that is typeset within a sentence."""

MOST_SENTENCES = 16
"""Maximum number of sentences in a request."""

MAX_WAITING = 16
"""Maximum number of requests that wait or are being typeset."""

_LIMITS = Limits(memory_bytes=2**30, cpu_seconds=2.0)
"""Limits of a request; one from the page takes a tenth of a second."""

_MOST_FORMULAS = 16
"""Maximum number of formulas that are typeset per sentence; a checker's reason has fewer."""


class ToTypeset(Asked):
    """Equations, and sentences with formulas between dollar signs."""

    equations: list[Annotated[Text, Field(max_length=LONGEST_FORMULA)]] = Field(max_length=64)
    sentences: list[Annotated[Text, Field(max_length=50_000)]] = Field(default=[], max_length=MOST_SENTENCES)


class Part(BaseModel):
    """A sentence's words or one of its formulas; `mathml` is null for words and for formulas that cannot be typeset."""

    text: str
    is_formula: bool
    mathml: str | None


class Typeset(BaseModel):
    """MathML of each equation, null for a text that cannot be parsed as one; and the parts of each sentence."""

    mathml: list[str | None]
    sentences: list[list[Part]]


class Typesetting:
    """Typesets one request after another in a child process: one may take long, and a thread would hold up others."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._worker = WorkerProcess(_typeset_at_low_priority, _LIMITS, CHILDREN)
        self._waiting = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Typesets while the block runs, and ends the child process after it."""
        try:
            yield
        finally:
            self._worker.stop()
            self._thread.shutdown(cancel_futures=True)

    async def typeset(self, asked: ToTypeset, request: Request) -> Typeset:
        """Typesets a request; if it exceeds its limits, nothing of it is typeset.

        Raises:
            Refusal: too many requests wait, or the client hung up.
            InputError: the server is ending.
        """
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "many texts wait to be typeset", code="queue_full", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._worker.ask, asked)
            found = await result_for(request, work)
        finally:
            self._waiting -= 1
        return _not_typeset(asked) if isinstance(found, Ended) else found


def typeset_all(asked: ToTypeset) -> Typeset:
    """Typesets a request's equations and sentences."""
    return Typeset(
        mathml=[typeset(text) for text in asked.equations],
        sentences=[_typeset_sentence(text) for text in asked.sentences],
    )


def _typeset_at_low_priority(asked: ToTypeset) -> Typeset:
    give_way(SLOW_NICENESS)
    return typeset_all(asked)


def _not_typeset(asked: ToTypeset) -> Typeset:
    sentences = [[Part(text=text, is_formula=False, mathml=None)] for text in asked.sentences]
    return Typeset(mathml=[None] * len(asked.equations), sentences=sentences)


def _typeset_sentence(sentence: str) -> list[Part]:
    parts = []
    for place, text in enumerate(split_formulas(sentence)):
        is_formula = place % 2 == 1
        is_short = len(text) <= LONGEST_FORMULA and place < 2 * _MOST_FORMULAS
        mathml = typeset(text) if is_formula and is_short else None
        parts.append(Part(text=text, is_formula=is_formula, mathml=mathml))
    return parts
