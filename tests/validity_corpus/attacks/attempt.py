"""Attempts to have the checker verify what does not follow, and the classes that they belong to."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from sympy import Equality, Symbol

from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import function
from mathderive.symbolic.prompts import SEPARATOR
from mathderive.symbolic.vocabulary import VOCABULARY
from tests.validity_corpus.corpus import Source, constants_of

GoalKind = Literal["true", "false", "absurd"]
"""A goal that is true but underived, a false one, and `1 = 0`."""


@dataclass(frozen=True)
class Attempt:
    """A prompt and a text that must not be verified; equations are LaTeX.

    Attributes:
        premises: the prompt's premises.
        goal: the prompt's goal.
        lines: the equations of the text.
        derive: the prompt's requested equations.
        honest: how many of the first lines an honest author could have written; what follows from them in one step is
            derived.
        constants: names of integration constants.
        witness: definitions that satisfy the premises, where the premises do not define everything themselves.
        units: names that stand for the imaginary unit or for pi.
        judged: numbers of the lines that the judge looks at; all, if none are given.
    """

    premises: tuple[str, ...]
    goal: str
    lines: tuple[str, ...]
    derive: tuple[str, ...] = ()
    honest: int = 0
    constants: frozenset[str] = frozenset()
    witness: tuple[str, ...] = ()
    units: frozenset[str] = frozenset()
    judged: tuple[int, ...] = ()

    @property
    def prompt(self) -> str:
        """The question, in the form of the paper."""
        clauses = "".join(f", then derive {equation}" for equation in self.derive)
        return f"Given {SEPARATOR.join(self.premises)}{clauses}, then obtain {self.goal}"

    @property
    def output(self) -> str:
        """The text, in the form of the paper."""
        return SEPARATOR.join(self.lines)


@dataclass(frozen=True)
class Setting:
    """A real derivation and a goal that an attack pretends to reach from its premises.

    Attributes:
        source: the derivation.
        premises: its premises.
        goal: the goal's sides, as LaTeX.
        goal_kind: whether the goal is true.
        rng: the attack's random numbers.
    """

    source: Source
    premises: tuple[Equality, ...]
    goal: tuple[str, str]
    goal_kind: GoalKind
    rng: random.Random = field(compare=False)

    @property
    def premise_texts(self) -> tuple[str, ...]:
        return tuple(latex(premise) for premise in self.premises)

    @property
    def goal_text(self) -> str:
        return f"{self.goal[0]} = {self.goal[1]}"

    @property
    def constants(self) -> frozenset[str]:
        return frozenset(constant.name for constant in constants_of(self.source.derivation))

    def premise_sides(self) -> tuple[str, str]:
        """The sides of one of the premises, as LaTeX."""
        premise = self.rng.choice(self.premises)
        return latex(premise.lhs), latex(premise.rhs)

    def symbol(self) -> Symbol:
        """A name of the premises."""
        names = sorted(set().union(*(premise.free_symbols for premise in self.premises)), key=str)
        return self.rng.choice(names)

    def variable(self) -> str:
        """A name of the premises, as LaTeX."""
        return latex(self.symbol())

    def fresh_names(self, count: int) -> list[str]:
        """Names that the derivation does not use."""
        text = " ".join([self.source.prompt, *map(latex, self.source.derivation.equations)])
        used = {name for name in VOCABULARY if name in text}
        free = [name for name in VOCABULARY if name not in used | AVOIDED and latex(Symbol(name)) == name]
        return self.rng.sample(free, count)

    def attempt(self, *lines: str) -> Attempt:
        """The premises, then the lines of an attack, then the goal."""
        return Attempt(
            premises=self.premise_texts,
            goal=self.goal_text,
            lines=(*self.premise_texts, *lines, self.goal_text),
            honest=len(self.premises),
            constants=self.constants,
        )


AVOIDED = frozenset(("i", "e", r"\pi", "d", "I", "E"))
"""Names that have another meaning as well."""

Attack = Callable[[Setting], Attempt | None]
"""Builds an attempt in a setting; None where it does not apply."""

ATTACKS: dict[str, list[Attack]] = {}
"""The attacks of each class, by the class's name."""


def attack(name: str) -> Callable[[Attack], Attack]:
    """Registers an attack in a class."""

    def register(build: Attack) -> Attack:
        ATTACKS.setdefault(name, []).append(build)
        return build

    return register


def applied(name: str, *arguments: str) -> str:
    """A function of names, as LaTeX."""
    return latex(function(name)(*(Symbol(argument) for argument in arguments)))
