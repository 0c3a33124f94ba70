"""The operators reproduce the released steps and obey the laws of algebra and calculus."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol, cos, exp, log, sin, sympify

from mathderive.symbolic.engine.derivation import Annotation, Derivation, Step, write_operand
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, is_premise
from mathderive.symbolic.engine.operators.substitution import substitute
from mathderive.symbolic.engine.replay import apply_annotation, follows, replays
from tests.support.released_records import MODELS, UNRENAMED, derivation_of, load

x, y, z, C = (Symbol(name) for name in "xyzC")
f = Function("f")
EQUATION = Equality(f(x), exp(x) * y, evaluate=False)


def no_constant() -> Symbol:
    raise AssertionError("no constant is needed")


def run(name: str, *operands: Expr, equation: Equality = EQUATION, constant: Symbol = C) -> Equality:
    return apply_annotation((name, 1, *map(write_operand, operands)), [equation], lambda: constant)


def test_every_released_step_follows(shared_reference: Path) -> None:
    failing = set()
    for model in MODELS:
        for example in load(shared_reference, model).examples:
            for position, holds in enumerate(replays(derivation_of(example)), start=1):
                if not holds:
                    failing.add((example.id, position))
    assert failing == {(UNRENAMED, 4), (UNRENAMED, 5)}


def test_a_wrong_equation_does_not_follow(golden_derivations: list[Derivation]) -> None:
    for derivation in golden_derivations:
        for position, step in enumerate(derivation.steps):
            if not is_premise(step.annotation):
                wrong = Equality(step.equation.lhs + Symbol("wrong"), step.equation.rhs, evaluate=False)
                assert not follows(Step(wrong, step.annotation), derivation.equations[:position])


def test_there_are_eighteen_operators() -> None:
    assert len(OPERATORS) == 18


@pytest.mark.parametrize(("there", "back"), [("add", "minus"), ("times", "divide")])
def test_inverse_operations_cancel(there: str, back: str) -> None:
    assert run(back, z, equation=run(there, z)) == EQUATION


def test_functions_act_on_both_sides() -> None:
    for name, function in {"cos": cos, "sin": sin, "exp": exp, "log": log}.items():
        assert run(name).args == (function(f(x)), function(exp(x) * y))


def test_differentiate_and_integrate_stay_unevaluated() -> None:
    assert run("differentiate", x).rhs == Derivative(exp(x) * y, x)
    assert run("integrate", x).rhs == Integral(exp(x) * y, x)


def test_substitution_goes_both_ways() -> None:
    rule = Equality(exp(x), f(y), evaluate=False)
    assert apply_annotation(("substitute_LHS_for_RHS", 1, 2), [EQUATION, rule], no_constant).rhs == f(y) * y
    assert apply_annotation(
        ("substitute_RHS_for_LHS", 2, 1), [EQUATION, Equality(x, exp(x) * y)], no_constant
    ).rhs == f(x)


def test_substitution_that_changes_nothing_gives_nothing() -> None:
    assert substitute(EQUATION, z, y) is None


def smooth_functions() -> st.SearchStrategy[Expr]:
    """Functions of x and y that are smooth everywhere and moderate between 0 and 1."""

    def extend(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
        return st.one_of(
            st.builds(lambda left, right: left + right, inner, inner),
            st.builds(lambda left, right: left * right, inner, inner),
            st.builds(lambda function, argument: function(argument), st.sampled_from((sin, cos)), inner),
            inner.map(lambda argument: exp(sin(argument))),
            inner.map(lambda argument: log(2 + cos(argument))),
        )

    return st.recursive(st.sampled_from((x, y)), extend, max_leaves=6)


@settings(max_examples=60, deadline=None)
@given(smooth_functions(), st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_evaluated_derivatives_agree_with_difference_quotients(function: Expr, at_x: float, at_y: float) -> None:
    equation = Equality(z, Derivative(function, x), evaluate=False)
    exact = apply_annotation(("evaluate_derivatives", 1), [equation], no_constant).rhs.subs({x: at_x, y: at_y})
    step = 1e-6
    after, before = (function.subs({x: at_x + shift, y: at_y}) for shift in (step, -step))
    assert float(exact) == pytest.approx(float((after - before) / (2 * step)), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        ("premise", "derives nothing"),
        (("get_premise",), "derives nothing"),
        (("solve", 1), "derives nothing"),
        (("cos",), "step number"),
        (("cos", 0), "step number"),
        (("cos", 5), "not there"),
        (("cos", 1, "Integer(2)"), "one equation"),
        (("add", 1), "an operand"),
        (("add", 1, "oops("), "srepr"),
        (("substitute_LHS_for_RHS", 1), "step number"),
        (("differentiate", 1, "Integer(2)"), "SymPy raises"),
    ],
)
def test_an_annotation_that_cannot_be_applied_is_refused_with_the_reason(annotation: Annotation, says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        apply_annotation(annotation, [EQUATION], no_constant)


@pytest.mark.parametrize(
    ("name", "sides", "operand"),
    [
        ("power", (10, x), 10**6),
        ("power", (7**100, x), 7**100),
        ("times", (x, y), 0),
        ("minus", (x, x + 0 * y), x),
    ],
)
def test_a_result_that_is_not_an_equation_or_too_large_is_refused(
    name: str, sides: tuple[Any, Any], operand: Any
) -> None:
    with pytest.raises(OperatorError):
        apply_annotation((name, 1, write_operand(sympify(operand))), [Equality(*sides, evaluate=False)], no_constant)


def test_a_substitution_builds_no_tower_of_powers() -> None:
    tower = Equality(f(y), x ** (x**x), evaluate=False)
    with pytest.raises(OperatorError, match="bits"):
        apply_annotation(("substitute_LHS_for_RHS", 1, 2), [tower, Equality(x, 9, evaluate=False)], no_constant)


def test_an_expansion_into_too_many_terms_is_not_begun() -> None:
    with pytest.raises(OperatorError, match="terms"):
        run("expand", equation=Equality(f(x), (x + y + z + C) ** 200, evaluate=False))
