"""The prompt and the few-shot prompt as texts: written from their parts, and split into them again.

The forms are those of the released examples of Meadows et al. (2024), character by character.
"""

from collections.abc import Sequence
from typing import NamedTuple

SEPARATOR = " and "
"""The text between the equations of a derivation and between the premises of a prompt; no equation contains it."""

GIVEN, DERIVE, OBTAIN = "Given ", ", then derive ", ", then obtain "
"""The words before the premises, before each intermediate result, and before the goal."""

_HEADER = (
    "The following examples consist of a prompt (denoted by Prompt:) and a mathematical derivation (denoted by "
    'Derivation:). Each derivation contains LaTeX equations separated by "and". \n\n'
)
_QUERY = "Now given the following prompt, generate the derivation. Ensure equations are split by the word 'and': \n\n"
_PROMPT, _DERIVATION, _END = "Prompt: ", "\n\nDerivation: ", "\n\n\n"

Pair = tuple[str, str]
"""A prompt and its derivation."""


class Prompt(NamedTuple):
    """The equations of a prompt: the premises, the intermediate results to derive, and the goal."""

    premises: tuple[str, ...]
    derive: tuple[str, ...]
    goal: str


def join_prompt(parts: Prompt) -> str:
    """Writes a prompt: `Given P1 and P2, then derive X, then obtain G`."""
    clauses = "".join(DERIVE + equation for equation in parts.derive)
    return GIVEN + SEPARATOR.join(parts.premises) + clauses + OBTAIN + parts.goal


def split_prompt(text: str) -> Prompt:
    """Returns the equations of a prompt, as written.

    Raises:
        ValueError: the text is not a prompt; the message says what was expected where.
    """
    if not text.startswith(GIVEN):
        raise ValueError(f"a prompt begins with {GIVEN!r}")
    given, obtain, goal = text.removeprefix(GIVEN).partition(OBTAIN)
    if not obtain or OBTAIN in goal:
        raise ValueError(f"a prompt has {OBTAIN!r} once")
    premises, *derive = given.split(DERIVE)
    return Prompt(tuple(premises.split(SEPARATOR)), tuple(derive), goal)


def repeat_prompt(text: str) -> str:
    """The equations of a prompt in the form of an answer: premises, intermediate results and goal.

    Raises:
        ValueError: the text is not a prompt; the message says what was expected where.
    """
    parts = split_prompt(text)
    return SEPARATOR.join((*parts.premises, *parts.derive, parts.goal))


def few_shot_prompt(pairs: Sequence[Pair], query: str) -> str:
    """Writes worked examples and then the prompt to answer, in one message."""
    examples = "".join(_PROMPT + asked + _DERIVATION + answered + _END for asked, answered in pairs)
    return _HEADER + examples + _QUERY + _PROMPT + query


def parse_few_shot_prompt(text: str) -> tuple[list[Pair], str]:
    """Returns the worked examples and the query of a few-shot prompt.

    Raises:
        ValueError: the text has another form; the message says what was expected where.
    """
    if not text.startswith(_HEADER):
        raise ValueError("a few-shot prompt begins with its fixed first paragraph")
    examples, asked, query = text.removeprefix(_HEADER).partition(_QUERY + _PROMPT)
    if not asked:
        raise ValueError("a few-shot prompt ends with its fixed request and a prompt")
    pairs = []
    for number, example in enumerate(examples.split(_END)[:-1], start=1):
        question, derivation, answered = example.removeprefix(_PROMPT).partition(_DERIVATION)
        if not example.startswith(_PROMPT) or not derivation:
            raise ValueError(f"worked example {number}: expected {_PROMPT!r}, then {_DERIVATION.strip()!r}")
        pairs.append((question, answered))
    if few_shot_prompt(pairs, query) != text:
        raise ValueError("a few-shot prompt has nothing beside its examples and its query")
    return pairs, query
