"""The parser reads printed and released LaTeX exactly and models' LaTeX sensibly, and refuses other text in time."""

import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sympy import Derivative, Equality, Expr, Function, Integral, Rational, Symbol, cos, exp, log, sqrt

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import target
from mathderive.symbolic.latex.parser import LatexError, parse, parse_equation, readings
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.latex.tree import MAX_CHARACTERS
from tests.support.released_records import MODELS, derivation_of, load

a, b, c, x, y, z = (Symbol(name) for name in "abcxyz")
f, g = Function("f"), Function("g")


def equations_of(derivations: Iterable[Derivation]) -> list[Equality]:
    return [equation for derivation in derivations for equation in derivation.equations]


def check_round_trip(equations: Iterable[Equality]) -> None:
    """Checks that each text is parsed to an equation that prints the same, and in some reading to the same equation."""
    for equation in equations:
        text = latex(equation)
        assert latex(parse_equation(text)) == text
        assert any(sides == equation.args for sides in readings(text)), text


def test_every_released_equation_reads_back(shared_reference: Path) -> None:
    examples = [example for model in MODELS for example in load(shared_reference, model).examples]
    equations = {latex(equation): equation for equation in equations_of(map(derivation_of, examples))}
    assert len(equations) > 900
    assert [text for text, equation in equations.items() if parse_equation(text) != equation] == []


def test_golden_equations_read_back(golden_derivations: list[Derivation]) -> None:
    equations = equations_of(golden_derivations)
    assert [latex(equation) for equation in equations if parse_equation(latex(equation)) != equation] == []


def test_sampled_equations_read_back(sampled: list[Derivation]) -> None:
    check_round_trip(equations_of(sampled))


@pytest.mark.slow
@pytest.mark.long
def test_thousands_of_equations_read_back() -> None:
    candidates = (sample_derivation(SamplingSettings(), seed=20_26, attempt=attempt) for attempt in range(1000))
    equations = equations_of(derivation for derivation in candidates if derivation is not None)
    assert len(equations) > 4000
    check_round_trip(equations)


def test_t5_writes_the_same_with_spaces(golden_derivations: list[Derivation]) -> None:
    """The tokenizer of the authors' T5 puts spaces around its added tokens."""
    for equation in equations_of(golden_derivations):
        spaced = re.sub(r"\s*([\\{}_^])\s*", r" \1 ", latex(equation))
        assert parse_equation(spaced) == equation


def test_t5_loses_the_first_backslash(golden_derivations: list[Derivation]) -> None:
    lost = [equation for equation in equations_of(golden_derivations) if re.match(r"\\[a-z]{2}", latex(equation))]
    assert len(lost) > 20
    assert [equation for equation in lost if parse_equation(latex(equation)[1:]) != equation] == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r"x^2", x**2),
        (r"x^23", 3 * x**2),
        (r"e^x", exp(x)),
        (r"\ln{(x)}", log(x)),
        (r"\ln x^2", log(x**2)),
        (r"\cos 2x", cos(2 * x)),
        (r"\sin^2{(x)}+\cos^{2}(x)", parse(r"\sin{(x)}^{2} + \cos{(x)}^{2}")[0]),
        (r"\exp(x)", exp(x)),
        (r"2 \cdot x \times y", 2 * x * y),
        (r"x * y / z", x * y / z),
        (r"\sqrt{x}", sqrt(x)),
        (r"\sqrt[3]{x}", x ** Rational(1, 3)),
        (r"\left(x + y\right) z", (x + y) * z),
        (r"[x + y] z", (x + y) * z),
        (r"\dfrac{x}{y}", x / y),
        (r"\int x\,dx", Integral(x, x)),
        (r"\int_{0}^{y} x dx", Integral(x, (x, 0, y))),
        (r"\int\limits_{0}^{y} x dx", Integral(x, (x, 0, y))),
        (r"\int dx", Integral(1, x)),
        (r"\int x + y dx", Integral(x + y, x)),
        (r"\frac{dy}{dx}", Derivative(y, x)),
        (r"\frac{d^2 y}{dx^2}", Derivative(y, (x, 2))),
        (r"\frac{\partial^2}{\partial x \partial y} f{(x, y)}", Derivative(f(x, y), y, x)),
        (r"0.5 x", x / 2),
        (r"$x + y$.", x + y),
        (r"f'{(x)}", Function(r"f^{\prime}")(x)),
        (r"{x}^{2}", x**2),
    ],
)
def test_variations_that_models_write(text: str, meant: Expr) -> None:
    assert parse(text) == (meant,)


