"""Reading an equation: from text to the sides it can mean."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from sympy import Derivative, Expr

from mathderive.checker.reading.notation import Notation, parsed
from mathderive.checker.reading.textbook import read_textbook
from mathderive.checker.reading.words import REMARK_BEGINNING, SUPPOSED
from mathderive.symbolic.latex.lexer import ACCENTS, ELEMENTARY, LETTERS
from mathderive.symbolic.latex.parser import LatexError, readings
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.latex.textbook.opaque import OpaqueTerm
from mathderive.symbolic.parts import atoms_of

Chain = tuple[Expr, ...]
"""The sides of an equation `a = b`, or of a chain `a = b = c`."""

MAX_READINGS = 64
"""Maximum number of readings of one text; the preferred one is right for 99 % of the data."""

MAX_SIDES = 8
"""Maximum number of sides of a chain."""

MAX_PRINTED = 8
"""Maximum number of readings that are printed to be compared with the text."""

NO_CLAIM = "it supposes something or names it, so it cannot be wrong"

_BLANK = re.compile(r"[\s$~]|\.\s*\Z")
MAX_CHARACTERS = 10_000
"""Maximum number of characters of a text that is looked at, with a remark; `latex.tree` reads fewer."""

_WORD = re.compile(r"(?<![A-Za-z{\\\\])(?<![{\\\\] )[A-Za-z]{5,}(?![A-Za-z])")
_PEOPLE = re.compile(
    r"\\(?:mathrm|textrm|text)\s*\{\s*(?:d|e|i|sin|cos|tan|ln|log|exp|sinh|cosh)\s*\}"
    r"|/\s*(?:[A-Za-z]|\\[A-Za-z]+|\d+)\s*(?=[A-Za-z\\({])"
)
"""Notation that the data's grammar would take for something else."""

_SHORT_WORD = re.compile(
    r"(?<![A-Za-z\\{_^])(?:and|are|but|by|for|from|if|is|not|of|so|that|the|then|this|to|we|with)(?![A-Za-z}])"
)
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
        unlikely: further readings, which the data would print in another way.
        doubt: why a refutation of the readings does not make the text incorrect; empty where it does.
        closed: terms of the readings that stand for an expression, such as a sum for its closed form.
        has_infinity: whether an infinity is a part of a formula; None where the text has to be asked.
    """

    text: str
    chains: tuple[Chain, ...]
    fault: str = ""
    unlikely: tuple[Chain, ...] = ()
    doubt: str = ""
    closed: Mapping[OpaqueTerm, Expr] = field(default_factory=dict)
    has_infinity: bool | None = None

    @property
    def plausible(self) -> list[Chain]:
        r"""The readings without unlikely ones, such as `\frac{d}{d x} a x` as the derivative of `a`, times `x`."""
        if len(self.chains) < 2:
            return list(self.chains)
        most = _derivatives_of_constants(self.chains[0])
        return [chain for chain in self.chains if _derivatives_of_constants(chain) <= most]


def read(text: str, notation: Notation) -> Reading:
    """Reads an equation, without a remark in brackets at its end.

    Where the prompt is written as the data would print it, people's notation is tried only after the data's own.
    """
    if len(text) > MAX_CHARACTERS:
        return Reading(text, (), f"{len(text)} characters; at most {MAX_CHARACTERS} are looked at")
    mathematics = _without_remark(text)
    supposed = SUPPOSED.match(mathematics)
    if supposed is not None:
        mathematics = mathematics[supposed.end() :]
    words = [word for word in _WORD.findall(mathematics) if word not in _COMMANDS]
    words += _PHRASE.findall(mathematics)
    if words:
        return Reading(text, (), f"words, not mathematics: {words[0][:20]}")
    doubt = "" if supposed is None else NO_CLAIM
    if not notation.is_printed or _PEOPLE.search(mathematics):
        found = _in_textbook_notation(text, mathematics, notation, doubt)
        if found is not None and found.chains:
            return found
    reading = _in_notation_of_data(text, mathematics, notation, doubt)
    if reading.chains or not notation.is_printed:
        return reading
    return _in_textbook_notation(text, mathematics, notation, doubt) or reading


def _in_textbook_notation(text: str, mathematics: str, notation: Notation, doubt: str) -> Reading | None:
    """The reading in people's notation; None where there is none."""
    if _SHORT_WORD.search(mathematics) is not None:
        return None  # its letters would be read as factors
    try:
        found = read_textbook(mathematics, notation.key)
    except LatexError:
        return None
    meant = notation.consistent(found.chains)
    if not meant or not 2 <= len(meant[0]) <= MAX_SIDES:
        return None
    unlikely = tuple(notation.consistent(found.unlikely))
    return Reading(text, tuple(meant), "", unlikely, doubt or found.doubt, found.closed, found.has_infinity)


def _in_notation_of_data(text: str, mathematics: str, notation: Notation, doubt: str) -> Reading:
    """The reading in the data's own notation, and in people's notation for the functions of the prompt."""
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
    meant = notation.consistent(chains)
    if not meant:
        return Reading(text, (), "a constant of the derivation is used as a name")
    preferred = meant[0]
    if len(preferred) < 2:
        return Reading(text, (), "no equation: there is no equals sign")
    if len(preferred) > MAX_SIDES:
        return Reading(text, (), f"more than {MAX_SIDES} sides")
    likely = _as_printed(mathematics, tuple(meant), notation)
    whole = Reading(text, tuple(meant))
    unlikely = tuple(chain for chain in whole.plausible if chain not in likely)
    return Reading(text, likely, unlikely=unlikely, doubt=doubt)


def _without_remark(text: str) -> str:
    """The text without the remark in brackets at its end, if it has one."""
    whole = text.rstrip()
    remark = REMARK_BEGINNING.search(whole) if whole.endswith(")") else None
    return text if remark is None else whole[: remark.start()].rstrip()


def _as_printed(text: str, chains: tuple[Chain, ...], notation: Notation) -> tuple[Chain, ...]:
    """The readings whose sides are printed as they are written, if there are any; others are then not meant.

    Where no reading of a side with a derivative is printed so, the preferred one is meant.
    """
    if len(chains) == 1:
        return chains
    written = _BLANK.sub("", text).split("=")
    for place, part in enumerate(written):
        sides = dict.fromkeys(chain[place] for chain in chains if len(chain) == len(written))
        if 1 < len(sides) <= MAX_PRINTED:
            meant = [side for side in sides if _BLANK.sub("", latex(side)) == part]
            preferred = next(iter(sides))
            if not meant and preferred.has(Derivative):
                # The data writes a factor before a derivative, so what stands after it is differentiated.
                meant = [preferred, *notation.applied((preferred,))]
            chains = tuple(chain for chain in chains if len(chain) == len(written) and chain[place] in meant) or chains
    return chains


def _derivatives_of_constants(chain: Chain) -> int:
    return sum(
        variable not in derivative.expr.free_symbols
        for side in chain
        for derivative in atoms_of(side, Derivative)
        for variable, _ in derivative.variable_count
    )


def _chains(text: str) -> Iterator[Chain]:
    preferred = parsed(text)
    yield preferred
    for sides in readings(text):
        if sides != preferred:
            yield sides
