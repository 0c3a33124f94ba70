"""How answers are laid out by people and models, and which equations they hold."""

import time

import pytest

from mathderive.checker.checker import check
from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.asked import asked_of
from mathderive.checker.reading.layout import equations_of

TWO = ["y = x^2", "z = 3"]


@pytest.mark.parametrize(
    "text",
    [
        r"\begin{align*} y &= x^2 \\ z &= 3 \end{align*}",
        "y &= x^2 \\\\\nz &= 3 \\\\",
        "\\[y = x^2\\]\n\\[z = 3\\]",
        "$$y = x^2$$\n$$z = 3$$",
        "We have y = x^2.\nTherefore, z = 3.",
        "We start with $y = x^2$ and $z = 3$.",
        "y = x^2 \\quad \\text{(given)}\nz = 3 (by the chain rule)",
        "(1) y = x^2\n(2) z = 3",
        "1. y = x^2\n2. z = 3",
        "- y = x^2\n- z = 3",
        "• y = x^2\n• z = 3",
        "**Step 1:** y = x^2\n**Step 2:** z = 3",
        "y = x^2   (1)\nz = 3   (2)",
        "y = x^2 AND z = 3",
        r"y = x^2 \Rightarrow z = 3",
        r"y = x^2 \text{ and } z = 3",
        r"y = x^2 \tag{1} and \boxed{z = 3}",
        "y = x^2, z = 3 for all x",
        "y = x^2\nwhere x is a constant\nz = 3",
        "<think>y = 7 and so on</think>y = x^2\nz = 3",
        "<thinking>y = 7</thinking>y = x^2\nz = 3",
        "[THINK]y = 7[/THINK]y = x^2 and z = 3",
        "y = 7</reasoning>y = x^2<think>then</think>z = 3",
        "\ufeffy\u200b = x^2\nz\u00a0= 3",
        "Then y = x^2, so z = 3",
        "Substituting $x = 2$ we obtain $y = x^2$\nThus z = 3",
    ],
)
def test_the_same_two_equations(text: str) -> None:
    assert [" ".join(one.split()) for one in equations_of(text)] == TWO


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("y = x\n= 2\n= 3", ["y = x = 2 = 3"]),
        ("y =\nx\n+ 2", ["y = x + 2"]),
        ("a x + by = c", ["a x + by = c"]),
        ("- x = y", ["- x = y"]),
        ("y = 2 x for x > 0", ["y = 2 x"]),
        ("so we are done", ["so we are done"]),
        ("Let u = x", ["Let u = x"]),
        ("So y = 2 (by adding f{(x)} to the sides)", ["y = 2"]),
        ("x² = √y", [r"x^{2} = \sqrt{y}"]),
        (r"v = 3 \text{ m/s}", [r"v = 3 \text{ m/s}"]),
        (r"m_\text{max} = 3.", [r"m_\text{max} = 3"]),
    ],
)
def test_other_layouts(text: str, found: list[str]) -> None:
    assert equations_of(text) == found


def test_a_dash_that_the_prompt_has_is_a_minus_sign() -> None:
    text = "- x = y\n- 2 x = 2 y"
    assert equations_of(text, ["- x = y"]) == ["- x = y", "- 2 x = 2 y"]


def test_a_number_that_counts_no_lines_is_a_factor() -> None:
    assert equations_of("(2) y = 4\n(3) y = 6") == ["(2) y = 4", "(3) y = 6"]


def test_the_layout_of_the_data_is_split_as_before() -> None:
    text = r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x,y)} = \int e^{x} dx and - x = \sin{(x)}"
    assert equations_of(text) == split_answer(text)


def test_an_equation_that_is_supposed_is_never_incorrect() -> None:
    prompt = "Given y = x^2, then obtain z = 3"
    assert [step.truth for step in check(prompt, "y = x^2\nwhere y = 2").steps] == ["premise", "undecided"]
    assert [step.truth for step in check(prompt, "Let u = y + 1\nu = x^2 + 1").steps] == ["skipped", "valid"]


def test_nothing_false_is_hidden_by_a_layout() -> None:
    verdict = check("Given y = x^2, then obtain y = 3", r"y = x^2 \Rightarrow \boxed{y = 3}")
    assert [step.truth for step in verdict.steps] == ["premise", "incorrect"]
    assert not verdict.sound


@pytest.mark.parametrize(
    "prompt",
    [
        "Given y = x^2, then obtain 2 y = 2 x^2",
        "given $y = x^2$, show that $2 y = 2 x^2$.",
        "Let y = x^2. Prove that 2 y = 2 x^2.",
        "Suppose that y = x^2; find 2 y = 2 x^2",
    ],
)
def test_prompts_in_other_words(prompt: str) -> None:
    asked = asked_of(prompt)
    assert (asked.premises, asked.derive, asked.goal) == (("y = x^2",), (), "2 y = 2 x^2")
    assert check(prompt, "y = x^2\n2 y = 2 x^2").verified


@pytest.mark.parametrize("prompt", ["", "y = x^2", "show that", "Given y = x^2", "Show that it is true"])
def test_a_text_that_asks_for_nothing_is_refused(prompt: str) -> None:
    with pytest.raises(ValueError, match="a prompt "):
        asked_of(prompt)


PIECES = (
    *(
        " ",
        "{",
        "$",
        "\\",
        "1",
        "a = b, ",
        "We have ",
        "\\boxed{",
        "(1) ",
        "\\begin{a}",
        "=\n",
        "so,",
        "\\text{so",
        "√(",
    ),
    *("\\(", "x = 1\n= ", ", ", "<think>", "is ", "x \\quad ", "for ", "\n", "- a\n", "\u200b", "**", "\\\\"),
)


@pytest.mark.parametrize("piece", PIECES)
def test_the_time_is_linear(piece: str) -> None:
    seconds = []
    for length in (10_000, 100_000):
        start = time.process_time()
        equations_of(piece * (length // len(piece)) + ":")
        seconds.append(time.process_time() - start)
    assert seconds[1] < 30 * seconds[0] + 0.2


@pytest.mark.parametrize("mark", ["*", "+", "-"])
def test_a_line_that_ends_in_a_mark_is_finished(mark: str) -> None:
    lines = [rf"- a = \psi^{mark}", "- b = c"]
    assert equations_of("\n".join(lines), lines) == lines
