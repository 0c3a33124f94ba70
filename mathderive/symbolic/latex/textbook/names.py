"""The names of a derivation: which are functions, variables, operators or constants, as its prompt shows."""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from mathderive.symbolic.latex.lexer import canonical_name
from mathderive.symbolic.latex.textbook.nodes import Node

_FONT_OF_SCRIPT = re.compile(r"\\(?:text|mathrm|textrm|rm|mathit|operatorname|mbox)(?:\{([^{}]*)\}|(?=[A-Za-z]))")


@dataclass(frozen=True)
class Names:
    """The roles of the names of a derivation, by their spellings.

    Attributes:
        functions: names that are applied to arguments, with the arguments of their first application.
        implicit: names that stand for functions of the variables they are differentiated by.
        alone: names that stand without arguments somewhere.
        defined: names that a premise gives by an expression.
        variables: names that are integrated, summed or differentiated by.
        primed: primed names that are names, not derivatives.
        operators: names that do not commute.
        opaque: names that an equation ties to terms that cannot be evaluated.
        bodies: functions that a premise defines, with their parameters and what they are.
        has_vectors: whether bold letters and letters with arrows are vectors.
        e_is_name: whether `e` is a name, not Euler's number.
    """

    functions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    implicit: dict[str, tuple[str, ...]] = field(default_factory=dict)
    alone: frozenset[str] = frozenset()
    defined: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    primed: frozenset[str] = frozenset()
    operators: frozenset[str] = frozenset()
    opaque: frozenset[str] = frozenset()
    bodies: dict[str, tuple[tuple[str, ...], Node]] = field(default_factory=dict)
    has_vectors: bool = False
    e_is_name: bool = False


@dataclass
class Uses:
    """How a text uses its names; the grammar notes it while it reads.

    Attributes:
        applied: names before arguments, with the spellings of the arguments that are names.
        by: pairs of a bare name and a variable that it is differentiated by.
        primes: bare names with primes or dots, with the variable.
        summed: variables of integrals and sums.
        differentiated_by: variables of derivatives.
        alone, primed, operators: as in `Names`.
        marks: notations that the text uses: `vector`, `quantum`, `dagger`, `e^`, `unknown`.
    """

    applied: dict[str, tuple[str, ...]] = field(default_factory=dict)
    by: list[tuple[str, str]] = field(default_factory=list)
    primes: list[tuple[str, str]] = field(default_factory=list)
    alone: set[str] = field(default_factory=set)
    summed: set[str] = field(default_factory=set)
    differentiated_by: set[str] = field(default_factory=set)
    primed: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    marks: set[str] = field(default_factory=set)


class Parsed(NamedTuple):
    """The sides of a text, the relations between them, and what the parser noted."""

    sides: tuple[Node, ...]
    relations: tuple[str, ...]
    uses: Uses
    ambiguous: frozenset[str]


def script_text(inside: str) -> str:
    r"""A script as it is compared: `\text{max}`, `\mathrm{max}` and `max` are the same."""
    return _FONT_OF_SCRIPT.sub(lambda match: match[1] or "", inside)


def spelled(base: str, mark: str, script: str) -> str:
    """The spelling of a name with a mark above and a script below, as in the data's own grammar."""
    whole = base
    if mark:
        whole += f"^{_braced(mark)}"
    if script:
        whole += f"_{_braced(script)}"
    return canonical_name(whole) or whole


def _braced(script: str) -> str:
    return script if len(script) == 1 else f"{{{script}}}"
