"""Typesets equations and sentences for the page: what `POST /typeset` accepts and returns."""

from typing import Annotated

from pydantic import BaseModel, Field

from mathderive.report.typeset import split_formulas, typeset
from mathderive.serving.protocol import Asked, Text

LONGEST_FORMULA = 2_000
"""Maximum characters of an equation, and of a formula that is typeset within a sentence."""

MOST_SENTENCES = 16
"""Maximum number of sentences in a request."""

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


def typeset_all(asked: ToTypeset) -> Typeset:
    """Typesets a request's equations and sentences."""
    return Typeset(
        mathml=[typeset(text) for text in asked.equations],
        sentences=[_typeset_sentence(text) for text in asked.sentences],
    )


def typeset_nothing(asked: ToTypeset) -> Typeset:
    """The answer to a request that takes too much time or memory: nothing of it is typeset."""
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
