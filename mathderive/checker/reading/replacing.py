r"""Replaces equal terms within a text's tree, also inside terms that cannot be evaluated.

Nothing is known of an opaque term such as `\nabla \cdot \mathbf{D}` but that it equals itself. With `\mathbf{D} =
\varepsilon \mathbf{E}` it also equals `\nabla \cdot (\varepsilon \mathbf{E})`: the tree of the text is replaced in, and
read anew.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sympy import Expr, S, Symbol

from mathderive.checker.reading.notation import Notation
from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.parser import refusals_as_latex_errors
from mathderive.symbolic.latex.textbook.building import OperatorNeededError
from mathderive.symbolic.latex.textbook.calculus import Builder
from mathderive.symbolic.latex.textbook.constructs import parse_textbook
from mathderive.symbolic.latex.textbook.names import Names
from mathderive.symbolic.latex.textbook.nodes import Entry, Node, node

MAX_CHARACTERS = 600
"""Maximum number of characters of a text in which terms are replaced."""

SPREADING = frozenset(("derivative", "nabla", "integral", "at", "series", "limit", "primed"))
"""Constructs whose value depends on more than the value of their operand at one place."""

Sides = tuple[Expr, Expr]
Tree = tuple[Node, Node]


@dataclass(frozen=True)
class ReplaceableText:
    """An equation as a tree.

    Attributes:
        sides: the trees of both sides.
        names: the roles of the names.
    """

    sides: Tree
    names: Names

    @property
    def is_pointwise(self) -> bool:
        """Whether the values of all terms at one place determine the value of every side there."""
        return not any(part.kind in SPREADING for side in self.sides for part in _parts(side))

    def replaced(self, old: Node, new: Node) -> "ReplaceableText | None":
        """The equation with one term in place of another; None where it does not occur."""
        old = _bare(old)
        if not _can_be_replaced(old, self.names):
            return None
        sides = _replaced(self.sides[0], old, new), _replaced(self.sides[1], old, new)
        return None if sides == self.sides else ReplaceableText(sides, self.names)

    def has(self, term: Node) -> bool:
        """Whether a term occurs."""
        return self.replaced(term, node("dots", "")) is not None

    def meaning(self, constants: dict[str, Expr]) -> Sides | None:
        """The expressions of the sides; None where they are outside the grammar.

        Args:
            constants: the numbers that letters stand for.
        """
        for styles in (frozenset[str](), frozenset(("operators",))):
            builder = Builder(self.names, constants, styles, ())
            try:
                with refusals_as_latex_errors():
                    return builder.expression(self.sides[0]), builder.expression(self.sides[1])
            except OperatorNeededError:
                continue
            except LatexError:
                return None
        return None


def replaceable(text: str, notation: Notation) -> ReplaceableText | None:
    """The tree of an equation in people's notation; None for other texts and for chains."""
    if notation.is_printed or len(text) > MAX_CHARACTERS:
        return None
    names = notation.key.names
    try:
        parsed = parse_textbook(text, names)
    except LatexError:
        return None
    if parsed.relations != ("=",) or any(part.kind == "choice" for side in parsed.sides for part in _parts(side)):
        return None
    return ReplaceableText((parsed.sides[0], parsed.sides[1]), names)


def constants_in(sides: Sides) -> dict[str, Expr]:
    r"""The numbers that `i` and `\pi` stand for in a reading."""
    return {
        name: value
        for name, value in (("i", S.ImaginaryUnit), (r"\pi", S.Pi))
        if any(side.has(value) for side in sides) and not any(side.has(Symbol(name)) for side in sides)
    }


def _can_be_replaced(term: Node, names: Names) -> bool:
    """Whether a term is neither a number nor a variable, which may be bound by an integral or a derivative."""
    if term.kind in ("number", "constant", "dots"):
        return False
    return term.kind != "name" or term.parts[0] not in names.variables


def _bare(tree: Node) -> Node:
    while tree.kind == "bracket":
        (tree,) = tree.parts
    return tree


def _parts(tree: Node) -> Iterator[Node]:
    yield tree
    for part in tree.parts:
        yield from _parts_within(part)


def _parts_within(part: Any) -> Iterator[Node]:
    if isinstance(part, Node):
        yield from _parts(part)
    elif isinstance(part, tuple):
        for one in part:
            yield from _parts_within(one)


def _replaced(tree: Node, old: Node, new: Node) -> Node:
    if _bare(tree) == old:
        return node("bracket", new)
    if tree.kind == "product":
        return Node("product", (tuple(_replaced_in_product(list(tree.parts[0]), old, new)),))
    if tree.kind == "derivative":
        variables, operand = tree.parts
        return tree if operand is None else Node("derivative", (variables, _replaced(operand, old, new)))
    if tree.kind in ("integral", "at", "limit", "series"):
        # The variables and bounds stay; only what is integrated or evaluated is replaced in.
        place = {"integral": 1, "at": 0, "limit": 1, "series": 3}[tree.kind]
        parts = list(tree.parts)
        parts[place] = _replaced(parts[place], old, new)
        return Node(tree.kind, tuple(parts))
    return Node(tree.kind, tuple(_replaced_within(part, old, new) for part in tree.parts))


def _replaced_within(part: Any, old: Node, new: Node) -> Any:
    if isinstance(part, Node):
        return _replaced(part, old, new)
    if isinstance(part, tuple):
        return tuple(_replaced_within(one, old, new) for one in part)
    return part


def _replaced_in_product(entries: list[Entry], old: Node, new: Node) -> Iterator[Entry]:
    """The factors, with a run of them replaced that is the other product."""
    run = list(old.parts[0]) if old.kind == "product" else []
    place = 0
    while place < len(entries):
        if run and _begins(entries, place, run):
            yield (entries[place][0], node("bracket", new))
            place += len(run)
        else:
            sign, tree = entries[place]
            yield (sign, _replaced(tree, old, new))
            place += 1


def _begins(entries: list[Entry], place: int, run: list[Entry]) -> bool:
    """Whether a run of factors begins at a place and is one factor there.

    An operator takes the factors after it as its operand, so a run neither begins within an operand nor ends before it.
    """
    end = place + len(run)
    if entries[place][0] == "/" or entries[place][1] != run[0][1] or entries[place + 1 : end] != run[1:]:
        return False
    if any(_is_acting(tree) for _, tree in entries[:place]):
        return False
    acts = any(_is_acting(tree) for _, tree in run)
    return not acts or end == len(entries) or entries[end][0] in ("cdot", "times")


def _is_acting(tree: Node) -> bool:
    return tree.kind == "nabla" or (tree.kind == "derivative" and tree.parts[1] is None)
