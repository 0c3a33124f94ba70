r"""Reads people's notation for functions: `f(x)`, `f'(x)` and a bare `f`, where the data writes `f{(x)}`.

The data's notation distinguishes a function from a factor, and reads `f(x)` as a product. A premise `f(x) = ...`
defines a function, so `f(x)` is read as that function in the whole derivation.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.reading.textbook import NamesKey, names_in_prompt, read_textbook
from mathderive.symbolic.latex.lexer import LETTERS
from mathderive.symbolic.latex.parser import LatexError, parse, prints_as
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.names import PRINTED_LIKE_NAMES, name_of
from mathderive.symbolic.parts import atoms_of

_NAME = r"(?:\\(?:" + "|".join(sorted(LETTERS)) + r")(?![A-Za-z])|[A-Za-z])(?:_(?:\{[^{}]*\}|[A-Za-z0-9]))?"
_ARGUMENTS = rf"\(\s*(?P<arguments>{_NAME}(?:\s*,\s*{_NAME})*)\s*(?:\\right\s*)?\)"
_HEAD = rf"\s*(?P<name>{_NAME})\s*(?P<brace>\{{\s*)?(?:\\left\s*)?{_ARGUMENTS}\s*(?(brace)\}}\s*)"
_DEFINITION = re.compile(rf"(?:\A{_HEAD}=)")
_MIRRORED = re.compile(rf"(?:=(?P<only>{_HEAD})\Z)")


CONSTANT_OR_NAME = tuple(map(Symbol, PRINTED_LIKE_NAMES))
"""Symbols that are constants in a derivation if its premises use them, but not as variables."""


MAX_REWRITTEN = 10_000
"""Maximum number of characters of a text that is rewritten."""

MAX_REMEMBERED = 500
"""Maximum number of texts whose preferred readings are remembered."""


@dataclass(frozen=True)
class Notation:
    r"""The functions that premises define.

    Attributes:
        heads: the functions' names as written before an argument list, with the arguments of their definitions.
        applications: for each bare name, the application that it stands for.
        constants: those of `i` and `\pi` that are constants, not names, in the whole derivation.
        unsettled: those of which the prompt does not tell whether they are constants or names.
        may_have_unit: whether the name `i` may be meant as the imaginary unit.
        is_printed: whether the prompt is written as the data would print it.
        texts: the premises and the other equations of the prompt.
        opaque: names that earlier equations tie to terms that cannot be evaluated.
    """

    heads: dict[str, str]
    applications: dict[Symbol, AppliedUndef]
    constants: frozenset[Symbol] = frozenset()
    unsettled: frozenset[Symbol] = frozenset()
    may_have_unit: bool = True
    is_printed: bool = True
    texts: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    opaque: frozenset[str] = frozenset()

    @property
    def key(self) -> NamesKey:
        """The roles of the prompt's names in people's notation."""
        return _key(self.texts, self.opaque)

    def with_opaque_names(self, names: Iterable[str]) -> "Notation":
        """The same notation where further names are tied to terms that cannot be evaluated."""
        return replace(self, opaque=self.opaque | frozenset(names))

    @property
    def with_constants(self) -> "Notation":
        r"""The same notation where unsettled symbols are constants; elsewhere they are names."""
        return replace(self, constants=self.constants | self.unsettled, unsettled=frozenset())

    def sides(self, text: str) -> tuple[Expr, ...]:
        """The preferred reading of a text of the prompt.

        Raises:
            LatexError: the text has none.
        """
        if self.is_printed:
            return parsed(self.rewritten(text))
        try:
            return read_textbook(text, self.key).chains[0]
        except LatexError:
            return parsed(self.rewritten(text))

    def rewritten(self, text: str) -> str:
        """Rewrites a text in the data's notation; one that is too long to be read stays as it is."""
        if len(text) > MAX_REWRITTEN:
            return text
        for head, arguments in self.heads.items():
            text = _with_applications(text, head, arguments)
        return text

    def consistent(self, readings: Iterable[tuple[Expr, ...]]) -> list[tuple[Expr, ...]]:
        r"""The readings that take `i` and `\pi` for what they are in the whole derivation."""
        kept = list(readings)
        for symbol in CONSTANT_OR_NAME:
            using = [sides for sides in kept if any(side.has(symbol) for side in sides)]
            kept = [sides for sides in kept if sides not in using] if symbol in self.constants else using or kept
        return kept

    def applied(self, sides: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Replaces bare names of functions by their applications."""
        present = {symbol for side in sides for symbol in atoms_of(side, Symbol)} & self.applications.keys()
        if not present:
            return sides
        return tuple(side.xreplace({symbol: self.applications[symbol] for symbol in present}) for side in sides)


@lru_cache(maxsize=64)
def _key(texts: tuple[tuple[str, ...], tuple[str, ...]], opaque: frozenset[str]) -> NamesKey:
    names = names_in_prompt(*texts)
    return NamesKey(replace(names, opaque=names.opaque | opaque) if opaque else names)


def is_as_printed(text: str) -> bool:
    """Whether a text is written as the data would print it."""
    try:
        return prints_as(parsed(text), text)
    except LatexError:
        return False


def _has_plain_application(equations: Sequence[str], head: str) -> bool:
    """Whether a function is also applied as in `f(x)`; in the data, `f (x + 1)` is a product even beside `f{(x)}`."""
    return any(_application(head).search(text) for text in equations) and not all(map(is_as_printed, equations))


def _is_readable(text: str) -> bool:
    try:
        return bool(parsed(text))
    except LatexError:
        return False


@lru_cache(maxsize=MAX_REMEMBERED)
def parsed(text: str) -> tuple[Expr, ...]:
    """The preferred reading of a text.

    Raises:
        LatexError: the text is no equation.
    """
    return parse(text)


def notation_of(premises: Sequence[str], others: Sequence[str]) -> Notation:
    """Finds how the equations of a prompt write functions.

    Args:
        premises: equations that may define functions.
        others: the prompt's other equations.
    """
    equations = (*premises, *others)
    is_printed = (
        all(map(_is_readable, equations))
        if any("{(" in text for text in equations)
        else all(map(is_as_printed, equations))
    )
    heads: dict[str, str] = {}
    for text in premises:
        match = (_DEFINITION.search(text) or _MIRRORED.search(text)) if len(text) <= MAX_REWRITTEN else None
        if match and (not match["brace"] or _has_plain_application(equations, match["name"])):
            heads.setdefault(match["name"], match["arguments"])
    first = Notation(heads, {}, is_printed=is_printed, texts=(tuple(premises), tuple(others)))
    applications: dict[str, set[AppliedUndef]] = {}
    symbols: set[Symbol] = set()
    for text in (*premises, *others):
        try:
            sides = first.sides(text)
        except LatexError:
            continue
        for side in sides:
            symbols |= atoms_of(side, Symbol)
            for application in atoms_of(side, AppliedUndef):
                applications.setdefault(str(name_of(application)), set()).add(application)
    variables, in_premises = _variables(premises, others, first)
    constants = frozenset(symbol for symbol in CONSTANT_OR_NAME if symbol in in_premises - variables)
    unsettled = frozenset(symbol for symbol in CONSTANT_OR_NAME if symbol not in in_premises | variables)
    bare: dict[Symbol, AppliedUndef] = {}
    for name, found in applications.items():
        symbol = Symbol(name)
        if symbol not in symbols and len(found) == 1:
            bare[symbol] = application = next(iter(found))
            arguments = ",".join(map(latex, application.args))
            for head in (latex(symbol), latex(application).removesuffix(f"{{({arguments})}}")):
                heads.setdefault(head, arguments)
    if not is_printed:
        # People write these letters for the constants, unless they are variables.
        constants, unsettled = constants | unsettled, frozenset()
    return replace(
        first,
        applications=bare,
        constants=constants,
        unsettled=unsettled,
        may_have_unit=CONSTANT_OR_NAME[0] not in variables,
    )


def _variables(premises: Sequence[str], others: Sequence[str], notation: Notation) -> tuple[set[Basic], set[Basic]]:
    """The variables of functions, derivatives and integrals in the prompt, and all symbols of the premises."""
    variables: set[Basic] = set()
    in_premises: set[Basic] = set()
    for number, text in enumerate((*premises, *others)):
        try:
            sides = notation.sides(text)
        except LatexError:
            continue
        for side in sides:
            if number < len(premises):
                in_premises |= atoms_of(side, Symbol)
            for part in atoms_of(side, AppliedUndef, Derivative, Integral):
                if isinstance(part, AppliedUndef):
                    variables |= set(part.args)
                else:
                    limits = part.limits if isinstance(part, Integral) else part.variable_count
                    variables |= {limit[0] for limit in limits}
    return variables, in_premises


def _application(head: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![A-Za-z\\_^]){re.escape(head)}\s*(?:(?P<primes>'+)\s*)?(?:\\left\s*)?\(")


def _with_applications(text: str, head: str, arguments: str) -> str:
    """Rewrites `head(...)` as an application, and `head'(...)` as a derivative of one."""
    pattern = _application(head)
    place = 0
    while (match := pattern.search(text, place)) is not None:
        end = _closing(text, match.end() - 1)
        if end is None:
            break
        inside = re.sub(r"\\right\s*\Z", "", text[match.end() : end])
        written = f"{head}{{({inside})}}"
        order = len(match["primes"] or "")
        if order and "," not in arguments and inside.strip() == arguments.strip():
            power = f"^{{{order}}}" if order > 1 else ""
            written = rf"(\frac{{d{power}}}{{d {arguments}{power}}} {written})"
        elif order:
            written = text[match.start() : end + 1]
        text = text[: match.start()] + written + text[end + 1 :]
        place = match.start() + len(written)
    return text


def _closing(text: str, start: int) -> int | None:
    """The position at which the parenthesis at `start` is closed."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    return None
