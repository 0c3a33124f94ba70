"""The subexpressions of an expression or equation."""

from functools import lru_cache

from sympy import Equality, Expr, preorder_traversal


@lru_cache(maxsize=20_000)
def parts_of(side: Expr) -> tuple[Expr, ...]:
    """The distinct subexpressions of a side, itself included, without tuples."""
    return tuple(dict.fromkeys(part for part in preorder_traversal(side) if isinstance(part, Expr)))


def equation_parts(equation: Equality) -> list[Expr]:
    """The distinct subexpressions of an equation, without the equation itself."""
    return list(dict.fromkeys((*parts_of(equation.lhs), *parts_of(equation.rhs))))
