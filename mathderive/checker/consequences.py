"""Applying operators to equations of a check, and the distance between two equations' shapes; searches need both."""

from collections import Counter
from functools import lru_cache

from sympy import Expr, preorder_traversal
from sympy.core.function import AppliedUndef

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators import Arity, Operator, OperatorError, apply_operator
from mathderive.symbolic.engine.operators.operator import DrawConstant
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def consequence(
    operator: Operator, fact: Fact, second: Expr | Fact | None, draw_constant: DrawConstant, max_size: int
) -> Fact | None:
    """The equation that an operator gives; None where it fails, says nothing or is too large.

    Args:
        second: the operand or the second equation.
        draw_constant: gives the constants of evaluated integrals.
        max_size: maximum number of operations in a side.
    """
    try:
        operand = second.equation if isinstance(second, Fact) else second
        if operator.arity is Arity.EQUATION and not operator.introduces_constants:
            sides = fact.result_of(operator.name)
        else:
            result = apply_operator(operator, fact.equation, operand, draw_constant)
            sides = result.lhs, result.rhs
    except (OperatorError, TooLargeError, *SYMPY_ERRORS):
        return None
    if sides is None or sides[0] == sides[1] or max(map(size_of, sides)) > max_size:
        return None
    return Fact(0, *sides)


def shape_distance(first: Fact, second: Fact) -> int:
    """How many nodes of their expression trees two equations do not share, mirrored or not."""
    sides, wanted = ([_nodes(side) for side in one.sides] for one in (first, second))
    return min(
        sum(((one - other) + (other - one)).total() for one, other in zip(sides, order, strict=True))
        for order in (wanted, wanted[::-1])
    )


@lru_cache(maxsize=5_000)
def _nodes(side: Expr) -> Counter[object]:
    """The functions and names of an expression, counted."""
    return Counter(
        node.func if node.args and not isinstance(node, AppliedUndef) else node for node in preorder_traversal(side)
    )


def equation_text(fact: Fact) -> str:
    """The equation as an answer writes it."""
    return f"{latex(fact.lhs)} = {latex(fact.rhs)}"
