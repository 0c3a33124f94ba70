"""Which integrals are evaluated: the measured quirk, and calculus."""

import time

import mpmath
import pytest
from sympy import (
    Ci,
    Derivative,
    Ei,
    Equality,
    Expr,
    Function,
    Integral,
    Si,
    Symbol,
    cos,
    erf,
    erfi,
    exp,
    expint,
    lambdify,
    li,
    log,
    pi,
    sin,
    sqrt,
    uppergamma,
)

from mathderive.symbolic.engine.replay import apply_annotation
from mathderive.symbolic.fast.antiderivatives import find_antiderivative
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
    inner = x * log(log(x)) - li(x)
    assert evaluate_integral(Integral(Integral(Derivative(tower, (x, 2)), x) - 1, x)) == exp(x * log(inner)) - x
    assert time.process_time() - start < 10


AUTHORS_FORMS: dict[Expr, Expr] = {
    cos(exp(x)): Ci(exp(x)),
    sin(exp(x)): Si(exp(x)),
    exp(exp(x)): Ei(exp(x)),
    exp(x) + sin(exp(x)): exp(x) + Si(exp(x)),
    cos(exp(x)) ** 2: x / 2 + Ci(2 * exp(x)) / 2,
    cos(y + exp(x)): -sin(y) * Si(exp(x)) + cos(y) * Ci(exp(x)),
    1 / log(x): li(x),
    log(log(x)): x * log(log(x)) - li(x),
    log(log(x * y)): x * log(log(x * y)) - li(x * y) / y,
    log(x) + log(log(x)): x * log(x) + x * log(log(x)) - x - Ei(log(x)),
    x * log(log(x)): x**2 * log(log(x)) / 2 - Ei(2 * log(x)) / 2,
    sin(log(x)): x * sin(log(x)) / 2 - x * cos(log(x)) / 2,
    cos(log(x)): x * sin(log(x)) / 2 + x * cos(log(x)) / 2,
    exp(y / x): x * exp(y / x) - y * Ei(y / x),
    cos(y / x): x * cos(y / x) + y * Si(y / x),
    sin(y / x): x * sin(y / x) - y * Ci(y / x) + y * log(y / x) - y * log(y**2 / x**2) / 2,
    cos(x) / x: Ci(x) + log(x**2) / 2 - log(x),
    cos(x + y) / x: -sin(y) * Si(x) + cos(y) * Ci(x),
    sin(x) / x: Si(x),
    exp(x) / x: Ei(x),
    exp(x) / x**2: Ei(x) - exp(x) / x,
    cos(x) / x**2: -Si(x) - cos(x) / x,
    sin(x) / x**2: -log(x) + log(x**2) / 2 + Ci(x) - sin(x) / x,
    log(x) * sin(x): -log(x) * cos(x) + Ci(x),
    log(x) * cos(x): log(x) * sin(x) - Si(x),
    exp(x) * log(x): exp(x) * log(x) - Ei(x),
    exp(x**2): sqrt(pi) * erfi(x) / 2,
    exp(-(x**2)): sqrt(pi) * erf(x) / 2,
    exp(-x) * exp(exp(x)): -exp(-x) * expint(2, -exp(x)),
    log(x + y) ** y: (-log(x + y)) ** -y * log(x + y) ** y * uppergamma(y + 1, -log(x + y)),
}
"""Integrals by x as SymPy 1.5.1's `Integral.doit` gives them."""


