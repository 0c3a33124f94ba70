"""What the sampler refuses although an operator could do it: operands and sides that are zero or have no value."""

import random
from pathlib import Path

import pytest
from sympy import Derivative, Equality, Expr, Function, I, Integer, Integral, S, Symbol, cos, exp, log, pi, sin

from mathderive.symbolic.engine.derivation import step_references
from mathderive.symbolic.engine.history import History, is_acceptable
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, is_premise
from mathderive.symbolic.engine.operators.premises import draw_renaming_premise
from mathderive.symbolic.engine.operators.registry import FIRST_PREMISE
from mathderive.symbolic.engine.replay import apply_annotation
from tests.support.released_records import derivation_of, load

x, y, C, K = (Symbol(name) for name in "xyCK")
f, g = Function("f"), Function("g")
PREMISE = Equality(f(x), sin(x))
ZERO = f(x) - sin(x)
"""An expression that is 0 under the premise."""


def allows(name: str, equation: Equality, operand: Expr | None = None, premise: Equality = PREMISE) -> bool:
    guard = OPERATORS[name].guard
    assert guard is not None
    return guard([premise], equation, operand)


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
    assert allows(name, Equality(ZERO, x, evaluate=False)) == (name != "log")
    assert allows(name, Equality(Integral(f(x), x), x, evaluate=False))


@pytest.mark.parametrize("zero", [ZERO, x * ZERO, Derivative(S.NegativeOne, x), Derivative(f(x) - sin(x), x)])
def test_no_logarithm_of_zero_is_taken(zero: Expr) -> None:
    assert not allows("log", Equality(zero, x, evaluate=False))
    assert not allows("log", Equality(x, zero, evaluate=False))


@pytest.mark.parametrize("name", ["times", "divide"])
def test_an_integral_less_its_value_is_taken_for_zero(name: str) -> None:
    """`C - cos(x)` may be the integral's value, so nothing is divided by the difference."""
    assert not allows(name, PREMISE, C - cos(x) - Integral(sin(x), x))
    assert not allows(name, PREMISE, x * (C - cos(x) - Integral(f(x), x)))
    assert allows(name, PREMISE, C)
    assert allows(name, PREMISE, C + cos(x) - Integral(sin(x), x))
    assert allows(name, PREMISE, x - cos(x) - Integral(sin(x), x))


@pytest.mark.parametrize("name", ["differentiate", "integrate"])
def test_no_constant_that_may_depend_on_another_is_a_variable(name: str) -> None:
    assert not allows(name, Equality(Integer(0), C - K, evaluate=False), C)
    assert not allows(name, Equality(C + Integral(f(x), x), Integral(x * f(x), x), evaluate=False), C)
    assert allows(name, Equality(C - cos(x), Integral(f(x), x), evaluate=False), C)
    assert allows(name, Equality(C - K, x, evaluate=False), x)


def test_no_function_is_a_variable_beside_its_own_arguments() -> None:
    """SymPy takes x for constant where it integrates or differentiates by f(x)."""
    assert not allows("evaluate_integrals", Equality(Integral(x - f(x), f(x)), x, evaluate=False))
    assert not allows("evaluate_integrals", Equality(Integral(1 + Integral(x, f(x)), f(x)), x, evaluate=False))
    assert not allows("evaluate_derivatives", Equality(Derivative(x * f(x), f(x)), x, evaluate=False))
    for hidden in (f(x) ** x, y * f(x) ** x, Derivative(f(x), x) + f(x)):
        assert not allows("evaluate_derivatives", Equality(Derivative(hidden, f(x)), y, evaluate=False))
    for hidden in (log(f(x) ** x), f(x) - f(x) ** 2 * x):
        assert not allows("evaluate_integrals", Equality(Integral(hidden, f(x)), y, evaluate=False))
    assert allows("evaluate_integrals", Equality(Integral(y * f(x), f(x)), x, evaluate=False))
    assert allows("evaluate_derivatives", Equality(Derivative(y * f(x), f(x)), x, evaluate=False))


def test_derivatives_are_by_symbols_and_functions() -> None:
    by_derivative = Derivative(x * Symbol("D"), Symbol("D")).subs(Symbol("D"), Derivative(f(x), x))
    assert not is_acceptable(Equality(x, by_derivative, evaluate=False), 350)
    assert is_acceptable(Equality(x, Derivative(y * f(x), f(x)), evaluate=False), 350)


