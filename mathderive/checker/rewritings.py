"""Equations that follow because a term in another one is replaced by an equal term, wherever it stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from mathderive.checker.inference.textbook_rules.proving import Rewriting
from mathderive.checker.reading.equations import Chain
from mathderive.checker.reading.notation import Notation
from mathderive.checker.reading.replacing import ReplaceableText, Sides, constants_in, replaceable
from mathderive.symbolic.latex.textbook.nodes import Node

MAX_REPLACED = 150
"""Maximum number of replacements that are read for one equation."""

MAX_PUT_IN = 3
"""Maximum number of equations that are put into another one in one step."""


@dataclass(frozen=True)
class KnownText:
    """A true equation as it is written.

    Attributes:
        readings: the readings in which it is true.
        is_law: whether it holds wherever its functions have a value.
    """

    number: int
    text: str
    readings: Sequence[Sides]
    is_law: bool


@dataclass(frozen=True)
class _Known:
    number: int
    tree: ReplaceableText
    is_law: bool

    @property
    def pairs(self) -> tuple[tuple[Node, Node], tuple[Node, Node]]:
        left, right = self.tree.sides
        return (left, right), (right, left)

    def holds_in(self, tree: ReplaceableText) -> bool:
        """Whether its sides may replace each other there: what is differentiated has to be equal everywhere."""
        return self.is_law or tree.is_pointwise


def rewritings(text: str, chain: Chain, known: Sequence[KnownText], notation: Notation) -> Iterator[Rewriting]:
    """Equations that follow from one or two known ones and may be what a text says.

    Args:
        chain: the reading of the text.
    """
    constants = constants_in((chain[0], chain[1]))
    rules = list(_trees(known, notation))
    new = replaceable(text, notation)
    found = [] if new is None or not rules else [_same_done(new, rules), _put_in(new, rules)]
    left = MAX_REPLACED
    for tree, rule, steps in (one for kind in found for one in kind):
        left -= 1
        if left < 0:
            return
        sides = tree.meaning(constants)
        if sides is not None:
            yield Rewriting(sides, rule, steps)


Replaced = tuple[ReplaceableText, str, tuple[int, ...]]


def _same_done(new: ReplaceableText, rules: Sequence[_Known]) -> Iterator[Replaced]:
    """Equations in which the same is done to both sides of a known one: a side of the text with the term replaced."""
    for side, rule in product(new.sides, rules):
        whole = ReplaceableText((side, side), new.names)
        for old, other in rule.pairs:
            changed = whole.replaced(old, other) if rule.holds_in(whole) else None
            if changed is not None:
                tree = ReplaceableText((side, changed.sides[1]), new.names)
                yield tree, "same_done", (rule.number,)


def _put_in(new: ReplaceableText, rules: Sequence[_Known]) -> Iterator[Replaced]:
    for target in rules:
        for rule in rules:
            for old, other in rule.pairs if rule is not target and rule.holds_in(target.tree) else ():
                changed = target.tree.replaced(old, other)
                if changed is not None:
                    yield changed, "term_replaced", (target.number, rule.number)
    for target in rules:
        tree = target.tree
        used: list[int] = []
        for rule in rules:
            for old, other in rule.pairs if rule is not target and rule.holds_in(target.tree) else ():
                changed = None if new.has(old) or len(used) >= MAX_PUT_IN else tree.replaced(old, other)
                if changed is not None:
                    tree = changed
                    used.append(rule.number)
                    break
        if len(used) > 1:
            yield tree, "several_put_in", (target.number, *dict.fromkeys(used))


def _trees(known: Sequence[KnownText], notation: Notation) -> Iterator[_Known]:
    """The known equations as trees; those that are true in another reading than the usual one are left out."""
    for one in known:
        tree = replaceable(one.text, notation)
        if tree is None or not one.readings:
            continue
        meaning = tree.meaning(constants_in(one.readings[0]))
        if meaning in one.readings:
            yield _Known(one.number, tree, one.is_law)
