"""Inverses: how the checker finds out that an operator leads from an earlier equation to a new one.

The inverse that every operator has by default applies the operator and compares. Some of the paper's operators have a
faster one beside them in their own modules.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from sympy import Expr

from mathderive.symbolic.engine.operators.application import sides_given_by
from mathderive.symbolic.engine.operators.operator import Arity, Comparison, Inverse, Operator

Operands = Iterator[tuple[Expr, ...]]

MAX_REMEMBERED = 5_000
"""Maximum number of expressions whose sizes are remembered; an equation is compared with every later one."""

MAX_OPERANDS = 40
"""Maximum number of operands that the default inverse tries on an equation."""


def inverse_of(operator: Operator) -> Inverse:
    """The inverse of an operator, by default the one for its arity."""
    if operator.inverse is not None:
        return operator.inverse
    return {
        Arity.EQUATION: apply_and_compare,
        Arity.OPERAND: try_operands,
        Arity.TWO_EQUATIONS: combine_and_compare,
        Arity.PREMISE: nothing_precedes,
    }[operator.arity]


def nothing_precedes(_operator: Operator, _comparison: Comparison) -> Operands:
    """The inverse of an operator that draws a premise: no earlier equation leads to one."""
    return iter(())


def apply_and_compare(operator: Operator, comparison: Comparison) -> Operands:
    """The default inverse of an operator on one equation."""
    result = comparison.before.result_of(operator.name)
    if result is not None and comparison.states(result):
        yield ()


def combine_and_compare(operator: Operator, comparison: Comparison) -> Operands:
    """The default inverse of an operator on two equations."""
    if comparison.second is not None:
        result = sides_given_by(operator, comparison.before.equation, comparison.second.equation)
        if result is not None and comparison.states(result):
            yield ()


def try_operands(operator: Operator, comparison: Comparison) -> Operands:
    """The default inverse of an operator with an operand: tries the operands that the sampler could have drawn.

    Operands that occur in the new equation are tried first.
    """
    assert operator.operands is not None
    candidates = operator.operands(comparison.before.equation, comparison.known)
    ordered = sorted(dict.fromkeys(candidates), key=lambda operand: operand not in comparison.new.parts)
    for operand in ordered[:MAX_OPERANDS]:
        result = sides_given_by(operator, comparison.before.equation, operand)
        if result is not None and comparison.states(result):
            yield (operand,)


def operands_by_letter(operator: Operator, comparison: Comparison, candidates: Iterable[Expr]) -> Operands:
    """Yields the candidates that give the new equation to the letter, if it has no values to compare.

    Such an equation is too large or has an infinite side, as log 0 is.
    """
    if comparison.new.has_fingerprint:
        return
    for operand in dict.fromkeys(candidates):
        if sides_given_by(operator, comparison.before.equation, operand) == comparison.new.sides:
            yield (operand,)


@lru_cache(maxsize=MAX_REMEMBERED)
def size_of(expression: Expr) -> int:
    """The number of operations in an expression."""
    return int(expression.count_ops())
