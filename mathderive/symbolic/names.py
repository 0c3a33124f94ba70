"""Injective renaming of symbols and functions, and computing things once for all expressions equal up to it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

from sympy import Equality, Function, Symbol, preorder_traversal
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef, UndefinedFunction

Node = TypeVar("Node", bound=Basic)

PATTERN_NAME = "x{}"
"""Names of patterns; SymPy orders sums by name, so they are part of what a pattern evaluates to."""


def rename(expression: Node, names: Mapping[str, str]) -> Node:
    """The expression with every symbol and function renamed, and its sums and products ordered anew.

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
    """The names of symbols and functions, each once, in order of first appearance."""
    return list(dict.fromkeys(name for node in preorder_traversal(expression) if (name := name_of(node)) is not None))


@lru_cache(maxsize=20_000)
def names_of(expression: Basic) -> frozenset[str]:
    """The names of symbols and functions in an expression."""
    own = name_of(expression)
    return frozenset(() if own is None else (own,)).union(*map(names_of, expression.args))


def name_of(node: Basic) -> str | None:
    """The name a node itself carries."""
    if isinstance(node, Symbol):
        return node.name
    return node.func.__name__ if isinstance(node, AppliedUndef) else None


def to_pattern(expression: Node) -> tuple[Node, dict[str, str]]:
    """The expression with its names replaced by the same few in order of appearance, and the way back."""
    names = {name: PATTERN_NAME.format(position) for position, name in enumerate(names_in_order(expression))}
    return rename(expression, names), {pattern: name for name, pattern in names.items()}


@lru_cache(maxsize=1000)
def function(name: str) -> UndefinedFunction:
    """`Function(name)`, which makes a class each time, made once.

    So is its class key: SymPy's memories hash the class of each argument, and a function's hash asks for its key.
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
