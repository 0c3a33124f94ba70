"""Waves, logarithms of towers and integrals by functions, in SymPy's form."""

import pytest
from sympy import Derivative, Ei, Expr, Function, Integral, Symbol, cos, exp, log, sin

from mathderive.symbolic.fast.integration import IntegralError, evaluate_integral

x, y, z = (Symbol(name) for name in "xyz")
f = Function("f")

AUTHORS_WAVES: dict[Expr, Expr] = {
    Derivative(exp(sin(x)), (x, 2)): exp(sin(x)) * cos(x),
    Derivative(exp(sin(x)), (x, 3)): -exp(sin(x)) * sin(x) + exp(sin(x)) * cos(x) ** 2,
    (x + y) * sin(x) ** 2: x**2 * sin(x) ** 2 / 4
    + x**2 * cos(x) ** 2 / 4
    + x * y * sin(x) ** 2 / 2
    + x * y * cos(x) ** 2 / 2
    - x * sin(x) * cos(x) / 2
    - y * sin(x) * cos(x) / 2
    - cos(x) ** 2 / 4,
    (x + 1) * sin(x) ** 2 * cos(x): x * sin(x) ** 3 / 3
    + sin(x) ** 3 / 3
    + sin(x) ** 2 * cos(x) / 3
    + 2 * cos(x) ** 3 / 9,
    exp(x) * sin(x) ** 2: 3 * exp(x) * sin(x) ** 2 / 5
    - 2 * exp(x) * sin(x) * cos(x) / 5
    + 2 * exp(x) * cos(x) ** 2 / 5,
    sin(x - y) * cos(x - y): -(cos(x - y) ** 2) / 2,
    x * sin(2 * (x + y)): -x * cos(2 * x + 2 * y) / 2 + sin(2 * x + 2 * y) / 4,
    # SymPy multiplies out the argument, and leaves this integral to its rules.
    sin((x + y) / z): -z * cos((x + y) / z),
}
"""Integrals by x of polynomials in waves and exponentials as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_WAVES, ids=str)
def test_polynomials_in_waves_come_in_the_authors_form(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value == AUTHORS_WAVES[integrand]
    assert abs(complex((value.diff(x) - integrand.doit()).subs({x: 0.7, y: 1.3, z: 0.6}).evalf())) < 1e-9


@pytest.mark.parametrize("integrand", [cos(y * x) * x, exp(x) * sin(x * y)], ids=str)
def test_waves_of_unknown_frequency_have_cases(integrand: Expr) -> None:
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(integrand, x))


AUTHORS_LOGARITHMS_OF_TOWERS: dict[Expr, Expr] = {
    log(x**x): x**2 * log(x) / 2 - x**2 / 4,
    x * log(x**x): x**3 * log(x) / 3 - x**3 / 9,
    log((x**y) ** x): x**2 * y * log(x) / 2 - x**2 * y / 4,
    log(x**x / y): x**2 * log(x) / 2 - x**2 / 4 + x * log(1 / y),
    log(x**x) ** 2: x**3 * log(x) ** 2 / 3 - 2 * x**3 * log(x) / 9 + 2 * x**3 / 27,
    log((x * y) ** x) / x: x * log(x * y) - x,
    log((y - x) ** x): x**2 * log(-x + y) / 2 - x**2 / 4 - x * y / 2 - y**2 * log(x - y) / 2,
    log(log(x) ** x): x**2 * log(log(x)) / 2 - Ei(2 * log(x)) / 2,
}
"""Integrals by x of logarithms of powers with x in base and exponent, as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_LOGARITHMS_OF_TOWERS, ids=str)
def test_logarithms_of_towers_come_in_the_authors_form(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) == AUTHORS_LOGARITHMS_OF_TOWERS[integrand]


@pytest.mark.parametrize("tower", [(log(x) ** x) ** x, ((x * y) ** x) ** x, (x**x) ** x], ids=str)
def test_powers_of_towers_keep_their_form(tower: Expr) -> None:
    assert evaluate_integral(Integral(Derivative(tower, x), x)) == tower
    assert evaluate_integral(Integral(Derivative(((1 / x) ** x) ** x, x), x)) == exp(-(x**2) * log(x))
    assert evaluate_integral(Integral(Derivative((exp(x) ** x) ** x, x), x)) == exp(x**3)


def test_a_factor_taken_out_of_a_logarithm_changes_the_text() -> None:
    value = evaluate_integral(Integral(x / (x * y * z - y), z))
    assert value == log(x * y * z - y) / y


def test_powers_of_integrals_are_not_found() -> None:
    value = evaluate_integral(Integral(Derivative(Integral(f(x), x) ** x, x), x))
    assert isinstance(value, Integral)


def test_coefficients_that_depend_on_each_other_come_in_the_authors_form() -> None:
    value = evaluate_integral(Integral(x - f(y) + log(z) / z, x))
    assert str(value) == "x**2/2 - x*(z*f(y) - log(z))/z"


def test_an_integral_by_a_function_is_one_by_a_symbol() -> None:
    """SymPy 1.5.1 takes all but the function's powers for constant, so that some of its values are false."""
    assert evaluate_integral(Integral(f(x) * cos(f(x)), f(x))) == f(x) * sin(f(x)) + cos(f(x))
    assert evaluate_integral(Integral(exp(f(x)) / f(x), f(x))) == Ei(f(x))
    assert evaluate_integral(Integral(y * exp(sin(f(x))), f(x))) is None
    by_parts = evaluate_integral(Integral(y + Derivative(f(x) / x, x), f(x)))
    assert by_parts == (x * y + Derivative(f(x), x)) * f(x) / x - f(x) ** 2 / (2 * x**2)
