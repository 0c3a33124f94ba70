r"""Splits LaTeX text into tokens: finds the ends of names, the differentials and the omissions of models.

Spaces have no meaning, so T5's `\ frac { d } { d x }` and `\frac{d}{d x}` give the same tokens. A known command may
lack its backslash. Only names take a star, a prime, a dagger or a subscript; all of these become part of the name. The
letter `d` is always a differential, and `e` is always Euler's number unless it is part of a longer name.
"""

import re
from collections.abc import Iterator
from typing import Any

from lark import Token
from lark.lexer import Lexer

from mathderive.symbolic.srepr import FUNCTIONS


class LatexError(ValueError):
    """The text cannot be parsed.

    Attributes:
        position: the character, counted from 0, at which parsing fails; None where the fault is not at one place.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} at character {position}")
        self.position = position


_ACCENTS = "hat widehat dot ddot tilde widetilde bar vec overline mathbf mathbb mathcal mathrm mathit boldsymbol"
ACCENTS = frozenset(_ACCENTS.split(" "))
"""Commands that form a name together with the letter after them."""

_LETTERS = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi omicron pi varpi rho"
    " varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi"
    " Omega hbar ell nabla"
)
LETTERS = frozenset(_LETTERS.split(" "))
"""Commands that are names by themselves."""

_OTHER_NAMES = {"exp": "exp", "ln": "log", "arcsin": "asin", "arccos": "acos", "arctan": "atan"}
ELEMENTARY = {**{name: name for name in FUNCTIONS}, **_OTHER_NAMES}
"""SymPy's names of elementary functions, by command and by name inside `\\operatorname`."""

_KINDS = {
    **dict.fromkeys(("frac", "dfrac", "tfrac"), "_FRACTION"),
    **dict.fromkeys(("int", "iint", "iiint", "iiiint"), "INTEGRAL"),
    **dict.fromkeys(("cdot", "times", "ast"), "_TIMES"),
    "div": "_DIVIDE",
    "sqrt": "_ROOT",
    "partial": "_D",
    "infty": "CONSTANT",
}
_SIGNS = {
    "+": "_PLUS",
    "-": "_MINUS",
    "*": "_TIMES",
    "/": "_DIVIDE",
    "^": "_CARET",
    ",": "_COMMA",
    "=": "_EQUAL",
    "(": "_LPAREN",
    ")": "_RPAREN",
    "[": "_LPAREN",
    "]": "_RPAREN",
    "{": "_LBRACE",
    "}": "_RBRACE",
    "−": "_MINUS",
}
_SPACING = frozenset(("left", "right", "big", "Big", "bigg", "Bigg", "limits", "quad", "qquad", "displaystyle"))
_KNOWN = ACCENTS | LETTERS | _KINDS.keys() | ELEMENTARY.keys() | {"operatorname"}

_SPACE = re.compile(r"(?:[\s~$]|\\[,;:!]|\\ (?![A-Za-z])|\.\s*\Z)*")
_COMMAND = re.compile(r"\\\s*([A-Za-z]+)")
_WORD = re.compile(r"[A-Za-z]+")
_PART = re.compile(r"\\\s*[A-Za-z]+|[A-Za-z0-9]")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_DIFFERENTIAL_SIGN = r"(?:d|\\?\s*partial(?![A-Za-z]))"
_NUMERATOR = re.compile(rf"\{{\s*{_DIFFERENTIAL_SIGN}\s*(?P<order>\^\s*)?")
_DENOMINATOR = re.compile(rf"\}}\s*\{{\s*(?={_DIFFERENTIAL_SIGN})")
_SPECIAL = re.compile(r"\\\s*text\s*\{\s*NaN\s*\}|\\\s*tilde\s*\{\s*\\\s*infty\s*\}")


class LatexLexer(Lexer):
    """The lexer that lark asks for the tokens of a text."""

    def __init__(self, lexer_conf: Any) -> None:
        pass

    def lex(self, data: str) -> Iterator[Token]:  # type: ignore[override]  # lark's plain form, a text at a time
        yield from _Scanner(data).tokens()


