r"""Splits LaTeX as people write it into tokens: letters, numbers, commands and signs, without spacing.

Commands of fonts are resolved where they stand for a letter, a function or a differential: `\mathrm{d}`, `\mathrm{e}`,
`\operatorname{sin}`. The text between other braces of a font stays together as a name or a unit.
"""

import re
from typing import NamedTuple

from mathderive.symbolic.latex.lexer import ACCENTS, ELEMENTARY, LETTERS, LatexError

MAX_CHARACTERS = 2000
"""Maximum length of a text; `latex.tree` reads as many."""


class Token(NamedTuple):
    """A token; `kind` is `number`, `letter`, `font`, `function`, `d`, `text`, `command`, `sign` or `end`.

    Attributes:
        value: a letter, the digits, the command without its backslash, or the sign.
        start: the position in the text.
        inside: the text between the braces of a font or a text, without spaces.
    """

    kind: str
    value: str
    start: int
    inside: str = ""


FUNCTIONS = {
    **{name: name for name in ELEMENTARY},
    "arccot": "acot",
    "lg": "lg",
    "arsinh": "asinh",
    "arcosh": "acosh",
    "artanh": "atanh",
    "Re": "re",
    "Im": "im",
    "sgn": "sign",
    "Si": "Si",
    "Ci": "Ci",
    "abs": "Abs",
}
FUNCTIONS = {key: ELEMENTARY.get(value, value) for key, value in FUNCTIONS.items()}
"""SymPy's names of the functions, by the command that writes them; `lg` is the logarithm to the base 10."""

FONTS = ACCENTS | {"bm", "mathsf", "mathfrak", "mathscr", "mathtt", "breve", "check", "acute", "pmb", "Ddot", "dddot"}
"""Commands that form a name together with the letter after them."""

