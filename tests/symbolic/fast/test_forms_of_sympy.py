"""Integrals that SymPy 1.5.1 gives forms of its own: powers of binomials, Gaussians, coefficients, and signs."""

import pytest
from sympy import Derivative, Expr, Function, I, Integral, S, Symbol, cos, erf, erfi, exp, log, pi, sin, sqrt

from mathderive.symbolic.fast.integration import IntegralError, evaluate_integral

x, y, z = (Symbol(name) for name in "xyz")
f = Function("f")


@pytest.mark.parametrize(
    "integrand",
    [
        *((x**y + z) ** y, (x**2 + z) ** y, x * (x**y + z) ** z, x**y * (z - x**y) ** z, (x**3 + 1) ** y),
        *((y + z / x**2) ** z, (x**2 + f(y)) ** z, sqrt(y + x**z), 1 / (x**y + z), (x**y + z) ** -2),
        x + y * (z + x**y) ** y,
    ],
    ids=str,
)
def test_powers_of_binomials_are_refused(integrand: Expr) -> None:
    """SymPy 1.5.1 gives hypergeometric and Lerch functions."""
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(integrand, x))


@pytest.mark.parametrize(
    "integrand",
    [(x**2 + x * y) ** z, (x**2 + x + y) ** z, (x**y - x) ** z, ((x * z) ** y + 1) ** z, (y**x + z) ** z],
    ids=str,
)
def test_powers_of_sums_that_are_no_binomials_stay(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


AUTHORS_GAUSSIANS: dict[Expr, Expr] = {
    exp(-(x**2) * y**2): sqrt(pi) * erf(x * sqrt(y**2)) / (2 * sqrt(y**2)),
    exp(x**2 * y**2): -I * sqrt(pi) * erf(I * x * sqrt(y**2)) / (2 * sqrt(y**2)),
    exp(x**2 / (2 * y)): -sqrt(2) * I * sqrt(pi) * erf(sqrt(2) * I * x * sqrt(1 / y) / 2) / (2 * sqrt(1 / y)),
    exp(-(x**2) / (y + 2)): sqrt(pi) * erf(x * sqrt(1 / (y + 2))) / (2 * sqrt(1 / (y + 2))),
    exp(x**2 * exp(y)): -I * sqrt(pi) * erf(I * x * sqrt(exp(y))) / (2 * sqrt(exp(y))),
    exp(x**2 * y**2 / z): -I * sqrt(pi) * erf(I * x * sqrt(y**2) * sqrt(1 / z)) / (2 * sqrt(y**2) * sqrt(1 / z)),
    exp(x**2 * y + z): sqrt(pi) * sqrt(1 / y) * exp(z) * erfi(x * sqrt(y)) / 2,
}
"""Integrals by x of exponentials of squares as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_GAUSSIANS, ids=str)
def test_gaussians_come_in_the_authors_form(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value == AUTHORS_GAUSSIANS[integrand]
    difference = (value.diff(x) - integrand).subs({x: 0.7, y: 1.3, z: 0.4}).evalf(60)
    assert abs(complex(difference)) < 1e-12


@pytest.mark.parametrize(
    "integrand",
    [
        *(exp(x**2 * y), exp(-(x**2) * y * z), exp(x**2 * log(y)), exp(x**2 * sin(y) ** 2), exp(x**2 * y**3)),
        *(exp(x**2 * (y + z)), exp(x**2 * (y**2 + 2)), exp(x**2 * z * (y + 1))),
    ],
    ids=str,
)
def test_gaussians_with_cases_are_refused(integrand: Expr) -> None:
    """In SymPy 1.5.1, a coefficient may be zero, or the root of a sum is taken on its Riemann surface."""
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(integrand, x))


AUTHORS_TEXTS: dict[Expr, Expr | None] = {
    -1 - cos(x) ** 2 / sin(x) ** 2: cos(x) / sin(x),
    -1 + 1 / y: None,
    -y + 1 / y: None,
    2 + 1 / y: x * (2 + 1 / y),
    exp(f(x)) ** y * Derivative(f(x), x): None,
}
"""What SymPy 1.5.1 replaces integrals by x by, because the simplified texts differ; None where they do not."""


@pytest.mark.parametrize("integrand", AUTHORS_TEXTS, ids=str)
def test_integrals_are_replaced_where_sympys_texts_differ(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) == AUTHORS_TEXTS[integrand]


AUTHORS_COEFFICIENTS: dict[Expr, Expr] = {
    log(x + y) - y: y * log(x + y) + x * (-y - 1) + x * log(x + y),
    log(x) - y / z - 1: x * log(x) + x * (-y - 2 * z) / z,
    log(x + z) + f(y) / exp(y): z * log(x + z) - x * (exp(y) - f(y)) * exp(-y) + x * log(x + z),
    (y - 1) * exp(x) + x * (y - 1): x**2 * (y / 2 - 1 / S(2)) + (y - 1) * exp(x),
}
"""Integrals by x of sums with a logarithm or an exponential as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_COEFFICIENTS, ids=str)
def test_coefficients_come_in_the_authors_form(integrand: Expr) -> None:
    assert str(evaluate_integral(Integral(integrand, x))) == str(AUTHORS_COEFFICIENTS[integrand])


def test_a_derivative_that_is_a_negated_sum_is_multiplied_out() -> None:
    """The sign depends on the order of the names."""
    function, variable = Function("x0")(Symbol("x1")), Symbol("x1")
    derivative = Derivative(sin(variable) - function**2, (variable, 2))
    value = evaluate_integral(Integral(derivative, variable))
    assert isinstance(value, Integral)
    assert value.function.is_Add
