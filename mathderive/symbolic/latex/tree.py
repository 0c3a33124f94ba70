r"""The syntax tree of a LaTeX text by the rules of `grammar.lark`, without SymPy."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import lark

from mathderive.symbolic.latex.lexer import LatexError, LatexLexer

MAX_CHARACTERS = 2000
"""Maximum length of a text; the longest equation of the released examples has 263 characters."""

MAX_DEPTH = 100
"""Maximum depth of a tree, which is reached by about thirty nested brackets."""

MAX_REMEMBERED = 200
"""Maximum number of texts whose trees are remembered."""

MAX_DIGITS = 100
"""Maximum number of digits of a number."""


@lru_cache(maxsize=MAX_REMEMBERED)
def parse_tree(text: str) -> "tuple[Node, ...]":
    """Parses the sides of a chain of equations into trees.

    Raises:
        LatexError: the text is too long, too deep or outside the grammar.
    """
    if len(text) > MAX_CHARACTERS:
        raise LatexError(f"{len(text)} characters; at most {MAX_CHARACTERS} are read", MAX_CHARACTERS)
    try:
        return _parser().parse(text)  # type: ignore[return-value]
    except lark.UnexpectedToken as error:
        if error.token.type == "$END":
            raise LatexError("the text ends too early", len(text)) from None
        raise LatexError(f"unexpected {str(error.token)!r}", error.token.start_pos or 0) from None


@lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    grammar = files(__package__).joinpath("grammar.lark").read_text(encoding="utf-8")
    return lark.Lark(grammar, parser="lalr", lexer=LatexLexer, transformer=_Actions())


@dataclass(frozen=True, eq=False)
class Node:
    """A node of the tree; nodes are compared by identity.

    Attributes:
        kind: the name of the construct, such as `sum` or `derivative`.
        parts: subtrees, tuples of subtrees, and the texts of tokens.
        depth: the number of levels of the subtree that begins here.
    """

    kind: str
    parts: tuple[Any, ...]
    depth: int


Chain = tuple[tuple[Node, bool], ...]
"""Factors side by side: nodes, each with whether it is a divisor."""


Differential = tuple[Node, Node | None]
"""A variable, and the order of the derivative by it if the text gives one."""

Bounds = tuple[Node, ...]
"""The bounds of an integral: none, the upper one, or the lower and the upper one."""


def subtrees(parts: tuple[Any, ...]) -> Iterator[Node]:
    """The nodes among the parts of a node."""
    for part in parts:
        if isinstance(part, Node):
            yield part
        elif isinstance(part, tuple):
            yield from subtrees(part)


def _node(kind: str, *parts: Any) -> Node:
    depth = 1 + _depth(parts)
    if depth > MAX_DEPTH:
        raise LatexError(f"nested too deeply (more than {MAX_DEPTH})")
    return Node(kind, parts, depth)


def _depth(parts: tuple[Any, ...]) -> int:
    """The depth of the deepest of the parts; without a generator, because every node asks."""
    deepest = 0
    for part in parts:
        depth = part.depth if isinstance(part, Node) else _depth(part) if isinstance(part, tuple) else 0
        deepest = max(deepest, depth)
    return deepest


def _sum(first: Node, second: Node) -> Node:
    return _node("sum", *(first.parts if first.kind == "sum" else (first,)), second)


def _negative(term: Node) -> Node:
    sign, chain = term.parts
    return Node("product", (-sign, chain), term.depth)


@lark.v_args(inline=True)
class _Actions(lark.Transformer[Any, Any]):
    """Builds the node of each grammar rule; the parser calls these methods as it recognises the rules."""

    def start(self, *sides: Node) -> tuple[Node, ...]:
        return sides

    def add(self, first: Node, second: Node) -> Node:
        return _sum(first, second)

    def subtract(self, first: Node, second: Node) -> Node:
        return _sum(first, _negative(second))

    def positive(self, term: Node) -> Node:
        return term

    def negative(self, term: Node) -> Node:
        return _negative(term)

    def product(self, chain: Chain) -> Node:
        return _node("product", 1, chain)

    def last(self, factor: Node) -> Chain:
        return ((factor, False),)

    def times(self, factor: Node, rest: tuple[Any, ...]) -> Chain:
        return ((factor, False), *rest)

    times_sign = times

    def divided_by(self, factor: Node, rest: tuple[Any, ...]) -> Chain:
        return ((factor, False), (rest[0][0], True), *rest[1:])

    def derivative(self, *parts: Any) -> Chain:
        *differentials, (sign, chain) = parts
        return ((_node("derivative", tuple(differentials), sign, chain), False),)

    def operand(self, chain: Chain) -> tuple[int, Chain]:
        return 1, chain

    def negative_operand(self, operand: tuple[int, Chain]) -> tuple[int, Chain]:
        return -operand[0], operand[1]

    def raised(self, base: Node, exponent: Node) -> Node:
        return _node("power", base, exponent)

    def inner(self, node: Node) -> Node:
        return node

    def number(self, token: lark.Token) -> Node:
        if len(token) > MAX_DIGITS:
            raise LatexError(f"a number of more than {MAX_DIGITS} digits", token.start_pos or 0)
        return _node("number", str(token))

    def number_of(self, token: lark.Token, name: lark.Token) -> Node:
        return _node("product", 1, ((self.number(token), False), (self.symbol(name), False)))

    def symbol(self, token: lark.Token) -> Node:
        return _node("symbol", str(token))

    def constant(self, token: lark.Token) -> Node:
        return _node("constant", str(token))

    def arguments(self, *arguments: Node) -> tuple[Node, ...]:
        return arguments

    def applied(self, name: Node, arguments: tuple[Node, ...]) -> Node:
        return _node("applied", name.parts[0], arguments)

    def applied_raised(self, name: Node, exponent: Node, arguments: tuple[Node, ...]) -> Node:
        return self.raised(self.applied(name, arguments), exponent)

    def elementary(self, token: lark.Token, argument: Node) -> Node:
        return _node("elementary", str(token), argument)

    def elementary_raised(self, token: lark.Token, exponent: Node, argument: Node) -> Node:
        return self.raised(self.elementary(token, argument), exponent)

    def fraction(self, numerator: Node, denominator: Node) -> Node:
        return _node("product", 1, ((numerator, False), (denominator, True)))

    def root(self, radicand: Node) -> Node:
        return _node("root", radicand, _node("number", "2"))

    def root_of_degree(self, degree: Node, radicand: Node) -> Node:
        return _node("root", radicand, degree)

    def leibniz(self, function: Node, *differentials: Any) -> Node:
        return _node("derivative", differentials, 1, ((function, False),))

    def leibniz_raised(self, _order: Node, function: Node, *differentials: Any) -> Node:
        return self.leibniz(function, *differentials)

    def differential(self, variable: Differential) -> Differential:
        return variable

    def first_order(self, name: Node) -> Differential:
        return name, None

    def higher_order(self, name: Node, order: Node) -> Differential:
        return name, order

    def derivative_of_function(self, *parts: Any) -> Node:
        *differentials, name, arguments = parts
        return self.leibniz(self.applied(name, arguments), *differentials)

    def bound(self, sign: lark.Token) -> list[Bounds]:
        return [()] * sign.count("i")

    def from_to(self, sign: lark.Token, lower: Node, upper: Node) -> list[Bounds]:
        return [*self.bound(sign)[1:], (lower, upper)]

    def up_to(self, sign: lark.Token, upper: Node) -> list[Bounds]:
        return [*self.bound(sign)[1:], (upper,)]

    def integral(self, bounds: list[Bounds], integrand: Node, *differentials: Differential) -> Node:
        # The innermost integral belongs to the last integral sign and the first differential.
        return _node("integral", integrand, tuple(zip(differentials, reversed(bounds), strict=True)))

    def integral_of_one(self, bounds: list[Bounds], *differentials: Differential) -> Node:
        return self.integral(bounds, _node("number", "1"), *differentials)
