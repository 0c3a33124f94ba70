"""What the sampler refuses although an operator could do it: operands and sides that are zero or have no value."""

import random

import pytest
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol, exp, sin

from mathderive.symbolic.engine.history import History, is_acceptable
from mathderive.symbolic.engine.operators import OPERATORS
from mathderive.symbolic.engine.operators.premises import draw_renaming_premise

x, y = Symbol("x"), Symbol("y")
f, g = Function("f"), Function("g")
PREMISE = Equality(f(x), sin(x))
ZERO = f(x) - sin(x)
"""An expression that is 0 under the premise."""


def allows(name: str, equation: Equality, operand: Expr | None = None) -> bool:
    guard = OPERATORS[name].guard
    assert guard is not None
    return guard([PREMISE], equation, operand)


@pytest.mark.parametrize("name", ["times", "divide"])
def test_no_equation_is_multiplied_or_divided_by_zero(name: str) -> None:
    assert not allows(name, PREMISE, ZERO)
    assert not allows(name, PREMISE, x * ZERO)
    assert not allows(name, PREMISE, Integral(ZERO, x))
    assert allows(name, PREMISE, f(x))


def test_no_side_that_is_zero_is_raised_to_a_power() -> None:
    assert not allows("power", Equality(ZERO, x, evaluate=False), y)
    assert not allows("power", Equality(x, ZERO**2, evaluate=False), y)
    assert allows("power", Equality(1 / (1 + ZERO), x, evaluate=False), y)
    assert allows("power", PREMISE, y)


@pytest.mark.parametrize("name", ["cos", "sin", "exp", "log"])
def test_no_function_is_applied_to_an_integral_of_zero(name: str) -> None:
    assert not allows(name, Equality(Integral(ZERO, x), x, evaluate=False))
    assert allows(name, Equality(ZERO, x, evaluate=False))
    assert allows(name, Equality(Integral(f(x), x), x, evaluate=False))


def test_a_renaming_premise_names_no_constant_of_integration() -> None:
    history = History()
    history.append(Equality(f(x), exp(x)), "premise")
    history.append(Equality(Integral(f(x), x), exp(x) + Symbol("C"), evaluate=False), ("evaluate_integrals", 1))
    for seed in range(30):
        premise = draw_renaming_premise(history, ("g", "h"), random.Random(seed))
        assert premise is not None
        assert Symbol("C") not in premise.free_symbols


def test_the_order_of_a_derivative_is_a_number() -> None:
    assert is_acceptable(Equality(g(x), Derivative(f(x), (x, 2)), evaluate=False), 350)
    assert not is_acceptable(Equality(g(x), Derivative(f(x), (x, y)), evaluate=False), 350)
