"""Confirms a justification: the operator gives exactly the equation, and its side conditions hold.

`matching.py` finds candidates by fingerprints, which have tolerances. Here each candidate is carried out and compared
exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from sympy import Derivative, Equality, Expr, Integral, cos, exp, log, sin

from mathderive.checker.inference.facts import Fact, no_constant
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.algebra import same_sides
from mathderive.symbolic.bounds import TooLargeError
from mathderive.symbolic.engine.operators import OPERATORS, SYMPY_ERRORS, OperatorError, apply_operator, substitute

DIRECT: dict[str, Callable[[Expr, Expr], Expr]] = {
    "add": lambda side, operand: side + operand,
    "minus": lambda side, operand: side - operand,
    "times": lambda side, operand: side * operand,
    "divide": lambda side, operand: side / operand,
    "power": lambda side, operand: side**operand,
    "differentiate": lambda side, operand: Derivative(side, operand),
    "integrate": lambda side, operand: Integral(side, operand),
}

OF_ONE_EQUATION: dict[str, Callable[[Expr], Expr]] = {"cos": cos, "sin": sin, "exp": exp, "log": log}


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
    operator = justification.operator
    if operator in ("evaluate_integrals", "renaming_premise"):
        return True  # found exactly to begin with
    if operator in ("times", "power") and any(is_zero(operand) is None for operand in justification.operands):
        return False
    if operator == "divide" and any(is_zero(operand) is not False for operand in justification.operands):
        return False
    sources = [[fact for fact in facts if fact.number == step] for step in justification.steps]
    return any(
        same_sides(sides, new.sides, key) or same_sides(sides[::-1], new.sides, key)
        for chosen in product(*sources)
        for sides in _results(justification, chosen)
    )


def _results(justification: Justification, facts: Sequence[Fact]) -> Iterator[Sides]:
    """The equations that an operator gives, as it may be carried out in several forms."""
    operator, fact = justification.operator, facts[0]
    try:
        if operator in DIRECT:
            (operand,) = justification.operands
            yield DIRECT[operator](fact.lhs, operand), DIRECT[operator](fact.rhs, operand)
            yield _sides(apply_operator(OPERATORS[operator], fact.equation, operand, no_constant))
        elif operator.startswith("substitute"):
            rule = facts[1]
            old, replacement = rule.sides if operator == "substitute_LHS_for_RHS" else rule.sides[::-1]
            result = substitute(fact.equation, old, replacement)
            if result is not None:
                yield _sides(result)
        else:
            if operator in OF_ONE_EQUATION:
                yield OF_ONE_EQUATION[operator](fact.lhs), OF_ONE_EQUATION[operator](fact.rhs)
            applied = fact.applied(operator)
            if applied is not None:
                yield applied.sides
    except (OperatorError, TooLargeError, *SYMPY_ERRORS):
        return


def _sides(equation: Equality) -> Sides:
    return equation.lhs, equation.rhs
