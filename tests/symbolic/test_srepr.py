"""The reader and writer of the authors' expression format."""

import time
from pathlib import Path

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol, exp

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.srepr import SreprError, read_srepr, write_srepr
from tests.support.released_records import MODELS, load

NAMES = ("x", "y", r"\rho", r"\mathbf{E}", "C_1", r"f^{\prime}")


def expressions() -> st.SearchStrategy[sympy.Expr]:
    """Expressions of all kinds that occur in derivations."""
    symbols = st.sampled_from(NAMES).map(Symbol)
    numbers = st.integers(-9, 9).map(sympy.Integer) | st.just(sympy.Rational(1, 2))
    functions = st.sampled_from((sympy.sin, sympy.cos, sympy.exp, sympy.log, Function("g")))

    def extend(children: st.SearchStrategy[sympy.Expr]) -> st.SearchStrategy[sympy.Expr]:
        return st.one_of(
            st.builds(lambda left, right: left + right, children, children),
            st.builds(lambda left, right: left * right, children, children),
            st.builds(lambda base, exponent: base**exponent, children, symbols | st.just(sympy.Integer(2))),
            # The only constants are fractions, because the reader refuses large ones such as exp(exp(9)).
            st.builds(
                lambda function, argument: function(argument),
                functions,
                children.filter(lambda argument: argument.is_Rational or not argument.is_number),
            ),
            st.builds(lambda body, variable: Derivative(body, variable), children, symbols),
            st.builds(lambda body, variable: Integral(body, variable), children, symbols),
        )

    return st.recursive(symbols | numbers, extend, max_leaves=8)


def test_released_text_comes_back_exactly(shared_reference: Path) -> None:
    examples = [example for model in MODELS for example in load(shared_reference, model).examples]
    texts = {step.srepr for example in examples for step in example.steps}
    assert len(texts) > 900
    assert [text for text in sorted(texts) if write_srepr(read_srepr(text)) != text] == []


@settings(max_examples=150, deadline=None)
@given(expressions())
def test_written_expressions_read_back(expression: Expr) -> None:
    assert read_srepr(write_srepr(expression)) == expression


def test_a_moderate_constant_reads_back() -> None:
    """The value of e^(e^3) is about half a billion."""
    assert read_srepr(write_srepr(exp(exp(3)))) == exp(exp(3))


def test_sampled_equations_come_back_with_their_text(sampled: list[Derivation]) -> None:
    for derivation in sampled:
        for equation in derivation.equations:
            text = write_srepr(equation)
            assert read_srepr(text) == equation
            assert write_srepr(read_srepr(text)) == text


def test_an_equation_that_sympy_would_decide_stays_one() -> None:
    text = "Equality(Integer(1), Integer(1))"
    assert read_srepr(text) == Equality(1, 1, evaluate=False)
    assert write_srepr(read_srepr(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "Symbol('x').name",
        "Symbol('x', real=True)",
        "lambda: 0",
        "x",
        "",
        "1 + 1",
        "Integer(1.5)",
        "Integer(True)",
        "Integer(10**9)",
        "Integer(" + "9" * 1000 + ")",
        "Rational(1, 0)",
        "Equality(Integer(1))",
        "Add(Equality(Integer(1), Integer(2)))",
        "Function('')(Symbol('x'))",
        "Function('f')()",
        "Symbol('a\\nb')",
        "Derivative(Symbol('x'), Integer(2))",
        "Derivative(Symbol('x'), Tuple(Symbol('x'), Integer(1000)))",
        "Integral(Symbol('x'))",
        "Pow(Symbol('x'))",
        "sin(Symbol('x'), Symbol('y'))",
        "Mul(" * 50_000,
        "-" * 50_000 + "1",
        "Add(" * 300 + "Symbol('x')" + ")" * 300,
        "Symbol('x')" + " " * 100_000,
        "Pow(Integer(10), Pow(Integer(10), Integer(10)))",
        "Pow(Integer(9), Pow(Integer(9), Pow(Integer(9), Integer(9))))",
        "Pow(Pow(Integer(2), Integer(4000)), Integer(4000))",
        "Pow(Rational(1, 3), Integer(-1000000000))",
        "exp(Mul(Integer(1000000000), log(Integer(3))))",
        "Mul(Pow(Integer(2), Add(Symbol('x'), Integer(10000000000))), Pow(Integer(2), Mul(Integer(-1), Symbol('x'))))",
        "gamma(Integer(100000000))",
        "cos(exp(Integer(1180591620717411303424)))",
        "Pow(pi, Pow(Integer(10), Integer(30)))",
        "exp(exp(exp(Integer(9))))",
        "cos(Integral(sin(exp(Symbol('x'))), Tuple(Symbol('x'), Integer(0), oo)))",
    ],
    ids=lambda text: text[:50],
)
def test_hostile_text_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(SreprError):
        read_srepr(text)
    assert time.process_time() - start < 2
