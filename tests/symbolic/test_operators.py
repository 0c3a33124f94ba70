"""The operators: the released steps again, and the laws of algebra and calculus."""

import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Derivative, Equality, Function, Integral, Symbol, cos, exp, log, sin

from mathderive.symbolic.derivation import PREMISES, Step, write_operand
from mathderive.symbolic.operators import OPERATORS, OperatorError, apply, substitute
from mathderive.symbolic.replay import follows, replays
from tests.symbolic import released

x, y, z, C = (Symbol(name) for name in "xyzC")
f = Function("f")
EQUATION = Equality(f(x), exp(x) * y, evaluate=False)


def no_constant():
    raise AssertionError("no constant is needed")


def run(name, *operands, equation=EQUATION, constant=C):
    return apply((name, 1, *map(write_operand, operands)), [equation], lambda: constant)


def test_every_released_step_follows(shared_reference):
    failing = set()
    for file in released.FILES:
        for item in released.load(shared_reference, file):
            for position, holds in enumerate(replays(item.derivation), start=1):
                if not holds:
                    failing.add((item.row, item.set, position))
    assert failing == {(released.UNRENAMED_ROW, "VR", 4), (released.UNRENAMED_ROW, "VR", 5)}


def test_a_wrong_equation_does_not_follow(golden_derivations):
    for derivation in golden_derivations:
        for position, step in enumerate(derivation.steps):
            if step.annotation not in PREMISES:
                wrong = Equality(step.equation.lhs + Symbol("wrong"), step.equation.rhs, evaluate=False)
                assert not follows(Step(wrong, step.annotation), derivation.equations[:position])


def test_there_are_eighteen():
    assert len(OPERATORS) == 18


@pytest.mark.parametrize(("there", "back"), [("add", "minus"), ("times", "divide")])
def test_inverse_operations_cancel(there, back):
    assert run(back, z, equation=run(there, z)) == EQUATION


def test_functions_act_on_both_sides():
    for name, function in {"cos": cos, "sin": sin, "exp": exp, "log": log}.items():
        assert run(name).args == (function(f(x)), function(exp(x) * y))


def test_differentiate_and_integrate_stay_unevaluated():
    assert run("differentiate", x).rhs == Derivative(exp(x) * y, x)
    assert run("integrate", x).rhs == Integral(exp(x) * y, x)


def test_substitution_goes_both_ways():
    rule = Equality(exp(x), f(y), evaluate=False)
    assert apply(("substitute_LHS_for_RHS", 1, 2), [EQUATION, rule], no_constant).rhs == f(y) * y
    assert apply(("substitute_RHS_for_LHS", 2, 1), [EQUATION, Equality(x, exp(x) * y)], no_constant).rhs == f(x)


def test_substitution_that_changes_nothing_gives_nothing():
    assert substitute(EQUATION, z, y) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_evaluated_derivatives_agree_with_difference_quotients(sampled, seed):
    rng = random.Random(seed)
    equation = rng.choice(rng.choice(sampled).equations)
    side = next((side for side in equation.args if not side.has(Integral, Derivative, Function("undefined").__class__)), None)
    assume(side is not None and side.free_symbols and not side.atoms(*[type(f(x)).__mro__[1]]))
    variable = sorted(side.free_symbols, key=lambda symbol: symbol.name)[0]
    point = {symbol: rng.uniform(0.6, 1.4) for symbol in sorted(side.free_symbols, key=lambda symbol: symbol.name)}
    try:
        evaluated = run("evaluate_derivatives", equation=Equality(z, Derivative(side, variable), evaluate=False)).rhs
    except OperatorError:
        assume(False)
    step = 1e-6

    def value(at):
        return complex(side.evalf(30, subs={**point, variable: at}))

    quotient = (value(point[variable] + step) - value(point[variable] - step)) / (2 * step)
    exact = complex(evaluated.evalf(30, subs=point))
    assume(abs(exact) < 1e6)
    assert abs(quotient - exact) <= 1e-4 * max(1, abs(exact))


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
def test_what_cannot_be_carried_out_is_said(annotation, says):
    with pytest.raises(OperatorError, match=says):
        apply(annotation, [EQUATION], no_constant)


@pytest.mark.parametrize(
    ("name", "sides", "operand"),
    [
        ("power", (10, x), 10**6),
        ("power", (7**100, x), 7**100),
        ("times", (x, y), 0),
        ("minus", (x, x + 0 * y), x),
    ],
)
def test_what_is_no_equation_or_too_large_is_refused(name, sides, operand):
    from sympy import sympify

    with pytest.raises(OperatorError):
        apply((name, 1, write_operand(sympify(operand))), [Equality(*sides, evaluate=False)], no_constant)


def test_a_tower_is_not_built_by_substitution():
    tower = Equality(f(y), x ** (x**x), evaluate=False)
    with pytest.raises(OperatorError, match="bits"):
        apply(("substitute_LHS_for_RHS", 1, 2), [tower, Equality(x, 9, evaluate=False)], no_constant)


def test_an_expansion_is_not_begun_that_cannot_be_kept():
    with pytest.raises(OperatorError, match="terms"):
        run("expand", equation=Equality(f(x), (x + y + z + C) ** 200, evaluate=False))
