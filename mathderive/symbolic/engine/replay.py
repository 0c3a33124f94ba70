"""Does a step follow? The generator's operators applied again to the equations before it."""

from collections.abc import Sequence
from itertools import product

from sympy import Dummy, Equality, Symbol
from sympy.core.function import AppliedUndef

from mathderive.symbolic.engine.derivation import PREMISES, Derivation, Step
from mathderive.symbolic.engine.operators import OperatorError, apply

MAX_CONSTANTS = 4
"""More integration constants than this in one step are not told apart."""


def replays(derivation: Derivation) -> tuple[bool, ...]:
    """For each step, whether it follows from the steps before it as its annotation says."""
    equations = derivation.equations
    return tuple(follows(step, equations[:position]) for position, step in enumerate(derivation.steps))


def follows(step: Step, earlier: Sequence[Equality]) -> bool:
    """Whether a step's annotation, carried out on earlier equations, gives its equation.

    An integration constant may be any symbol that is free in none of the earlier equations; a premise of any kind
    defines something.
    """
    if step.annotation in PREMISES:
        return is_definition(step.equation)
    constants: list[Symbol] = []

    def draw_constant() -> Symbol:
        constants.append(Dummy())
        return constants[-1]

    try:
        result = apply(step.annotation, earlier, draw_constant)
    except OperatorError:
        return False
    if not constants:
        return bool(result == step.equation)
    used = set().union(*(equation.free_symbols for equation in earlier))
    candidates = sorted(step.equation.free_symbols - used, key=lambda symbol: symbol.name)
    return len(constants) <= MAX_CONSTANTS and any(
        result.xreplace(dict(zip(constants, chosen, strict=True))) == step.equation
        for chosen in product(candidates, repeat=len(constants))
    )


def is_definition(equation: Equality) -> bool:
    """Whether one side is an undefined function of just the free symbols of the other, as in every premise."""
    return any(
        isinstance(name, AppliedUndef) and len(set(name.args)) == len(name.args) and {*name.args} == value.free_symbols
        for name, value in (equation.args, equation.args[::-1])
    )
