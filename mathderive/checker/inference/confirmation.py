"""Confirms a justification: the operator gives exactly the equation, and its side condition holds.

`matching.py` finds candidates by fingerprints, which have tolerances. Here each candidate is carried out and compared
exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from sympy import Equality, Expr, S

from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.algebra import same_sides
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, OperatorError
from mathderive.symbolic.engine.operators.application import no_constant, sides_given_by
from mathderive.symbolic.sympy_errors import SYMPY_ERRORS


def is_confirmed(
    justification: Justification,
    new: Fact,
    facts: Sequence[Fact],
    key: bytes,
    is_zero: Callable[[Expr], bool | None],
) -> bool:
    """Whether an operator gives the equation, or its mirror image.

    Args:
        facts: the equations that it may act on.
        key: the key of the points.
        is_zero: whether an expression is zero in the model; None where it has no value or that is not known.
    """
    operator = OPERATORS[justification.operator]
    if operator.introduces_constants or operator.arity is Arity.PREMISE:
        return True  # found exactly to begin with
    condition = operator.side_condition
    if condition is not None and not all(condition(is_zero(operand)) for operand in justification.operands):
        return False
    sources = [[fact for fact in facts if fact.number == step] for step in justification.steps]
    return any(
        same_sides(sides, new.sides, key) or same_sides(sides[::-1], new.sides, key)
        for chosen in product(*sources)
        for sides in _results(justification, chosen)
    )


def _results(justification: Justification, facts: Sequence[Fact]) -> Iterator[Sides]:
    """The sides that an operator gives, first as a finished equation and then as its function leaves them."""
    operator, fact = OPERATORS[justification.operator], facts[0]
    assert operator.function is not None
    for second in _seconds(operator, justification, facts):
        finished = fact.result_of(operator.name) if second is None else sides_given_by(operator, fact.equation, second)
        if finished is not None:
            yield finished
        try:
            yield operator.function(fact.equation, second, no_constant)
        except (OperatorError, TooLargeError, *SYMPY_ERRORS):
            continue


def _seconds(
    operator: Operator, justification: Justification, facts: Sequence[Fact]
) -> Iterator[Expr | Equality | None]:
    """The operand, or the second equation and then its negative, or None for an operator that takes neither."""
    if operator.arity is Arity.EQUATION:
        yield None
    elif operator.arity is Arity.OPERAND:
        yield justification.operands[0]
    else:
        yield facts[1].equation
        yield Equality(*(S.NegativeOne * side for side in facts[1].sides), evaluate=False)
