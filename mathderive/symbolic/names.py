"""The names of symbols and functions: listing, replacing, and patterns that are equal for equally built expressions."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from sympy import Equality, Function, S, Symbol, preorder_traversal
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, UndefinedFunction

Node = TypeVar("Node", bound=Basic)

PRINTED_LIKE_NAMES = {"i": S.ImaginaryUnit, r"\pi": S.Pi}
"""Numbers that print like names of the vocabulary."""

PATTERN_NAME = "x{}"
"""The form of the names in patterns. SymPy orders sums by name, so other names would give other results."""


def rename(expression: Node, names: Mapping[str, str]) -> Node:
    """Renames every symbol and function; SymPy orders sums and products anew.

    Raises:
        KeyError: `names` lacks a name that occurs.
    """
    renamed: dict[Basic, Basic] = {}

    def visit(node: Basic) -> Basic:
        if node not in renamed:
            renamed[node] = _rename_node(node, names, [visit(part) for part in node.args])
        return renamed[node]

    return visit(expression)


def names_in_order(expression: Basic) -> list[str]:
    """The distinct names of symbols and functions in order of first appearance."""
    return list(dict.fromkeys(name for node in preorder_traversal(expression) if (name := name_of(node)) is not None))


@lru_cache(maxsize=20_000)
def names_of(expression: Basic) -> frozenset[str]:
    """The names of symbols and functions in an expression."""
    own = name_of(expression)
    return frozenset(() if own is None else (own,)).union(*map(names_of, expression.args))


def name_of(node: Basic) -> str | None:
    """The name of a symbol or function application; None for any other node."""
    if isinstance(node, Symbol):
        return node.name
    return node.func.__name__ if isinstance(node, AppliedUndef) else None


def to_pattern(expression: Node) -> tuple[Node, dict[str, str]]:
    """Replaces the names by `x0`, `x1`, … in order of appearance; returns the pattern and the map back to the names."""
    names = {name: PATTERN_NAME.format(position) for position, name in enumerate(names_in_order(expression))}
    return rename(expression, names), {pattern: name for name, pattern in names.items()}


@lru_cache(maxsize=1000)
def function(name: str) -> UndefinedFunction:
    """Returns `Function(name)` from a cache, because SymPy makes a new class at each call.

    The class key is cached too: SymPy's own caches hash the class of each argument, and that hash asks for the key.
    """
    made = Function(name)
    key = made.class_key()
    made.class_key = staticmethod(lambda: key)
    return made


def _rename_node(node: Basic, names: Mapping[str, str], parts: list[Basic]) -> Basic:
    if isinstance(node, Symbol):
        return Symbol(names[node.name])
    if isinstance(node, AppliedUndef):
        return function(names[node.func.__name__])(*parts)
    if isinstance(node, Equality):
        return Equality(*parts, evaluate=False)
    return node.func(*parts) if parts and tuple(parts) != node.args else node
