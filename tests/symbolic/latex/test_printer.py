"""LaTeX against the released text."""

from pathlib import Path
from typing import Any

import sympy
from hypothesis import given, settings
from sympy import Derivative, Equality, Expr, Function, Integral, Symbol

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.latex.printer import latex, plain_text, raw_latex
from tests.support.released_records import MODELS, derivation_of, load
from tests.symbolic.test_srepr import expressions


def test_every_released_equation_prints_as_released(shared_reference: Path) -> None:
    count = 0
    for model in MODELS:
        for example in load(shared_reference, model).examples:
            texts = tuple(latex(equation) for equation in derivation_of(example).equations)
            assert texts == tuple(example.target.split(" and "))
            count += len(texts)
    assert count > 4000


def test_golden_texts(golden: list[dict[str, Any]], golden_derivations: list[Derivation]) -> None:
    for item, derivation in zip(golden, golden_derivations, strict=True):
        assert [latex(equation) for equation in derivation.equations] == item["target"].split(" and ")


def test_behaviours_of_sympy_1_5_1() -> None:
    x = Symbol("x")
    rho, derived = Symbol(r"\rho_b"), Function(r"f^{\prime}")
    assert latex(Function("A_1")(x)) == r"\operatorname{A_{1}}{(x)}"
    assert latex(Function("C_1")(x) ** 2) == r"\operatorname{C_{1}}^{2}{(x)}"
    assert latex(rho) == r"\rho_b"
    assert latex(Function(r"\phi_1")(Symbol(r"\phi_1"))) == r"\phi_{1}{(\phi_1)}"
    assert latex(Derivative(-x, x)) == r"\frac{d}{d x} - x"
    assert latex(Integral(-x, x)) == r"\int - x dx"
    assert latex(derived(x) ** 2) == r"\operatorname{f^{\prime}}^{2}{(x)}"


def test_the_text_before_cleaning_is_longer() -> None:
    equation = Equality(Function("f")(Symbol("x")), Symbol("x") ** 2)
    assert raw_latex(equation) == r"f{\left(x \right)} = x^{2}"
    assert latex(equation) == "f{(x)} = x^{2}"


@settings(max_examples=100, deadline=None)
@given(expressions())
def test_caching_parts_changes_no_text(expression: Expr) -> None:
    assert plain_text(expression) == sympy.sstr(expression)
