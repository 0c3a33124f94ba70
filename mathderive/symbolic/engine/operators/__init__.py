"""The operators of Meadows et al. (2024), registered in the paper's order, and the place to register more.

`docs/extending.md` shows how an extension adds one.
"""

from mathderive.symbolic.engine.operators.application import apply_operator
from mathderive.symbolic.engine.operators.arithmetic import (
    ADD,
    DIVIDE,
    MINUS,
    POWER,
    TIMES,
    earlier_parts,
    with_operand,
)
from mathderive.symbolic.engine.operators.calculus import (
    DIFFERENTIATE,
    EVALUATE_DERIVATIVES,
    EVALUATE_INTEGRALS,
    INTEGRATE,
)
from mathderive.symbolic.engine.operators.functions import COS, EXP, EXPAND, LOG, SIN, on_both_sides
from mathderive.symbolic.engine.operators.operator import Arity, Operator, OperatorError
from mathderive.symbolic.engine.operators.premises import GET_PREMISE, RENAMING_PREMISE
from mathderive.symbolic.engine.operators.registry import OPERATORS, find_operator, is_premise, register_operator
from mathderive.symbolic.engine.operators.substitution import SUBSTITUTE_LEFT_FOR_RIGHT, SUBSTITUTE_RIGHT_FOR_LEFT

__all__ = [
    "OPERATORS",
    "Arity",
    "Operator",
    "OperatorError",
    "apply_operator",
    "earlier_parts",
    "find_operator",
    "is_premise",
    "on_both_sides",
    "register_operator",
    "with_operand",
]

for _operator in (
    *(GET_PREMISE, RENAMING_PREMISE),
    *(COS, SIN, EXP, LOG, EXPAND, EVALUATE_DERIVATIVES, EVALUATE_INTEGRALS),
    *(ADD, MINUS, TIMES, DIVIDE, POWER, DIFFERENTIATE, INTEGRATE),
    *(SUBSTITUTE_LEFT_FOR_RIGHT, SUBSTITUTE_RIGHT_FOR_LEFT),
):
    register_operator(_operator)
