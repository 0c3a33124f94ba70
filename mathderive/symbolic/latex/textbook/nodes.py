"""The tree of a text in textbook notation."""

from typing import Any, NamedTuple


class Node(NamedTuple):
    """A node of the tree: the name of the construct, and its parts."""

    kind: str
    parts: tuple[Any, ...]


Entry = tuple[str, Node]
"""A factor, with the sign before it: empty for factors side by side, `cdot`, `times`, `*` or `/`."""


def node(kind: str, *parts: Any) -> Node:
    return Node(kind, parts)


class Frame:
    """An open integral: the depth at which it stands, and the differentials found so far."""

    def __init__(self, depth: int, need: int) -> None:
        self.depth, self.need = depth, need
        self.found: list[tuple[Node, Node | None, bool]] = []

    @property
    def is_done(self) -> bool:
        return len(self.found) >= self.need
