"""Which integrals are evaluated: the measured quirk, and calculus."""

import time

import pytest
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol, cos, exp, log, sin

from mathderive.symbolic.engine.replay import apply_annotation
from mathderive.symbolic.fast.integration import IntegralError, evaluate_integral

x, y, z = (Symbol(name) for name in "xyz")
f = Function("f")


@pytest.mark.parametrize("integrand", [2 * x, x * y, y * sin(x), x / y, -exp(x), f(x), f(x) + x, x**x, exp(cos(x))])
def test_left_alone(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


@pytest.mark.parametrize(
    "integrand",
    [
        *(1 + 0 * x, x, x + y, exp(x), log(x), sin(x), cos(x + y), 1 / x, x**2, sin(x) ** 2, x * exp(x), x * sin(x)),
        *(x * log(x), exp(x) * sin(x), cos(log(x)) / x, exp(x) * cos(exp(x)), exp(x) * exp(exp(x)), 1 / (x**2 - 1)),
        Derivative(sin(x), x),
        Integral(1, x) - 1,
    ],
    ids=str,
)
def test_evaluated_to_an_antiderivative(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value is not None
    difference = value.diff(x) - integrand.doit()
    for point in (0.3, 1.7, 2.9):
        assert abs(complex(difference.subs({x: point, y: 0.8}).evalf())) < 1e-9


@pytest.mark.parametrize("integrand", [exp(x) / (exp(3 * x) + exp(x) + 1), y / (y * x**5 - x + 3)])
def test_sums_over_roots_are_no_antiderivatives_here(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


def test_derivatives_of_undefined_functions_are_undone() -> None:
    assert evaluate_integral(Integral(Derivative(f(x), x), x)) == f(x)
    assert evaluate_integral(Integral(Derivative(f(x, y), x, y), x)) == Derivative(f(x, y), y)


def test_cases_are_refused() -> None:
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(x**y, x))


def test_names_do_not_matter() -> None:
    value = evaluate_integral(Integral(log(x), x))
    assert value is not None
    for name in ("A", r"\rho", "zz"):
        other = Symbol(name)
        assert evaluate_integral(Integral(log(other), other)) == value.xreplace({x: other})


def test_an_equation_with_a_merged_integral_is_left_alone() -> None:
    equation = Equality(Integral(f(x, y), x, y), Integral(exp(x), x), evaluate=False)
    assert apply_annotation(("evaluate_integrals", 1), [equation], lambda: z) == equation


def test_each_integral_draws_its_constant_and_equal_ones_share_it() -> None:
    constants = iter([Symbol("a"), Symbol("b")])
    equation = Equality(Integral(exp(x), x) + Integral(exp(x), x), f(x) * Integral(sin(x), x), evaluate=False)
    result = apply_annotation(("evaluate_integrals", 1), [equation], lambda: next(constants))
    assert result.lhs == 2 * exp(x) + 2 * Symbol("a")
    assert result.rhs == f(x) * (Symbol("b") - cos(x))


def test_integrals_within_a_derivative_are_not_tried_without_bounds() -> None:
    hard = Integral(Derivative((f(x, y) / (x * y)) ** y, y), x, x)
    equation = Equality(z, Derivative(hard, x), evaluate=False)
    start = time.process_time()
    assert apply_annotation(("evaluate_derivatives", 1), [equation], lambda: z).rhs.has(Integral)
    assert time.process_time() - start < 5


def test_a_remainder_without_an_antiderivative_is_not_searched_for() -> None:
    tower = Integral(log(log(x)), x) ** x
    start = time.process_time()
    assert evaluate_integral(Integral(Integral(Derivative(tower, (x, 2)), x) - 1, x)) == tower - x
    assert time.process_time() - start < 10