@pytest.mark.parametrize(
    "inner",
    [
        Integral(Integral(exp(x), x) / x, x),
        Integral(cos(x) / Integral(cos(x), x), x),
        Integral(Integral(exp(x), x), x, (x, y)),
    ],
)
def test_no_integral_is_evaluated_within_another(inner: Expr) -> None:
    r"""`\int e^{x} dx = C + e^{x}` would go on to `K + Ei(x)` for the integral of its quotient by x, without C."""
    assert not allows("evaluate_integrals", Equality(inner, f(x), evaluate=False))
    assert not allows("evaluate_integrals", Equality(f(x), 1 + inner**2, evaluate=False))


@pytest.mark.parametrize(
    "integral",
    [
        Integral(exp(x), x),
        Integral(x + exp(x), (x, f(x))),
        # The outer integral stays, and the inner one has a constant of its own.
        Integral(f(x) ** Integral(exp(x), x), x),
        # The inner integral stays as it is.
        Integral(exp(x) + Integral(f(y), y), x),
    ],
)
def test_integrals_that_keep_their_constants_are_evaluated(integral: Expr) -> None:
    premise = Equality(g(x, y), x + y, evaluate=False)
    assert allows("evaluate_integrals", Equality(integral, f(x), evaluate=False), premise=premise)


def test_nothing_is_evaluated_that_depends_on_a_constant_of_integration() -> None:
    """`f(x)` may depend on C, which no premise mentions."""
    assert not allows("evaluate_integrals", Equality(Integral(C + f(x), C), K, evaluate=False))
    assert not allows("evaluate_derivatives", Equality(Derivative(f(x), C), Derivative(sin(x) + C, C), evaluate=False))
    assert not allows("evaluate_derivatives", Equality(f(x), Derivative(x * C, x, C), evaluate=False))
    assert allows("evaluate_derivatives", Equality(Derivative(f(x), x), Derivative(sin(x) + C, x), evaluate=False))


def test_no_derivative_of_a_repeated_integral_is_evaluated() -> None:
    r"""Its LaTeX has `\iint`; SymPy leaves out what the inner constant contributes."""
    repeated = Derivative(Integral(sin(x) - 1, x, x), x)
    assert not allows("evaluate_derivatives", Equality(repeated, f(x), evaluate=False))
    assert allows("evaluate_derivatives", Equality(Derivative(Integral(f(x), x), x), f(x), evaluate=False))


def test_every_evaluation_of_the_authors_is_allowed(shared_reference: Path) -> None:
    for example in load(shared_reference, "gpt-4").examples:
        steps = derivation_of(example).steps
        for position, step in enumerate(steps):
            name = str(step.annotation[0])
            if name in ("evaluate_integrals", "evaluate_derivatives"):
                before = steps[step_references(step.annotation)[0] - 1].equation
                premises = [earlier.equation for earlier in steps[:position] if is_premise(earlier.annotation)]
                guard = OPERATORS[name].guard
                assert guard is not None
                assert guard(premises, before, None), example.id


def test_an_integral_on_which_sympy_fails_is_left_to_the_operator() -> None:
    fails = Equality(Integral(Integral((-x) ** x, x) / (f(x) + exp(y)), y), y, evaluate=False)
    assert allows("evaluate_integrals", fails)
    with pytest.raises(OperatorError, match="PolynomialError"):
        apply_annotation(("evaluate_integrals", 1), [fails], lambda: C)


def test_no_integral_of_zero_is_rewritten() -> None:
    assert not allows("evaluate_integrals", Equality(Integral(sin(x) / f(x) - 1, x), x, evaluate=False))
    assert allows("evaluate_integrals", Equality(Integral(sin(x) / f(x) + 1, x), x, evaluate=False))


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


def test_no_number_is_printed_like_a_name_of_the_derivation() -> None:
    history = History()
    history.append(Equality(f(Symbol(r"\pi")), sin(Symbol(r"\pi")), evaluate=False), FIRST_PREMISE)
    assert history.is_ambiguous_with(Equality(x, pi * x, evaluate=False))
    assert not history.is_ambiguous_with(Equality(x, I * x, evaluate=False))
    history.append(Equality(x, I * x, evaluate=False), ("times", 1, I))
    assert history.is_ambiguous_with(Equality(x, Symbol("i"), evaluate=False))
    assert not history.is_ambiguous_with(Equality(x, Symbol(r"\pi"), evaluate=False))
