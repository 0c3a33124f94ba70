"""The equations of a text, read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from sympy import Expr

from mathderive.symbolic.parser import LatexError, parse, readings
from mathderive.symbolic.tokens import ACCENTS, ELEMENTARY, LETTERS

Chain = tuple[Expr, ...]
"""The sides of `a = b = c`, two of them as a rule."""

MAX_READINGS = 64
"""Of one text; the preferred one is right for 99 % of the data."""

MAX_SIDES = 8

_BREAK = re.compile(r"\s+and\s+|\s*\n\s*(?:and\s+)?")
_REMARK = re.compile(r"\s*\(\s*(?:by|using|since|because|as|where|from|substituting|with)\s+[a-z].*\)\s*\Z", re.DOTALL)
_WORD = re.compile(r"(?<![A-Za-z{\\\\])(?<![{\\\\] )[A-Za-z]{5,}(?![A-Za-z])")
_COMMANDS = ACCENTS | LETTERS | ELEMENTARY.keys() | {"partial", "operatorname", "infty", "dfrac", "tfrac", "iiint", "times"}


@dataclass(frozen=True)
class Reading:
    """A text and what it can be read as, the preferred reading first; none, and why, where it is no equation."""

    text: str
    chains: tuple[Chain, ...]
    fault: str = ""


def split_output(output: str) -> list[str]:
    """The equations of an output, as written: between ` and `s and ends of lines."""
    return [part.strip() for part in _BREAK.split(output.strip()) if part.strip()]


def read(text: str) -> Reading:
    """Reads an equation; a remark in brackets at its end is no part of it."""
    mathematics = _REMARK.sub("", text)
    words = [word for word in _WORD.findall(mathematics) if word not in _COMMANDS]
    if words:
        return Reading(text, (), f"words, not mathematics: {words[0][:20]}")
    try:
        chains = tuple(islice(_chains(mathematics), MAX_READINGS))
    except LatexError as error:
        return Reading(text, (), str(error))
    if len(chains[0]) < 2:
        return Reading(text, (), "no equation: there is no equals sign")
    if len(chains[0]) > MAX_SIDES:
        return Reading(text, (), f"more than {MAX_SIDES} sides")
    return Reading(text, chains)


def _chains(text: str) -> Iterator[Chain]:
    preferred = parse(text)
    yield preferred
    for sides in readings(text):
        if sides != preferred:
            yield sides
