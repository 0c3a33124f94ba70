"""The texts around a derivation: what a model is asked, what it should answer, and the few-shot form of both.

The forms are those of the released examples of Meadows et al. (2024), character by character.
"""

from collections.abc import Sequence
from typing import NamedTuple

from mathderive.symbolic.engine.derivation import PREMISES, SEPARATOR, Annotation, Derivation
from mathderive.symbolic.latex.printer import latex

_GIVEN, _DERIVE, _OBTAIN = "Given ", ", then derive ", ", then obtain "
_INTERMEDIATE = ("evaluate_derivatives", "evaluate_integrals")

_HEADER = (
    "The following examples consist of a prompt (denoted by Prompt:) and a mathematical derivation (denoted by "
    'Derivation:). Each derivation contains LaTeX equations separated by "and". \n\n'
)
_QUERY = "Now given the following prompt, generate the derivation. Ensure equations are split by the word 'and': \n\n"
_PROMPT, _DERIVATION, _END = "Prompt: ", "\n\nDerivation: ", "\n\n\n"

Pair = tuple[str, str]
"""A prompt and its derivation."""


class Prompt(NamedTuple):
    """A prompt's equations: the premises, those to derive on the way, and the goal."""

    premises: tuple[str, ...]
    derive: tuple[str, ...]
    goal: str


def prompt(derivation: Derivation, with_intermediate: bool = True) -> str:
    """What a model is asked: `Given P1 and P2, then derive X, then obtain G`.

    P are the premises of any kind, X the results of evaluated derivatives and integrals, G the last equation.

    Args:
        with_intermediate: false leaves the `then derive` clauses out, which makes the step-removal variant.
    """
    *before, last = derivation.steps
    premises = [latex(step.equation) for step in before if step.annotation in PREMISES]
    derive = [latex(step.equation) for step in before if with_intermediate and is_intermediate(step.annotation)]
    clauses = "".join(_DERIVE + equation for equation in derive)
    return _GIVEN + SEPARATOR.join(premises) + clauses + _OBTAIN + latex(last.equation)


def is_intermediate(annotation: Annotation) -> bool:
    """Whether the step gets a `then derive` clause of its own, unless it is the last."""
    return not isinstance(annotation, str) and annotation[0] in _INTERMEDIATE


def has_intermediate(derivation: Derivation) -> bool:
    """Whether the prompt has a `then derive` clause, so that there is one to remove."""
    return any(is_intermediate(step.annotation) for step in derivation.steps[:-1])


def target(derivation: Derivation) -> str:
    """The reference answer: every equation, in order."""
    return SEPARATOR.join(latex(step.equation) for step in derivation.steps)


def split_prompt(text: str) -> Prompt:
    """The equations of a prompt, as written.

    Raises:
        ValueError: the text is no prompt; says what was expected where.
    """
    if not text.startswith(_GIVEN):
        raise ValueError(f"a prompt begins with {_GIVEN!r}")
    given, obtain, goal = text.removeprefix(_GIVEN).partition(_OBTAIN)
    if not obtain or _OBTAIN in goal:
        raise ValueError(f"a prompt has {_OBTAIN!r} once")
    premises, *derive = given.split(_DERIVE)
    return Prompt(tuple(premises.split(SEPARATOR)), tuple(derive), goal)


def few_shot_prompt(pairs: Sequence[Pair], query: str) -> str:
    """Worked examples, then the prompt to answer, in one message."""
    examples = "".join(_PROMPT + asked + _DERIVATION + answered + _END for asked, answered in pairs)
    return _HEADER + examples + _QUERY + _PROMPT + query


def parse_few_shot_prompt(text: str) -> tuple[list[Pair], str]:
    """The worked examples and the query of `few_shot_prompt`.

    Raises:
        ValueError: the text has another form; says what was expected where.
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
