"""Equations that people type, written as the data has them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.checker.checker import check
from mathderive.checker.reading.data_notation import NOT_WRITABLE, in_data_notation
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import prompt
from mathderive.symbolic.latex.parser import parse_equation
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import Prompt, join_prompt, split_prompt


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        (["E = m c^2"], ["E = c^{2} m"]),
        (["$E=mc²$"], ["E = c^{2} m"]),
        ([r"\frac12 m v^2 = E_k"], [r"\frac{m v^{2}}{2} = E_{k}"]),
        ([r"y = \ln x", "x = 1 and"], [r"y = \log{(x)}", "x = 1"]),
        ([r"f(x) = \sin x", "f''(x) = -f(x)"], [r"f{(x)} = \sin{(x)}", r"\frac{d^{2}}{d x^{2}} f{(x)} = - f{(x)}"]),
        (["f(x) = x", "f(x + 1) = x + 1"], ["f{(x)} = x", "f{(x + 1)} = x + 1"]),
        (["f{(x)} = x", "f (x + 1) = x + 1"], ["f{(x)} = x", "f{(x + 1)} = x + 1"]),
        ([r"b{(T)} = \cos(T)", r"\frac{d}{dT} b(T) = -\sin T"],
         [r"b{(T)} = \cos{(T)}", r"\frac{d}{d T} b{(T)} = - \sin{(T)}"]),
        ([r"\operatorname{f^{*}}{(V)} = \log{(V)}", r"\frac{d}{dV} \operatorname{f^{*}}{(V)} = 1/V"],
         [r"\operatorname{f^{*}}{(V)} = \log{(V)}", r"\frac{d}{d V} \operatorname{f^{*}}{(V)} = \frac{1}{V}"]),
        ([r"\psi(x) = e^{ikx}", r"\psi = 0"], [r"\psi{(x)} = e^{i k x}", r"\psi{(x)} = 0"]),
        ([r"T = 2\pi\sqrt{l/g}"], [r"T = 2 \pi \sqrt{\frac{l}{g}}"]),
        ([r"v = v_{\text{max}}/2", "v=v_{max}"], [r"v = \frac{v_{max}}{2}", "v = v_{max}"]),
        ([r"\hat{p}{(x)} = \sin{(x)}", r"\frac{d}{dx} \hat p{(x)} = \cos(x)"],
         [r"\hat{p}{(x)} = \sin{(x)}", r"\frac{d}{d x} \hat{p}{(x)} = \cos{(x)}"]),
        ([r"x = \pm 1"], ["(x - 1) (x + 1) = 0"]),
    ],
)  # fmt: skip
def test_equations_are_written_as_the_data_has_them(typed: list[str], written: list[str]) -> None:
    assert [(one.text, one.fault) for one in in_data_notation(typed[:1], typed[1:])] == [(one, "") for one in written]


def test_questions_of_the_generator_stay_as_they_are() -> None:
    count = 0
    for attempt in range(12):
        derivation = sample_derivation(SamplingSettings(), 0, attempt)
        if derivation is not None:
            premises, derive, goal = split_prompt(prompt(derivation))
            written = in_data_notation(premises, [*derive, goal])
            assert [one.text for one in written] == [*premises, *derive, goal]
            count += 1
    assert count > 6


def test_the_checker_reads_the_written_question_as_the_typed_one() -> None:
    typed = Prompt((r"f(x) = \sin x", "y = 2 x"), (r"\frac{df}{dx} = \cos(x)",), r"y \frac{df}{dx} = 2x\cos x")
    written = [one.text for one in in_data_notation(typed.premises, [*typed.derive, typed.goal])]
    asked = join_prompt(Prompt(tuple(written[:2]), tuple(written[2:3]), written[3]))
    for prompt_text in (join_prompt(typed), asked):
        assert check(prompt_text, " and ".join(written), rules="textbook").verified
        assert not check(prompt_text, " and ".join([*written[:2], written[3].replace("2", "3")])).goal_reached


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("", "found no equations"),
        ("hello", "words, not mathematics: hello"),
        ("x + y", "there is no equals sign"),
        ("a = b = c", "found 3 sides"),
        ("x = 1, y = 2", "found 2 equations"),
        (r"\int (f = ", "unexpected '='"),
        ("<img src=x onerror=window.ran=1>", "words, not mathematics: onerror"),
        ("(" * 900 + "x" + ")" * 900 + " = 1", "nested too deeply"),
        ("x = 9^{9^{9^{9}}}", "a power would have more than 4096 bits"),
        ("x = 1\x00", "unexpected"),
        ("x < 1", NOT_WRITABLE),
        (r"\sum_{n=0}^\infty x^n = y", NOT_WRITABLE),
        (r"\nabla \cdot \vec E = 0", NOT_WRITABLE),
        (r"\int_0^1 x dx = a", NOT_WRITABLE),
    ],
)
def test_anything_else_has_a_fault(typed: str, fault: str) -> None:
    (found,) = in_data_notation([typed], [])
    assert found.text == ""
    assert fault in found.fault
    assert "expected" in found.fault


def test_a_function_keeps_its_arguments() -> None:
    premise = r"\hat{p}{(x)} = \sin{(x)}"
    for goal in (r"\frac{d}{dx} \hat p(x) = \cos x", r"\frac{d \hat p}{dx} = \cos x"):
        _, found = in_data_notation([premise], [goal])
        assert found == ("", r"expected the arguments of a function as in \hat{p}{(x)}")


_PIECES = [
    *"xyzfEc12=+-^_{}()'$/<>&|,. ",
    "\\frac",
    "\\sin",
    "\\int",
    "dx",
    "\\vec",
    " and ",
    "\\text",
    "f(x)",
    "{(x)}",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=24).map("".join), min_size=1, max_size=3))
def test_what_is_written_is_in_the_datas_grammar(typed: list[str]) -> None:
    found = in_data_notation(typed[:1], typed[1:])
    assert len(found) == len(typed)
    for one in found:
        assert bool(one.text) != bool(one.fault)
        if one.text:
            assert latex(parse_equation(one.text)).split() == one.text.split()
            assert split_prompt(f"Given {one.text}, then obtain {one.text}") == ((one.text,), (), one.text)
