"""The registry of operators: every operator by name, in the order in which they were registered."""

import math
import string
from difflib import get_close_matches

from mathderive.core.errors import InputError
from mathderive.symbolic.engine.operators.operator import Arity, Operator

FIRST_PREMISE = "premise"
"""The annotation of a derivation's first premise; later ones carry the name of the operator that drew them."""

OPERATORS: dict[str, Operator] = {}
"""Every registered operator by name. The order decides random draws, so the built-in ones come first."""

_PLACEHOLDERS = {
    Arity.PREMISE: {"operand"},
    Arity.EQUATION: {"0"},
    Arity.OPERAND: {"0", "operand"},
    Arity.TWO_EQUATIONS: {"0", "1"},
}
"""The placeholders that a sentence may contain."""


def register_operator(operator: Operator) -> None:
    """Adds an operator.

    Raises:
        InputError: the name is taken, or the operator lacks a part; the message names the part.
    """
    place = f"operator {operator.name!r}"
    if operator.name in OPERATORS or operator.name == FIRST_PREMISE:
        raise InputError(f"{place}: the name is taken; expected another one")
    fault = missing_part(operator)
    if fault is not None:
        raise InputError(f"{place}: {fault}")
    OPERATORS[operator.name] = operator


def missing_part(operator: Operator) -> str | None:
    """Names a part that an operator lacks or that cannot be used; None where it is complete."""
    if not operator.name.isidentifier():
        return "name: expected letters, digits and underscores"
    if not math.isfinite(operator.weight) or operator.weight < 0:
        return f"weight: expected a finite number of at least 0, got {operator.weight}"
    if not operator.sentence:
        return "sentence: missing; expected the checker's explanation of a step"
    allowed = _PLACEHOLDERS[operator.arity]
    try:
        used = {field for _, field, _, _ in string.Formatter().parse(operator.sentence) if field is not None}
    except ValueError as error:
        return f"sentence: {error}"
    if not used <= allowed:
        return f"sentence: expected no placeholders but {', '.join(f'{{{name}}}' for name in sorted(allowed))}"
    return _missing_callable(operator)


def _missing_callable(operator: Operator) -> str | None:
    needed: dict[str, object] = {"function": operator.function}
    if operator.arity is Arity.PREMISE:
        needed = {"draw_premise": operator.draw_premise}
    elif operator.arity is Arity.OPERAND:
        needed["operands"] = operator.operands
    for part, value in needed.items():
        if value is None:
            return f"{part}: missing; an operator of arity {operator.arity.name} needs it"
    return None


def find_operator(name: str) -> Operator:
    """The operator of that name.

    Raises:
        ValueError: there is none; names the nearest one.
    """
    if name not in OPERATORS:
        near = get_close_matches(name, OPERATORS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(OPERATORS)}"
        raise ValueError(f"{name}: unknown operator; {hint}")
    return OPERATORS[name]


def operators_by_arguments() -> tuple[list[Operator], list[Operator], list[Operator]]:
    """The operators with no argument, with one and with two, as `arity_weights` has them."""
    nothing, equation = Arity.PREMISE, Arity.EQUATION  # looking up a member, or its hash, takes long
    groups: tuple[list[Operator], list[Operator], list[Operator]] = ([], [], [])
    for operator in OPERATORS.values():
        arity = operator.arity
        groups[0 if arity is nothing else 1 if arity is equation else 2].append(operator)
    return groups


def is_premise(annotation: object) -> bool:
    """Whether a step with this annotation follows from nothing."""
    if not isinstance(annotation, str):
        return False
    operator = OPERATORS.get(annotation)
    return annotation == FIRST_PREMISE or (operator is not None and operator.arity is Arity.PREMISE)
