"""Expressions that are 0 where the premises hold, and sampled derivations, which never divide by one."""

import pytest
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol, exp, log, sin

from mathderive.symbolic.engine.derivation import Derivation, read_operand
from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.zero import is_zero_given

x, y = Symbol("x"), Symbol("y")
f, g = Function("f"), Function("g")
DEFINITIONS = (Equality(f(x), sin(x)), Equality(g(x, y), y * f(x) + 1))


@pytest.mark.parametrize(
    "zero",
    [
        x - x,
        f(x) - sin(x),
        f(x) ** y - sin(x) ** y,
        x * (f(x) * sin(x) - sin(x) ** 2) / y,
        g(x, y) - y * sin(x) - 1,
        Derivative(f(x), y),
        Derivative(g(x, y), y) - f(x),
        (x + 1) * (g(x, y) - 1) - x * y * f(x) - y * f(x),
        Integral(f(x) - sin(x), x),
        log(exp(f(x)) / exp(sin(x))),
    ],
)
def test_expressions_that_are_zero(zero: Expr) -> None:
    assert is_zero_given(DEFINITIONS, zero)


@pytest.mark.parametrize("other", [x, f(x), f(x) + sin(x), f(y) - sin(x), Derivative(g(x, y), x), g(x, y) - f(x)])
def test_expressions_that_are_not_zero(other: Expr) -> None:
    assert not is_zero_given(DEFINITIONS, other)


def premises_before(derivation: Derivation, number: int) -> list[Equality]:
    return [step.equation for step in derivation.steps[:number] if is_premise(step.annotation)]


def test_no_derivation_divides_by_zero(sampled: list[Derivation]) -> None:
    attempt = sample_derivation(SamplingSettings(), 0, 4883)  # it once divided by zero
    assert attempt is not None
    divisions = 0
    for derivation in (*sampled, attempt):
        for number, annotation in enumerate(derivation.annotations):
            if annotation[0] == "divide":
                assert not is_zero_given(premises_before(derivation, number), read_operand(annotation[2]))
                divisions += 1
    assert divisions > 5