def test_chained_equations() -> None:
    assert parse("a = b = c") == (a, b, c)
    with pytest.raises(LatexError, match="found 3 side"):
        parse_equation("a = b = c")


def test_a_derivative_takes_the_rest_of_the_term_or_less() -> None:
    text = r"\frac{d}{d x} f{(x)} g{(x)} + y"
    found = list(readings(text))
    assert found[0] == (Derivative(f(x) * g(x), x) + y,)
    assert (Derivative(f(x), x) * g(x) + y,) in found


def test_the_reading_that_prints_alike_is_preferred() -> None:
    r"""The usual reading, in which the derivative takes all factors, would print `\partial` throughout."""
    expression = Derivative(f(x), x) * Derivative(y / x, x)
    text = latex(expression)
    assert next(readings(text)) != (expression,)
    assert parse(text) == (expression,)


def test_names_that_print_like_constants() -> None:
    found = list(readings(r"i \pi"))
    assert found[0] == (Symbol("i") * Symbol(r"\pi"),)
    assert [str(sides[0]) for sides in found[1:]] == ["I*pi", r"I*\pi", "pi*i"]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("x +", 3),
        ("x = ) y", 4),
        (r"\frac{x}{y", 10),
        (r"x \unknown y", 2),
        ("x ? y", 2),
        ("x_1_2", 3),
        ("2_1", 1),
        (r"\int x", 6),
        ("x dx", 2),
    ],
)
def test_errors_say_where(text: str, position: int) -> None:
    with pytest.raises(LatexError) as caught:
        parse(text)
    assert caught.value.position == position


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_CHARACTERS + 1),
        "(" * MAX_CHARACTERS,
        "{" * MAX_CHARACTERS,
        r"\hat{" * 300,
        "(" * 900 + "x" + ")" * 900,
        "-" * 1900 + "x",
        "x^{" * 600 + "x" + "}" * 600,
        r"\frac{d}{d x} " * 140 + "x",
        "9^{9^{9^{9^{9}}}}",
        r"\cos{(e^{1180591620717411303424})}",
        r"\log{((\int_{0}^{1} \cos{(e^{x})} dx)^{\infty})}",
        "9" * 1000,
        r"\frac{d^{10000}}{d x^{10000}} \cos{(x)}",
    ],
)
def test_hostile_text_is_refused_or_read_at_once(text: str) -> None:
    try:
        parse(text)
    except LatexError as error:
        assert str(error)


def test_long_text_is_read() -> None:
    text = " + ".join(f"x_{{{number}}}" for number in range(210))
    assert 1900 < len(text) <= MAX_CHARACTERS
    assert len(parse(text)[0].args) == 210


FRAGMENTS = [
    *(r"\frac{", "}", "}{", "{", "(", ")", "^", "_", r"\int ", "d", "x", r"\pi", "i", "e", "=", "+", "-", " ", r"\cos"),
    *(r"\log", r"\sqrt", r"\partial", "2", "^{", "{(", ")}", r"\tilde{\infty}", "/", r"\operatorname{", "'", "\\", "é"),
]


def check_never_crashes(texts: list[str], rng: random.Random) -> None:
    """Checks that a text with a few changes, as a failing model might write it, is read or refused."""
    text = list(rng.choice(texts))
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(text) + 1)
        if rng.random() < 0.4 and place < len(text):
            text.pop(place)
        else:
            text.insert(place, rng.choice(FRAGMENTS))
    try:
        parse("".join(text))
    except LatexError as error:
        assert error.position is None or 0 <= error.position <= len("".join(text))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_text_is_read_or_refused(golden_derivations: list[Derivation], seed: int) -> None:
    texts = [latex(equation) for equation in equations_of(golden_derivations)]
    check_never_crashes(texts, random.Random(seed))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=60).map("".join))
@example(r"\frac{d}{d")
@example(r"\hat{x}_")
def test_random_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except LatexError as error:
        assert str(error)


def test_a_whole_target_is_no_equation(golden_derivations: list[Derivation]) -> None:
    with pytest.raises(LatexError):
        parse_equation(target(golden_derivations[0]))


@pytest.mark.parametrize("name", [r"x^\prime", r"\mu", r"y^{\prime}", r"a^{\dagger}"])
def test_no_space_need_stand_before_the_second_differential(name: str) -> None:
    glued, spaced = (rf"\frac{{d^{{2}}}}{{d {name}{space}d A}} \int 0 dB = 1" for space in ("", " "))
    equation = parse_equation(glued)
    assert equation == parse_equation(spaced)
    assert isinstance(equation.lhs, Derivative)
    assert Symbol("A") in equation.lhs.variables
