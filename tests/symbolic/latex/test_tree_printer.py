"""Texts in the printer's style: they parse as before, and nothing in them is evaluated."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.texts import target
from mathderive.symbolic.latex.parser import LatexError, parse, readings
from mathderive.symbolic.latex.tree_printer import as_written
from mathderive.symbolic.prompts import SEPARATOR
from tests.support.released_records import MODELS, load


def check(text: str) -> bool:
    """Returns whether a text can be parsed, and checks that it then parses to the same in the printer's style."""
    try:
        sides = parse(text)
    except LatexError:
        return False
    assert sides in list(readings(as_written(text))), text
    return True


@pytest.mark.slow
def test_released_texts_parse_as_before(shared_reference: Path) -> None:
    texts = {
        equation
        for model in MODELS
        for released in [load(shared_reference, model)]
        for text in (*(e.target for e in released.examples), *(p.text for p in released.predictions))
        for equation in text.split(SEPARATOR)
    }
    assert sum(map(check, texts)) > 0.98 * len(texts) > 2000


def test_printed_equations_keep_their_text(sampled: list[Derivation]) -> None:
    for derivation in sampled:
        for equation in target(derivation).split(SEPARATOR):
            assert check(equation)
            assert signs(as_written(equation)) == signs(equation)


def signs(text: str) -> str:
    """The text without spaces, brackets and the commands around names."""
    return re.sub(r"[\s\\{}()]|operatorname", "", text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("x + x = 2 x", "x + x = 2 x"),
        ("b + a = 1 + 1", "b + a = 1 + 1"),
        (r"\frac{x}{x} = x^1", r"\frac{x}{x} = x^{1}"),
        ("(a + b) / 2 = -(-x)", r"\frac{a + b}{2} = - (- x)"),
        ("a (b c) = a - (b - c)", "a (b c) = a - (b - c)"),
        ("2 * 3 = x^2", r"2 \cdot 3 = x^{2}"),
        (r"\sin x = \sin(x) \cos^2{(x)}", r"\sin{(x)} = \sin{(x)} \cos^{2}{(x)}"),
        (r"\exp(x) = e^x", r"\exp{(x)} = e^{x}"),
        (r"\frac{dy}{dx} = \frac{\partial}{\partial x} y", r"\frac{d}{d x} y = \frac{\partial}{\partial x} y"),
        (r"\frac{d^2}{dx^2} f{(x)} = 0", r"\frac{d^{2}}{d x^{2}} f{(x)} = 0"),
        (r"\int x + 1 dx = \iint x dx dy", r"\int (x + 1) dx = \iint x dx dy"),
        (r"\int_{a}^{b} x dx = \sqrt{(x + 1)}", r"\int_{a}^{b} x dx = \sqrt{x + 1}"),
        (r"(\frac{d}{d x} f{(x)}) g{(x)} = (x^{2})^{3}", r"(\frac{d}{d x} f{(x)}) g{(x)} = (x^{2})^{3}"),
    ],
)
def test_nothing_is_evaluated(text: str, written: str) -> None:
    assert as_written(text) == written
    assert check(text)


FRAGMENTS = (
    *("x", "f{(x)}", "2", "+", "-", "=", "*", "/", "^", "{", "}", "(", ")", "{2}", r"\frac{x}{2}", r"\frac{d}{d x}"),
    *(
        r"\frac{\partial}{\partial x}",
        r"\int",
        "dx",
        r"\sin{(x)}",
        r"\log",
        r"\operatorname{g_{1}}{(x)}",
        "_1",
        " and ",
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(" ".join))
@example(r"\frac{d}{d x} x + \frac{\partial}{\partial x} x \frac{d x}{d x}")
@example(r"\int \int x dx dx dx")
def test_random_text_that_can_be_parsed_parses_as_before(text: str) -> None:
    check(text)
