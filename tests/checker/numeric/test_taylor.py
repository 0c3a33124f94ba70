"""Power series give the derivatives that SymPy and mpmath know."""

import math

import mpmath
import numpy as np
import pytest
import sympy
from sympy import Derivative, Function, Integral, Symbol

from mathderive.checker.numeric.evaluator import REGIONS, Definitions, Evaluator
from mathderive.checker.numeric.functions import FUNCTIONS, raise_to
from mathderive.checker.numeric.taylor import Taylor, UnsupportedError, coefficient

x, y = Symbol("x"), Symbol("y")
WITHOUT_DERIVATIVE = {"Abs", "sign", "re", "im", "arg"}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_has_its_derivatives(name: str) -> None:
    places = np.array([1.31, 1.62] if name in ("acosh", "li") else [0.27, 0.83])
    series = Taylor(1, [places + 0j, np.ones(1, complex), np.zeros(1, complex), np.zeros(1, complex)])
    if name in WITHOUT_DERIVATIVE:
        assert np.allclose(np.asarray(FUNCTIONS[name](places + 0j)), [complex(getattr(sympy, name)(p)) for p in places])
        with pytest.raises(UnsupportedError):
            FUNCTIONS[name](series)
        return
    value = FUNCTIONS[name](series)
    for order in range(4):
        derivative = getattr(sympy, name)(x).diff(x, order) if order else getattr(sympy, name)(x)
        expected = [complex(derivative.subs(x, sympy.Float(place, 40)).evalf(25)) for place in places]
        found = np.asarray(coefficient(value, 1, order)) * math.factorial(order)
        assert np.allclose(found, expected, rtol=1e-10), order


def test_a_power_of_itself() -> None:
    series = Taylor(1, [np.array([0.3, 0.7], complex), np.ones(1, complex), np.zeros(1, complex)])
    value = raise_to(series, series)
    for order in range(3):
        expected = [complex((x**x).diff(x, order).subs(x, place)) if order else place**place for place in (0.3, 0.7)]
        assert np.allclose(np.asarray(coefficient(value, 1, order)) * math.factorial(order), expected)


def test_derivatives_within_derivatives_are_kept_apart() -> None:
    """d/dx (x * d/dy (x*y + x)) at y = x: mistaking one small quantity for the other gives 3x, not 2x."""
    inner = Derivative(x * y**2, y, evaluate=False)
    assert agrees(Derivative(x * inner, x, evaluate=False), 4 * x * y)
    f = Function("f")
    definitions = Definitions()
    definitions.define(f(x), Derivative(x**3, x, evaluate=False))
    evaluator = Evaluator(definitions)
    assert np.allclose(evaluator.value(Derivative(f(x), x)), evaluator.value(6 * x))


EXPRESSIONS = [
    (Derivative(sympy.sin(x * y) ** 2 * sympy.exp(x / y), x, x, y, evaluate=False), None),
    (Derivative((-sympy.sin(x)) ** x, x, evaluate=False), None),
    (Derivative(sympy.log(-sympy.cos(x) * y), x, evaluate=False), None),
    (Derivative(Integral(sympy.exp(x * y), x), x, evaluate=False), sympy.exp(x * y)),
    (Integral(sympy.exp(x) * sympy.cos(y), (x, 0, y)), (sympy.exp(y) - 1) * sympy.cos(y)),
    (Integral(x * y, (x, 0, y), (y, 0, 1)), sympy.Rational(1, 8)),
    (Derivative(Integral(sympy.cos(x * y), (x, 0, 1)), y, evaluate=False), (sympy.sin(y) / y).diff(y)),
]


@pytest.mark.parametrize(("expression", "value"), EXPRESSIONS)
def test_derivatives_and_integrals_are_carried_out(expression: sympy.Expr, value: sympy.Expr | None) -> None:
    assert agrees(expression, expression.doit() if value is None else value)


def test_an_integral_that_has_no_closed_form() -> None:
    definite = Integral(sympy.sin(x**2 * y) / (x + 1), (x, 0, 2))
    evaluator = Evaluator(Definitions())
    for place, found in zip(evaluator.value(y), evaluator.value(definite), strict=True):
        expected = mpmath.quad(lambda t, c=place: mpmath.sin(t**2 * c) / (t + 1), [0, 1, 2])
        assert abs(found - complex(expected)) < 1e-10


def agrees(first: sympy.Expr, second: sympy.Expr) -> bool:
    """Whether two expressions have the same values in every region."""
    evaluators = [Evaluator(Definitions(), region) for region in range(len(REGIONS))]
    return all(np.allclose(evaluator.value(first), evaluator.value(second), rtol=1e-8) for evaluator in evaluators)