_TEXTS = frozenset(("text", "textrm", "mbox", "textit", "textbf", "textnormal", "rm", "unit", "si"))
_SPACING = frozenset(
    [
        "left",
        "right",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "Biggl",
        "Biggr",
        "limits",
        "nolimits",
        "quad",
        "qquad",
        "middle",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "mathstrut",
        "bigm",
        "nonumber",
        "mathopen",
        "mathclose",
        "mathbin",
        "mathrel",
        "strut",
    ]
)
_ALIASES = {
    "lbrace": "(",
    "rbrace": ")",
    "lbrack": "[",
    "rbrack": "]",
    "lvert": "|",
    "rvert": "|",
    "vert": "|",
    "mid": "|",
    "Vert": "||",
    "lVert": "||",
    "rVert": "||",
    "lt": "<",
    "gt": ">",
    "le": "leq",
    "ge": "geq",
    "ne": "neq",
    "centerdot": "cdot",
    "bullet": "cdot",
    "ldots": "dots",
    "cdots": "dots",
    "dotsb": "dots",
    "infin": "infty",
    "inf": "infty",
    "varphi": "varphi",
    "rightarrow": "to",
    "longrightarrow": "to",
    "dfrac": "frac",
    "tfrac": "frac",
    "cfrac": "frac",
    "sfrac": "frac",
    "dbinom": "binom",
    "tbinom": "binom",
    "leqslant": "leq",
    "geqslant": "geq",
    "commutator": "comm",
    "ev": "expval",
    "evaluated": "eval",
    "qty": "",
    "dd": "d",
    "dv": "dv",
    "pdv": "pdv",
    "grad": "grad",
    "dag": "dagger",
    "ip": "braket",
}
_UPRIGHT = {"d": "d", "e": "e", "i": "i", "D": "D", "\\partial": "d", "pi": "pi"}
_NUMBER = re.compile(
    r"\d{1,3}(?:(?:\{,\}|\\,)\d{3})+(?!\d)(?:\.\d+)?|(?P<thousands>\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?)|\d+(?:\.\d+)?|\.\d+"
)
_SPACE = re.compile(r"(?:[\s~$&]|\\[,;:!>]|\\ (?![A-Za-z])|\.\s*\Z|\\-)+")
_COMMAND = re.compile(r"\\\s*([A-Za-z]+)\*?")
_WORD = re.compile(r"[A-Za-z]+")
_WORDS = ELEMENTARY.keys() | LETTERS | {"frac", "sqrt", "int", "cdot", "partial", "infty"}
_SIGNS = frozenset("+-*/^_=!',;()[]{}|<>:")


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text; the last one has the kind `end`.

    Raises:
        LatexError: the text is too long, or holds a character or braces that mean nothing.
    """
    if len(text) > MAX_CHARACTERS:
        raise LatexError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read", MAX_CHARACTERS)
    found: list[Token] = []
    place = depth = 0
    while place < len(text):
        space = _SPACE.match(text, place)
        if space is not None:
            place = space.end()
            continue
        place, token = _next(text, place, depth)
        if token is not None:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.value, 0)
            found.append(token)
    return [*found, Token("end", "", len(text))]


def _next(text: str, place: int, depth: int) -> tuple[int, Token | None]:
    """The position after the next token, and the token; None for a command that only makes space."""
    character = text[place]
    command = _COMMAND.match(text, place)
    if command is not None:
        return _command(text, place, command[1], command.end(1))
    if character == "\\":
        following = text[place + 1 : place + 2]
        if following in ("{", "}", "|"):
            return place + 2, Token("sign", {"{": "(", "}": ")", "|": "||"}[following], place)
        raise LatexError("a backslash without a command", place)
    if character.isascii() and character.isalpha():
        word = _WORD.match(text, place)
        assert word is not None
        if len(word[0]) > 1 and word[0] in _WORDS:
            return _command(text, place, word[0], word.end())
        return place + 1, Token("letter", character, place)
    number = _NUMBER.match(text, place)
    if number is not None:
        digits = number[0]
        if number["thousands"] and depth > 0:
            digits = digits.partition(",")[0]  # the arguments of a function
        plain = digits.replace("{,}", "").replace("\\,", "").replace(",", "")
        return place + len(digits), Token("number", plain, place)
    if character == "−":
        character = "-"
    if character not in _SIGNS:
        raise LatexError(f"unexpected {character!r}", place)
    return place + 1, Token("sign", character, place)


def _command(text: str, start: int, name: str, end: int) -> tuple[int, Token | None]:
    if name in _SPACING:
        end += len(text[end:]) - len(text[end:].lstrip())
        return (end + 1 if text[end : end + 1] == "." and name in ("left", "right") else end), None
    name = _ALIASES.get(name, name)
    if not name:
        return end, None
    if not name[0].isalpha():
        return end, Token("sign", name, start)
    if name == "partial" or name == "d":
        return end, Token("d", name, start)
    if name in ("operatorname", "mathrm") or name in _TEXTS:
        return _upright(text, start, name, end)
    if name in FONTS:
        after, inside = group_at(text, end)
        return after, Token("font", {"Ddot": "ddot"}.get(name, name), start, inside)
    if name in FUNCTIONS:
        return end, Token("function", FUNCTIONS[name], start)
    if name in LETTERS and name != "nabla":
        return end, Token("letter", rf"\{name}", start)
    if name[:-1] in LETTERS and name[-1] == "d":
        return end - 1, Token("letter", rf"\{name[:-1]}", start)
    return end, Token("command", name, start)


def _upright(text: str, start: int, name: str, end: int) -> tuple[int, Token | None]:
    after, inside = group_at(text, end)
    if inside in _UPRIGHT and name != "text":
        letter = _UPRIGHT[inside]
        if letter == "d":
            return after, Token("d", "d", start)
        return after, Token("letter", rf"\{letter}" if len(letter) > 1 else letter, start)
    if inside == "d":
        return after, Token("d", "d", start)
    if inside in FUNCTIONS and inside not in ("e", "i"):
        return after, Token("function", FUNCTIONS[inside], start)
    if name == "operatorname":
        return after, Token("font", name, start, inside)
    return after, Token("text", "text", start, inside)


def group_at(text: str, place: int) -> tuple[int, str]:
    """The position after the group, letter or command at a place, and its text without spaces and outer braces."""
    while place < len(text) and text[place].isspace():
        place += 1
    if place >= len(text):
        raise LatexError("a command without its text", place)
    if text[place] != "{":
        command = _COMMAND.match(text, place)
        if command is not None and command[1] in FONTS:
            after, inside = group_at(text, command.end())
            return after, f"\\{command[1]}{{{inside}}}"
        end = command.end(1) if command else place + 1
        return end, "".join(text[place:end].split())
    depth = 0
    for end in range(place, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            inside = "".join(text[place + 1 : end].split())
            if not inside:
                raise LatexError("empty braces", place)
            return end + 1, inside
    raise LatexError("a brace that is not closed", place)
