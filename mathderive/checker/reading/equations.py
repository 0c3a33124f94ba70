"""Reading an equation: from text to the sides it can mean."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sympy import Derivative, Expr

from mathderive.checker.reading.notation import Notation
from mathderive.symbolic.latex.lexer import ACCENTS, ELEMENTARY, LETTERS
from mathderive.symbolic.latex.parser import LatexError, parse, readings

Chain = tuple[Expr, ...]
"""The sides of an equation `a = b`, or of a chain `a = b = c`."""

MAX_READINGS = 64
"""Maximum number of readings of one text; the preferred one is right for 99 % of the data."""

MAX_SIDES = 8
"""Maximum number of sides of a chain."""

_REMARK = re.compile(
    r"\s*\(\s*(?:(?:by|as|from|with|where)\s+[a-z]{3}|(?:using|since|because|substituting|integrating|differentiating)\s)"
    r".*\)\s*\Z",
    re.DOTALL,
)
_WORD = re.compile(r"(?<![A-Za-z{\\\\])(?<![{\\\\] )[A-Za-z]{5,}(?![A-Za-z])")
_PHRASE = re.compile(r"(?:\A|(?<=[.,:;] ))(?:Let|Now|So|Thus|Then|Since|By|We|The|If)(?=,?\s)")
_COMMANDS = (
    ACCENTS | LETTERS | ELEMENTARY.keys() | {"partial", "operatorname", "infty", "dfrac", "tfrac", "iiint", "times"}
)


@dataclass(frozen=True)
class Reading:
    """The readings of a text, the preferred one first.

    Attributes:
        text: the text as written.
        chains: the readings; empty where the text is no equation.
        fault: why there is no reading.
    """

    text: str
    chains: tuple[Chain, ...]
    fault: str = ""

    @property
    def plausible(self) -> list[Chain]:
        r"""The readings without unlikely ones, such as `\frac{d}{d x} a x` as the derivative of `a`, times `x`."""
        most = max(map(_derivatives_of_constants, self.chains[:1]), default=0)
        return [chain for chain in self.chains if _derivatives_of_constants(chain) <= most]


def read(text: str, notation: Notation) -> Reading:
    """Reads an equation, without a remark in brackets at its end.

    People's notation for the functions of the prompt is tried before the data's own notation.
    """
    mathematics = _REMARK.sub("", text)
    words = [word for word in _WORD.findall(mathematics) if word not in _COMMANDS]
    words += _PHRASE.findall(mathematics)
    if words:
        return Reading(text, (), f"words, not mathematics: {words[0][:20]}")
    chains: dict[Chain, None] = {}
    fault: LatexError | None = None
    rewritten = notation.rewritten(mathematics)
    for version in dict.fromkeys((rewritten, mathematics)):
        try:
            found = list(islice(_chains(version), MAX_READINGS))
            chains |= dict.fromkeys(found)
            if version == rewritten:
                chains |= dict.fromkeys(map(notation.applied, found))
        except LatexError as error:
            fault = fault or error
    if not chains:
        return Reading(text, (), str(fault))
    preferred = next(iter(chains))
    if len(preferred) < 2:
        return Reading(text, (), "no equation: there is no equals sign")
    if len(preferred) > MAX_SIDES:
        return Reading(text, (), f"more than {MAX_SIDES} sides")
    return Reading(text, tuple(chains))


def _derivatives_of_constants(chain: Chain) -> int:
    return sum(
        variable not in derivative.expr.free_symbols
        for side in chain
        for derivative in side.atoms(Derivative)
        for variable, _ in derivative.variable_count
    )


def _chains(text: str) -> Iterator[Chain]:
    preferred = parse(text)
    yield preferred
    for sides in readings(text):
        if sides != preferred:
            yield sides