def canonical_name(text: str) -> str | None:
    """The spelling in `NAME` tokens of a text that is a single name; None for any other text."""
    try:
        tokens = list(_Scanner(text).tokens())
    except LatexError:
        return None
    return tokens[0].value if [token.type for token in tokens] == ["NAME"] else None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.before = ""  # the kind of the previous token
        self.integrals: list[int] = []  # for each open integral, the number of differentials that are still missing
        self.braces: list[bool] = []  # for each open brace, whether it begins the denominator of d/dx

    def tokens(self) -> Iterator[Token]:
        self._skip_space()
        while self.position < len(self.text):
            start = self.position
            kind, value = self._next()
            if kind:
                kind = self._in_context(kind, value)
                self.before = kind
                yield Token(kind, value, start)
            self._skip_space()

    def _next(self) -> tuple[str, str]:
        """The kind and value of the next token; the kind is empty for a command that only makes space."""
        character = self.text[self.position]
        if character == "\\":
            special = _SPECIAL.match(self.text, self.position)
            if special:
                self.position = special.end()
                return "CONSTANT", "nan" if "NaN" in special[0] else "zoo"
            command = _COMMAND.match(self.text, self.position)
            if command:
                return self._command(command[1], command.end())
        if character.isascii() and character.isalpha():
            word = _WORD.match(self.text, self.position)
            if word and len(word[0]) > 1 and word[0] in _KNOWN:
                return self._command(word[0], word.end())  # a command without its backslash
            return self._letter(character)
        if character.isascii() and character.isdigit():
            return self._number()
        if character == "\\" and self.text[self.position + 1 : self.position + 2] in ("{", "}"):
            self.position += 2
            return ("_LPAREN" if self.text[self.position - 1] == "{" else "_RPAREN"), ""
        self.position += 1
        if character == "_":
            if self.before != "INTEGRAL":
                raise LatexError("a subscript of what is no name", self.position - 1)
            return "_UNDER", "_"
        if character not in _SIGNS:
            raise LatexError(f"unexpected {character!r}", self.position - 1)
        return _SIGNS[character], character

    def _command(self, name: str, end: int) -> tuple[str, str]:
        start, self.position = self.position, end
        if name in _SPACING:
            return "", ""
        if name in _KINDS:
            return _KINDS[name], "oo" if name == "infty" else name
        if name == "operatorname":
            inside = self._group("operatorname")
            if inside in ELEMENTARY:
                return "FUNCTION", ELEMENTARY[inside]
            return "NAME", canonical_name(inside) or inside
        if name in ELEMENTARY:
            return "FUNCTION", ELEMENTARY[name]
        if name in ACCENTS:
            return "NAME", self._with_scripts(rf"\{name}{{{self._part(name)}}}")
        if name in LETTERS:
            return "NAME", self._with_scripts(rf"\{name}")
        if name == "e":
            return "CONSTANT", "E"
        if name.endswith("d") and name[:-1] in LETTERS:
            self.position = end - 1  # SymPy prints no space before the second differential of d x d y
            return "NAME", rf"\{name[:-1]}"
        raise LatexError(rf"unknown command \{name}", start)

    def _letter(self, letter: str) -> tuple[str, str]:
        self.position += 1
        if letter == "d":
            return "_D", letter
        name = self._with_scripts(letter)
        return ("CONSTANT", "E") if name == "e" else ("NAME", name)

    def _number(self) -> tuple[str, str]:
        number = _NUMBER.match(self.text, self.position)
        assert number is not None
        # As in LaTeX, an exponent without braces is one digit.
        value = number[0][0] if self.before == "_CARET" else number[0]
        self.position += len(value)
        return "NUMBER", value

    def _in_context(self, kind: str, value: str) -> str:
        """The kind of a token in its context."""
        if kind == "_FRACTION":
            variables = self._after_derivative_sign()
            if variables is not None:
                self.position = variables
                self.braces.append(True)
                return "_DERIVATIVE"
        elif kind == "INTEGRAL":
            self.integrals.append(value.count("i"))
        elif kind == "_D" and self.integrals and self.before != "_LBRACE" and not any(self.braces):
            self.integrals[-1] -= 1
            if not self.integrals[-1]:
                self.integrals.pop()
                return "_LAST_D"
        elif kind == "_RBRACE" and self.braces:
            self.braces.pop()
        elif kind == "_LBRACE":
            self.braces.append(False)
            return "_LGROUP" if self.before in _OPENING else kind
        elif value == "[" and self.before == "_ROOT":
            return "_LBRACKET"
        return kind

    def _after_derivative_sign(self) -> int | None:
        r"""The place where the variables begin in `{d}{d x}` or `{\partial^{2}}{\partial x^{2}}`; None elsewhere.

        The order in the numerator is skipped, because the denominator repeats it.
        """
        numerator = _NUMERATOR.match(self.text, self._after_space())
        if not numerator:
            return None
        end = numerator.end()
        if numerator["order"]:
            end = self._after_balanced(end) if self.text[end : end + 1] == "{" else end + 1
        denominator = _DENOMINATOR.match(self.text, self._after_space(end))
        return denominator.end() if denominator else None

    def _after_balanced(self, start: int) -> int:
        """The place after the brace that closes the one at `start`, or the end of the text."""
        depth = 0
        for place in range(start, len(self.text)):
            depth += {"{": 1, "}": -1}.get(self.text[place], 0)
            if depth == 0:
                return place + 1
        return len(self.text)

    def _with_scripts(self, base: str) -> str:
        """A name with its scripts: the superscript first, and braces only around more than one character."""
        scripts = {"^": "", "_": ""}
        while True:
            here = self._after_space()
            sign = self.text[here : here + 1]
            if sign == "'":
                self.position, sign, script = here + 1, "^", r"\prime"
            elif sign == "_":
                self.position = here + 1
                script = self._part("a subscript")
            elif sign == "^":
                mark = _MARK.match(self.text, here)
                if not mark:
                    break
                self.position, script = mark.end(), _mark_name(mark[0])
            else:
                break
            if scripts[sign]:
                raise LatexError("a second script of a name", here)
            scripts[sign] = script
        return base + "".join(sign + _braced(script) for sign, script in scripts.items() if script)

    def _part(self, what: str) -> str:
        """A letter, digit, command or braced group, without spaces."""
        start = self._after_space()
        if self.text[start : start + 1] == "{":
            return self._group(what)
        part = _PART.match(self.text, start)
        if not part:
            raise LatexError(f"{what} of nothing", start)
        self.position = part.end()
        return re.sub(r"\s", "", part[0])

    def _group(self, what: str) -> str:
        """The text between braces, without spaces."""
        start = self._after_space()
        group = _GROUP.match(self.text, start)
        if not group:
            raise LatexError(f"expected a name in braces after {what}", start)
        self.position = group.end()
        inside = re.sub(r"\s", "", group[0])[1:-1]
        if not inside:
            raise LatexError(f"{what} of nothing", start)
        return inside

    def _skip_space(self) -> None:
        self.position = self._after_space()

    def _after_space(self, start: int | None = None) -> int:
        space = _SPACE.match(self.text, self.position if start is None else start)
        assert space is not None  # the match may be empty
        return space.end()


_OPENING = ("", "_PLUS", "_MINUS", "_TIMES", "_DIVIDE", "_EQUAL", "_LPAREN", "_LGROUP", "_COMMA", "_LBRACE", "INTEGRAL")
"""Kinds of tokens before a brace that only groups."""

_INSIDE = r"[A-Za-z0-9\\^_*'\s]"
_GROUP = re.compile(rf"\{{{_INSIDE}*(?:\{{{_INSIDE}*(?:\{{{_INSIDE}*\}}{_INSIDE}*)*\}}{_INSIDE}*)*\}}")
"""A braced group of the characters of names, nested up to three deep, such as `{V_{\\mathbf{E}}}`."""

_MARK = re.compile(r"\^\s*(?:\*|\\\s*(?:prime|dagger)(?=d?(?![A-Za-z]))|\{\s*(?:\*|\\?\s*(?:prime|dagger))\s*\})")


def _mark_name(text: str) -> str:
    return "*" if "*" in text else r"\prime" if "prime" in text else r"\dagger"


def _braced(script: str) -> str:
    return script if len(script) == 1 else f"{{{script}}}"
