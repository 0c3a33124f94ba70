"""A prompt and an answer as equations, so that they can be compared with others up to renaming."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sympy import Equality

from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.equations import read
from mathderive.checker.reading.notation import notation_of
from mathderive.records import Example
from mathderive.symbolic.engine.canonical import canonical_text
from mathderive.symbolic.names import names_of
from mathderive.symbolic.prompts import split_prompt


@dataclass(frozen=True)
class ReadAnswer:
    """The equations of a prompt and of an answer to it, each in the order of its text."""

    asked: Sequence[Equality]
    answered: Sequence[Equality]

    @property
    def hashes(self) -> tuple[str, str]:
        """The canonical hashes of the prompt and of the answer; equal ones are equal up to renaming."""
        return _hash(self.asked), _hash(self.answered)

    @property
    def joint_hash(self) -> str:
        """The canonical hash of prompt and answer together, under one renaming."""
        return _hash([*self.asked, *self.answered])

    @property
    def names(self) -> frozenset[str]:
        """The names of all symbols and functions."""
        return frozenset().union(*map(names_of, (*self.asked, *self.answered)))


def read_answer(prompt: str, answer: str) -> ReadAnswer | None:
    """Reads a prompt and an answer; None where one of them has a part that is no equation of two sides.

    Raises:
        ValueError: the prompt has another form than `split_prompt` expects.
    """
    parts = split_prompt(prompt)
    notation = notation_of(parts.premises, (*parts.derive, parts.goal))

    def equations(texts: Iterable[str]) -> list[Equality] | None:
        sides = [chains[0] if (chains := read(text, notation).chains) else () for text in texts]
        if any(len(chain) != 2 for chain in sides):
            return None
        return [Equality(*chain, evaluate=False) for chain in sides]

    asked = equations(map(notation.rewritten, (*parts.premises, *parts.derive, parts.goal)))
    answered = equations(split_answer(answer))
    return ReadAnswer(asked, answered) if asked and answered else None


def held_out_hashes(examples: Iterable[Example]) -> set[str]:
    """The canonical hashes of the questions and of the derivations of examples that no training may see.

    An example that cannot be read has none. An answer that is equal to it cannot be read either, so it is never kept.
    """
    found = (read_answer(example.prompt, example.target) for example in examples)
    return {one for answer in found if answer is not None for one in answer.hashes}


def _hash(equations: Sequence[Equality]) -> str:
    return hashlib.sha256(canonical_text(equations).encode()).hexdigest()
