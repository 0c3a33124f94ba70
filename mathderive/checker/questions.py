"""A prompt whose equations are read."""

from collections.abc import Sequence
from dataclasses import dataclass

from sympy import Derivative, Expr, Symbol

from mathderive.checker.equation import links
from mathderive.checker.inference.facts import Fact
from mathderive.checker.reading.equations import Reading
from mathderive.checker.reading.notation import Notation
from mathderive.records import Rules
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm


@dataclass(frozen=True)
class Question:
    """A prompt, with one reading of every premise.

    Attributes:
        prompt: the text.
        premises: the premises' readings; a premise that cannot be read has none.
        intermediates: the equations that are to be derived first.
        notation: reads the equations of an answer.
        rules: the steps that count as one.
    """

    prompt: str
    premises: Sequence[Reading]
    intermediates: Sequence[Reading]
    goal: Reading
    notation: Notation
    rules: Rules = "paper"

    @property
    def equations(self) -> tuple[Reading, ...]:
        """All equations of the prompt."""
        return (*self.premises, *self.intermediates, self.goal)


def facts_of(number: int, reading: Reading) -> list[Fact]:
    """The equations that the preferred reading of a text states; none for a text that cannot be read."""
    return links(number, reading.plausible[0]) if reading.chains else []


def closed_terms(readings: Sequence[Reading]) -> dict[OpaqueTerm, Expr]:
    """The terms of readings that stand for an expression."""
    return {term: body for reading in readings for term, body in reading.closed.items()}


def may_define(fact: Fact) -> bool:
    """Whether an equation such as `dv/dt = a` may define a name or say that a derivative is constant."""
    return any(isinstance(side, Symbol) and other.has(Derivative) for side, other in (fact.sides, fact.sides[::-1]))
