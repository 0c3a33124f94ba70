"""The simplification gives the same expressions as SymPy's `simplify`, in the same form."""

import pytest
from sympy import (
    Abs,
    Derivative,
    Ei,
    Expr,
    Function,
    Integral,
    Symbol,
    Tuple,
    cos,
    cosh,
    exp,
    log,
    simplify,
    sin,
    sqrt,
    tan,
)
from sympy.core import random as sympy_random

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.fast.simplification import simplify_without_evaluation

x, y = Symbol("x"), Symbol("y")
f = Function("f")


def _assert_is_sympys(expression: Expr) -> None:
    sympy_random.seed(0)
    ours = simplify_without_evaluation(expression)
    sympy_random.seed(0)
    assert ours == simplify(expression, doit=False)


@pytest.mark.parametrize(
    "expression",
    [
        x**2 / 2 + x * log(y),
        (x**2 + x * y) / (x + y),
        sin(x) ** 2 + cos(x) ** 2,
        x * (x * cos(y) + sin(x - y) * cos(x - y)) / y**2,
        tan(x) * cos(x) / x,
        exp(x) * (exp(-x) + exp(y)),
        (exp(x) - exp(-x)) / 2,
        (1 - exp(2 * x)) * exp(-x),
        cosh(x) ** 2 - 1,
        (x - y) / (sqrt(2) + 3),
        1 / (x + sqrt(3)),
        -(x - y) / (y - x**2),
        log(x * y) + log(log(x) ** 2),
        x ** (y + 1) / x + (x * y) ** y,
        f(x, y) * Derivative(f(x, y), x) / f(x, y) ** 2 - 1 / f(x, y),
        Integral(x * (x + y) * f(x) / x, x) / (x * y - y),
        x + Integral(2 * f(x) + 2 * sin(y) * f(x), (x, x + x * y)),
        Ei(x * y + x) + Abs(x * y),
        x - x + Integral(0, x),
    ],
)
def test_the_form_is_sympys(expression: Expr) -> None:
    _assert_is_sympys(expression)


def test_sides_of_derivations_are_simplified_as_by_sympy(sampled: list[Derivation]) -> None:
    for derivation in sampled[:15]:
        for equation in derivation.equations[-2:]:
            for side in equation.args:
                if side.count_ops() < 15:
                    _assert_is_sympys(side)


def test_limits_stay_limits() -> None:
    assert simplify_without_evaluation(Tuple(x, y / y)) == Tuple(x, 1)
