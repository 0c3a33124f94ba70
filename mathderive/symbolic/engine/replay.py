"""Replaying a derivation: each annotation is carried out again and must give the step's equation."""

from collections.abc import Sequence
from itertools import product

from sympy import Dummy, Equality, Symbol
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.derivation import (
    Annotation,
    AnnotationError,
    Derivation,
    Step,
    read_operand,
    step_references,
)
from mathderive.symbolic.engine.operators import OPERATORS, Arity, OperatorError, apply_operator, is_premise
from mathderive.symbolic.engine.operators.operator import DrawConstant
from mathderive.symbolic.srepr import SreprError

MAX_REPLAYED_CONSTANTS = 4
"""Maximum number of integration constants in a step that is replayed; a step with more does not follow."""


def replays(derivation: Derivation) -> tuple[bool, ...]:
    """For each step, whether it follows from the steps before it as its annotation says."""
    equations = derivation.equations
    return tuple(follows(step, equations[:position]) for position, step in enumerate(derivation.steps))


def follows(step: Step, earlier: Sequence[Equality]) -> bool:
    """Whether a step's annotation, carried out on earlier equations, gives its equation.

    An integration constant may be any symbol that is free in none of the earlier equations. A premise must define
    something.
    """
    if is_premise(step.annotation):
        return is_definition(step.equation)
    constants: list[Symbol] = []

    def draw_constant() -> Symbol:
        constants.append(Dummy())
        return constants[-1]

    try:
        result = apply_annotation(step.annotation, earlier, draw_constant)
    except OperatorError:
        return False
    if not constants:
        return bool(result == step.equation)
    used = set().union(*(equation.free_symbols for equation in earlier))
    candidates = sorted(step.equation.free_symbols - used, key=lambda symbol: symbol.name)
    return len(constants) <= MAX_REPLAYED_CONSTANTS and any(
        result.xreplace(dict(zip(constants, chosen, strict=True))) == step.equation
        for chosen in product(candidates, repeat=len(constants))
    )


def apply_annotation(annotation: Annotation, equations: Sequence[Equality], draw_constant: DrawConstant) -> Equality:
    """Applies the operator that an annotation names to the equations of the steps before it.

    Raises:
        OperatorError: the annotation is that of a premise, unknown or malformed, refers to a step that does not exist,
            or cannot be carried out, or the result is not an equation or is too large.
    """
    operator = OPERATORS.get(str(annotation[0])) if isinstance(annotation, tuple) and annotation else None
    if operator is None or operator.function is None:
        raise OperatorError(f"{annotation!r} derives nothing")
    try:
        references = step_references(annotation)
        operands = annotation[1 + len(references) :]
        operand = read_operand(operands[0]) if operands else None
    except (AnnotationError, SreprError) as error:
        raise OperatorError(str(error)) from None
    if max(references) > len(equations):
        raise OperatorError(f"{annotation!r} refers to a step that is not there")
    if len(operands) != (operator.arity is Arity.OPERAND):
        raise OperatorError(f"{annotation!r}: {operator.name} takes {operator.arity.value}")
    second = equations[references[1] - 1] if operator.arity is Arity.TWO_EQUATIONS else operand
    return apply_operator(operator, equations[references[0] - 1], second, draw_constant)


def is_definition(equation: Equality) -> bool:
    """Whether one side is an undefined function of exactly the free symbols of the other, as in every premise."""
    return any(
        isinstance(name, AppliedUndef) and len(set(name.args)) == len(name.args) and {*name.args} == value.free_symbols
        for name, value in (equation.args, equation.args[::-1])
    )