@pytest.mark.slow
@pytest.mark.parametrize("integrand", AUTHORS_FORMS, ids=str)
def test_special_functions_come_in_the_authors_form(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value == AUTHORS_FORMS[integrand]


@pytest.mark.parametrize("integrand", AUTHORS_FORMS, ids=str)
def test_special_functions_have_the_integrand_as_derivative(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value is not None
    in_numbers = lambdify((x, y), value, "mpmath")
    expected = lambdify((x, y), integrand, "mpmath")
    for point in (1.3, 2.1):
        assert abs(mpmath.diff(lambda place: in_numbers(place, mpmath.mpf("0.6")), point) - expected(point, 0.6)) < 1e-6


@pytest.mark.parametrize(
    "integrand", [exp(y**x), sin(y**x), exp(exp(x * y)), exp(x**y), cos(x**y), exp(x) ** y], ids=str
)
def test_cases_and_hypergeometric_functions_are_refused(integrand: Expr) -> None:
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(integrand, x))


@pytest.mark.parametrize("integrand", [exp(cos(x)), sin(sin(x)), log(cos(x)), cos(x) ** y, log(x) ** x, x**y + f(x)])
def test_what_sympy_leaves_stays(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


@pytest.mark.parametrize("integrand", [(x - y) / z, x * y + y, y * log(x)], ids=str)
def test_a_factor_before_a_sum_is_evaluated(integrand: Expr) -> None:
    """SymPy takes the factor out of the integral, but factorises the value."""
    assert evaluate_integral(Integral(integrand, x)) is not None


def test_a_special_value_beside_a_constant_stays() -> None:
    assert evaluate_integral(Integral(1 / log(x) - 1, x)) is None


def test_an_exponential_over_a_power_of_a_logarithm_is_not_searched_for_without_end() -> None:
    start = time.process_time()
    assert evaluate_integral(Integral((log(x) ** 2 - 1) / log(x), x)) is not None
    assert time.process_time() - start < 5


AUTHORS_REMAINDERS: dict[Expr, Expr] = {
    f(x) - y / x: -Integral(y / x, x) - Integral(-f(x), x),
    (f(x) - x) * Derivative(f(x), x): -Integral(x * Derivative(f(x), x), x) - Integral(-f(x) * Derivative(f(x), x), x),
    f(x) + x / y: (Integral(x, x) + Integral(y * f(x), x)) / y,
    y * (x + f(x)): y * (Integral(x, x) + Integral(f(x), x)),
    1 + 1 / f(x): Integral((f(x) + 1) / f(x), x),
    f(x) * Integral(log(x), x): Integral(x * (log(x) - 1) * f(x), x),
    Derivative(f(x) / x, x): Integral((x * Derivative(f(x), x) - f(x)) / x**2, x),
    exp(Derivative(y**x, y)): Integral(exp(y**x * x / y), x),
    Derivative(f(x, y) ** y, x): y * Integral(f(x, y) ** y * Derivative(f(x, y), x) / f(x, y), x),
}
"""Integrals by x that SymPy 1.5.1 evaluates in part, so that its values hold integrals."""


@pytest.mark.parametrize("integrand", AUTHORS_REMAINDERS, ids=str)
def test_what_is_left_of_an_integral_comes_in_the_authors_form(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value == AUTHORS_REMAINDERS[integrand]
    defined = (value.diff(x) - integrand).subs(f(x, y), sin(x) + y).subs(f(x), sin(x) + 2).doit()
    assert abs(complex(defined.subs({x: 0.7, y: 1.3}).evalf())) < 1e-9


@pytest.mark.parametrize(
    "integrand",
    [
        x * exp(y**x),
        2 * x * Derivative(f(x), x),
        Derivative(x * f(x), x),
        Derivative(Integral(f(x), x) * x, x),
        y * f(x),
        # Its value is exp(x), although the integral without its factor has cases.
        y * Derivative(exp(x) / y, x),
    ],
    ids=str,
)
def test_a_remainder_with_the_text_of_the_integral_stays(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


AUTHORS_SUBSTITUTIONS: dict[Expr, Expr] = {
    f(x) * Derivative(f(x), x): f(x) ** 2 / 2,
    Derivative(cos(f(x)), x): cos(f(x)),
    Derivative(log(f(x)), x): log(f(x)),
    Derivative(f(x), x) + x: x**2 / 2 + f(x),
    Derivative((y / x) ** x, x): (y / x) ** x,
    Derivative((x * y) ** x, x) - x: (x * y) ** x - x**2 / 2,
    Derivative(log(x) ** x, x): exp(x * log(log(x))),
    Derivative(exp(2 * x) ** x, x): exp(2 * x**2),
    exp(x**y) / x: Ei(x**y) / y,
    sin(x**y) / x: Si(x**y) / y,
    sin(sin(x)) * Derivative(sin(sin(x)), x): sin(sin(x)) ** 2 / 2,
    log(y) ** x * log(log(y)): log(y) ** x,
    Derivative(sin(x - f(x)), x): sin(x - f(x)),
    sin(x) ** 2 / x: log(x) / 2 - Ci(2 * x) / 2,
    sin(x - y) ** 2: (x * sin(x - y) ** 2 + x * cos(x - y) ** 2 - sin(x - y) * cos(x - y)) / 2,
    x * cos(2 * x) ** 2: x**2 * sin(2 * x) ** 2 / 4
    + x**2 * cos(2 * x) ** 2 / 4
    + x * sin(2 * x) * cos(2 * x) / 4
    + cos(2 * x) ** 2 / 16,
}
"""More integrals by x as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_SUBSTITUTIONS, ids=str)
def test_substitutions_come_in_the_authors_form(integrand: Expr) -> None:
    value = evaluate_integral(Integral(integrand, x))
    assert value == AUTHORS_SUBSTITUTIONS[integrand].expand(deep=False)
    difference = (value.diff(x) - integrand).subs(f(x), sin(x) + 2).doit()
    assert abs(complex(difference.subs({x: 0.7, y: 1.3}).evalf())) < 1e-9


AUTHORS_LOGARITHMS: dict[Expr, Expr] = {
    log(exp(x)): x**2 / 2,
    log(exp(x * y)): x**2 * y / 2,
    log(exp(x + y)): x**2 / 2 + x * y,
    log(exp(x) / y) ** 2: x**3 / 3 + x**2 * log(1 / y) + x * log(1 / y) ** 2,
    log(exp(x)) / x: x,
    log(exp(x)) * exp(x): (x - 1) * exp(x),
    log(exp(sin(x))): -cos(x),
}
"""Integrals by x of logarithms of exponentials as SymPy 1.5.1 gives them."""


@pytest.mark.parametrize("integrand", AUTHORS_LOGARITHMS, ids=str)
def test_logarithms_of_exponentials_come_in_the_authors_form(integrand: Expr) -> None:
    assert find_antiderivative(integrand, x) == AUTHORS_LOGARITHMS[integrand]


def test_logarithms_of_exponentials_that_have_cases_are_refused() -> None:
    for integrand in (Derivative(exp(x) ** y, y), cos(Integral(log(exp(x)), x))):
        with pytest.raises(IntegralError):
            evaluate_integral(Integral(integrand, x))


@pytest.mark.parametrize(
    "integrand",
    [
        *((y / x) ** z, x * x**y, x**y * (x + 1), (x + y) ** z / x, (x / z - y) ** y, x * exp(exp(x)), x * (y**x) ** z),
        *(cos(x**2), sin(x**2 + x), sin(x * y + x * z), (x**y - x) ** 2),
        *((y**x / z) ** z, (y * exp(x)) ** z),
    ],
    ids=str,
)
def test_more_cases_and_special_values_are_refused(integrand: Expr) -> None:
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(integrand, x))


def test_a_factor_decides_where_the_rest_has_cases() -> None:
    """SymPy finds a value for the whole, and cases for the integral without its factor, as for terms of a sum."""
    assert evaluate_integral(Integral(y * exp(x * y), x)) == exp(x * y)
    with pytest.raises(IntegralError):
        evaluate_integral(Integral(Derivative(f(x) - y**x, x), x))


@pytest.mark.parametrize("integrand", [0**x * x, 0**x / x, 0**x * sin(x), sin(0**x)], ids=str)
def test_powers_of_zero_do_not_fail(integrand: Expr) -> None:
    assert evaluate_integral(Integral(integrand, x)) is None


def test_an_integral_of_a_logarithm_of_an_undefined_function_stays() -> None:
    """SymPy 1.5.1 divides by zero here and gives an infinite value."""
    assert evaluate_integral(Integral(log(f(x)), x)) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("integrand", "is_evaluated"),
    [(exp(x) * log(exp(x) - y), True), (log(x) * log(x - y), False), (log(x) / log(x + 1), False)],
)
def test_integrands_that_keep_sympy_busy_for_ever_are_decided_soon(integrand: Expr, is_evaluated: bool) -> None:
    start = time.process_time()
    value = evaluate_integral(Integral(integrand, x))
    assert time.process_time() - start < 5
    assert (value is not None) == is_evaluated
    if value is not None:
        assert abs(complex((value.diff(x) - integrand).subs({x: 1.7, y: 0.3}).evalf())) < 1e-9


def test_large_integrands_without_an_antiderivative_are_not_factorised() -> None:
    start = time.process_time()
    assert evaluate_integral(Integral((f(x) + x + y + z + 1) ** 40, x)) is None
    assert time.process_time() - start < 5
