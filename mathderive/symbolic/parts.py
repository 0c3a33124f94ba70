"""The subexpressions of an expression or equation."""

from functools import lru_cache
from typing import Any

from sympy import Derivative, Equality, Expr, preorder_traversal
from sympy.core.basic import Basic


@lru_cache(maxsize=20_000)
def parts_of(side: Expr) -> tuple[Expr, ...]:
    """The distinct subexpressions of a side, itself included, without tuples."""
    return tuple(dict.fromkeys(part for part in preorder_traversal(side) if isinstance(part, Expr)))


@lru_cache(maxsize=20_000)
def atoms_of(expression: Basic, *kinds: type) -> frozenset[Any]:
    """The subexpressions of these kinds: SymPy's `atoms`, remembered, because much is asked again for every step."""
    return frozenset(expression.atoms(*kinds))


def equation_parts(equation: Equality) -> list[Expr]:
    """The distinct subexpressions of an equation, without the equation itself."""
    return list(dict.fromkeys((*parts_of(equation.lhs), *parts_of(equation.rhs))))


def order_of(derivative: Derivative) -> int:
    """The order of a derivative, without the orders that are not numbers."""
    return sum(int(count) for _, count in derivative.variable_count if count.is_Integer)
