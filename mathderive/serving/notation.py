"""Writes typed questions in the notation of the models: what `POST /notation` accepts and returns."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from mathderive.checker.reading.data_notation import Rewritten, in_data_notation
from mathderive.serving.protocol import Asked, Text
from mathderive.symbolic.prompts import Prompt, join_prompt

LONGEST_EQUATION = 10_000
"""Maximum characters of a typed equation, and of a whole prompt in `/check`."""

Typed = Annotated[Text, Field(max_length=LONGEST_EQUATION)]

MOST_EQUATIONS = 64
"""Maximum number of typed premises, and of equations to derive before the goal."""


class TypedQuestion(Asked):
    """The equations of a question, each in LaTeX as people write it; the goal is empty while there is none."""

    premises: list[Typed] = Field(max_length=MOST_EQUATIONS)
    derive: list[Typed] = Field(default=[], max_length=MOST_EQUATIONS)
    goal: Typed = ""


class RewrittenEquation(BaseModel):
    """An equation in the notation of the models; or, where `text` is null, what was found and expected instead."""

    text: str | None
    fault: str | None


class RewrittenQuestion(BaseModel):
    """The equations of a question, in their order; `prompt` is null while an equation is missing or has a fault."""

    premises: list[RewrittenEquation]
    derive: list[RewrittenEquation]
    goal: RewrittenEquation | None
    prompt: str | None


def rewrite(asked: TypedQuestion) -> RewrittenQuestion:
    """Writes a question in the notation of the models."""
    return _question(asked, in_data_notation(asked.premises, [*asked.derive, *_goals(asked)]))


def rewrite_nothing(asked: TypedQuestion) -> RewrittenQuestion:
    """The answer to a question that takes too much time or memory."""
    count = len(asked.premises) + len(asked.derive) + len(_goals(asked))
    return _question(asked, [Rewritten("", "the question takes too much time or memory to read")] * count)


def _goals(asked: TypedQuestion) -> list[str]:
    return [asked.goal] if asked.goal.strip() else []


def _question(asked: TypedQuestion, found: Sequence[Rewritten]) -> RewrittenQuestion:
    def part(start: int, end: int) -> list[RewrittenEquation]:
        return [RewrittenEquation(text=one.text or None, fault=one.fault or None) for one in found[start:end]]

    given = len(asked.premises)
    asked_first = given + len(asked.derive)
    premises, derive, goals = part(0, given), part(given, asked_first), part(asked_first, len(found))
    prompt = None
    if premises and goals and all(one.text for one in found):
        texts = [one.text for one in found]
        prompt = join_prompt(Prompt(tuple(texts[:given]), tuple(texts[given:asked_first]), texts[-1]))
    return RewrittenQuestion(premises=premises, derive=derive, goal=goals[0] if goals else None, prompt=prompt)
