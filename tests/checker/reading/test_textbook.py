r"""What people's notation means: equations that are true in it are true, and none that are true are incorrect."""

import time
from random import Random

import pytest

from mathderive.checker.checker import check
from mathderive.checker.reading.notation import notation_of
from mathderive.checker.reading.textbook import NamesKey, names_in_prompt, read_textbook
from mathderive.symbolic.latex.lexer import LatexError
from mathderive.symbolic.latex.textbook.names import Names

TRUE = ("premise", "valid", "skipped")
PROMPT = r"Given f(x) = \sin x and g(x,y) = x^2 y and u = x^3, then obtain f(x) = \sin x"


def truth(text: str, prompt: str = PROMPT) -> str:
    return check(prompt, text).steps[-1].truth


@pytest.mark.parametrize(
    "text",
    [
        *(r"\frac12 x + \tfrac{1}{2} x = x", r"{x \over 2} = \frac x2", r"\sqrt4 = 2", r"\sqrt[3]{8} = 2"),
        *(r"\frac{\mathrm{d}f}{\mathrm{d}x} = \mathrm{cos}(x)", r"f'(x) = \operatorname{cos} x", r"f''(x) = -f(x)"),
        *(r"f^{\prime}(x) = \cos x", r"\frac{df}{dx} = \cos x", r"\frac{d^2 f}{dx^2} = -\sin x", "df/dx = \\cos x"),
        *(r"\frac{du}{dx} = 3x^2", r"\frac{\partial g}{\partial x} = 2xy", r"\partial_x g = 2xy", "g_x(x,y) = 2xy"),
        *(r"g_{xy} = 2x", r"\frac d{dx} x^2 = 2x", r"\frac{df(x)}{dx} = \cos x", r"\frac{d}{dx}(x^2) \cdot x = 2x^2"),
        *(r"\int_0^1 x^2 dx = \frac13", r"\int \frac{dx}{x} = \ln x + C", r"\int_0^x \cos t\,dt = \sin x"),
        *(r"\left[\frac{x^2}{2}\right]_0^1 = \frac12", r"\left. x^2 \right|_{x=1}^{x=2} = 3", r"x^2 \Big|_0^1 = 1"),
        *(r"\ln e = 1", r"\log_2 8 = 3", r"\sin 2x = 2 \sin x \cos x", r"\cos 2\pi x = \cos(2\pi x)", "|x|^2 = x^2"),
        *(r"5! = 120", r"\binom{n}{2} = \frac{n!}{2!(n-2)!}", r"\sum_{k=1}^{n} k = \frac{n(n+1)}{2}"),
        *(r"\sum_{k=0}^{\infty} x^k = \frac{1}{1-x}", r"\prod_{k=1}^{4} k = 24", r"\sum_{k=1}^3 k^2 = 14"),
        *(
            r"\lim_{h \to 0} \frac{(x+h)^2 - x^2}{h} = 2x",
            r"x^2_1 + x_1^2 = 2 x_1^2",
            r"x_\text{max} = x_{\mathrm{max}}",
        ),
        *(r"1,000 x = 10^3 x", r"3 \text{ m/s} \cdot 2 \text{ s} = 6 \text{ m}", r"\sin^{-1} 1 = \frac{\pi}{2}"),
        *(r"e^{ix} = \cos x + i \sin x", r"x = x \text{ and } \mathrm{e}^x = e^{x}", r"\sin^2 x + \cos^2 x = 1"),
        *(r"f'(0) = 1", r"\lim_{h \to 0} \frac{g(x+h,y) - g(x,y)}{h} = 2xy", r"f'(2x) = \cos 2x"),
        *(r"f(2x) = \sin 2x", r"x_{n+1} = x_{n+1}", r"\left\{x + 1\right\} 2 = 2x + 2", r"x \times 2 = 2x"),
    ],
)
def test_true_equations(text: str) -> None:
    assert truth(text) in TRUE


@pytest.mark.parametrize(
    "text",
    [
        *(
            r"\frac{df}{dx} = \sin x",
            "f'(x) = x",
            r"g_x(x,y) = 2x",
            r"\int_0^1 x^2 dx = \frac12",
            "|x| = -x",
            "5! = 100",
        ),
        *(r"\sum_{k=1}^{n} k = n^2", r"\lim_{h \to 0} \frac{(x+h)^2 - x^2}{h} = x", r"\log_2 8 = 4", "1,000 = 100"),
        *(r"\frac{du}{dx} = 3x", r"\left[x^2\right]_0^1 = 2", r"x = 2 \text{ or } x = 3", r"3 \text{ m} = 3 \text{ s}"),
    ],
)
def test_false_equations(text: str) -> None:
    assert truth(text) == "incorrect"


@pytest.mark.parametrize(
    "text",
    [
        *(r"y = a/bc", r"y \approx 3", r"y \leq x", r"h'(3) = 7", r"\nabla \cdot \mathbf{E} = 3", r"\foo = 3"),
        *(r"\int_0^\infty e^{-x} dx = 7", r"\oint \mathbf{E} \cdot d\mathbf{A} = 0", r"\bra{a} H \ket{b} = 3"),
        *(r"\mathbf{a} \times \mathbf{b} = \mathbf{b} \times \mathbf{a}", r"\comm{A}{B} = 0", r"h^*(x) = h(x)"),
        *(r"\frac{dp}{dt} = 3", r"e^x = 1 + x + \dots", r"\operatorname{tr} A = 3", r"\vec{a} \cdot \vec{b} = 3"),
    ],
)
def test_what_cannot_be_evaluated_is_undecided(text: str) -> None:
    prompt = r"Given y = \frac{a}{b c} and f(x) = x^3, then obtain \nabla \cdot \mathbf{E} = \rho and y = x"
    assert truth(text, prompt) == "undecided"


def test_several_solutions() -> None:
    steps = check(
        "Given x^2 = 4 and y = 1, then obtain x = \\pm 2", "x = \\pm 2\nx = 2 or x = -2\nx = 2\nx = \\pm 3"
    ).steps
    assert [step.truth for step in steps] == ["valid", "valid", "undecided", "incorrect"]


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (r"Given y' = k y, then obtain y'' = k^2 y", "y' = k y\ny'' = k y'\ny'' = k^2 y"),
        (r"Given \frac{dN}{dt} = -k N, then obtain \frac{d^2N}{dt^2} = k^2 N", r"\frac{d^2N}{dt^2} = -k \frac{dN}{dt}"),
        (r"Given m \ddot{x} = -k x, then obtain \ddot{x} = -\frac{k}{m} x", r"\ddot{x} = -\frac{k}{m} x"),
        (r"Given \dot{x}(t) = v_0, then obtain \ddot{x}(t) = 0", r"\ddot{x}(t) = 0"),
    ],
)
def test_names_that_are_differentiated_are_functions(prompt: str, answer: str) -> None:
    assert {step.truth for step in check(prompt, answer).steps} <= set(TRUE)


def test_a_function_that_rests_on_its_own_derivative_is_no_endless_search() -> None:
    assert truth("f'(1) = 3", "Given f(x) = f'(0) x and y = 1, then obtain f'(1) = 3") == "undecided"


def test_a_name_that_only_the_goal_mentions_is_never_accused() -> None:
    assert truth("v(t) = s'(t) = 2 t", "Given s(t) = t^2, then obtain v(t) = 2 t") == "undecided"


def test_a_derivative_that_equals_a_name_says_nothing_about_the_name() -> None:
    prompt = r"Given \frac{dv}{dt} = a, then obtain \frac{d^2 v}{dt^2} = 0"
    assert truth(r"\frac{d^2 v}{dt^2} = 0", prompt) == "undecided"


VECTORS = r"Given \mathbf{C} = \mathbf{A} \times \mathbf{B} and p = \nabla \cdot \mathbf{E}, then obtain p = 0"
STATES = r"Given \comm{\hat{x}}{\hat{p}} = i\hbar, then obtain \hat{x}\hat{p} = \hat{p}\hat{x} + i\hbar"


@pytest.mark.parametrize(
    ("prompt", "text", "expected"),
    [
        (VECTORS, r"2 \mathbf{C} = 2 \mathbf{A} \times \mathbf{B}", TRUE),
        (VECTORS, r"\mathbf{C} = - \mathbf{B} \times \mathbf{A}", TRUE),
        (VECTORS, r"\mathbf{C} = \mathbf{B} \times \mathbf{A}", ("undecided",)),
        (VECTORS, r"\frac{d}{dx} p = 0", ("undecided",)),
        (VECTORS, r"\nabla \cdot (\mathbf{E} + \mathbf{B}) = p + \nabla \cdot \mathbf{B}", TRUE),
        (VECTORS, r"\nabla \cdot (p \mathbf{E}) = p \nabla \cdot \mathbf{E}", ("undecided",)),
        (
            VECTORS,
            r"(\mathbf{A} \cdot \mathbf{B}) \mathbf{C} = \mathbf{A} (\mathbf{B} \cdot \mathbf{C})",
            ("undecided",),
        ),
        (VECTORS, r"\mathbf{A} \cdot \mathbf{B} = \mathbf{B} \cdot \mathbf{A}", TRUE),
        (VECTORS, r"\sqrt{p^2} = p", ("undecided",)),
        (VECTORS, "1 = 2", ("incorrect",)),
        (STATES, r"\hat{x}\hat{p} = \hat{p}\hat{x} + i\hbar", TRUE),
        (STATES, r"\hat{x}\hat{p} = \hat{p}\hat{x}", ("undecided",)),
        (STATES, r"\hat{x} (\hat{p} + \hat{x}) = \hat{x}\hat{p} + \hat{x}^2", TRUE),
        (STATES, r"(\hat{x} + \hat{p})^2 = \hat{x}^2 + 2\hat{x}\hat{p} + \hat{p}^2", ("undecided",)),
    ],
)
def test_terms_that_do_not_commute(prompt: str, text: str, expected: tuple[str, ...]) -> None:
    assert truth(text, prompt) in expected


def test_the_notation_of_the_data_is_known_by_its_form() -> None:
    assert notation_of([r"f{(x)} = \sin{(x)}"], [r"\frac{d}{d x} f{(x)} = \cos{(x)}"]).is_printed
    assert notation_of(["a = b"], ["a + 1 = b + 1"]).is_printed
    assert not notation_of(["f(x) = x"], ["f(x) = x"]).is_printed
    assert not notation_of([r"y = x \over 2"], ["y = x"]).is_printed


PIECES = (
    *(
        r"\frac{",
        r"\frac12",
        r"\mathrm{d}",
        r"\int_0^1 ",
        r"\int ",
        " dx",
        r"\sum_{k=1}^{n} ",
        r"\lim_{x\to 0}",
        "|",
        "!",
    ),
    *(
        r"\binom{n}{k}",
        r"\left[",
        r"\right]_0^1",
        r"\Big|_a^b",
        r"\nabla",
        r"\cdot ",
        r"\times ",
        r"\mathbf{E}",
        r"\vec{a}",
    ),
    *(
        r"\bra{a}",
        r"\ket{b}",
        r"\comm{A}{B}",
        r"\dot{x}",
        "f'(x)",
        "f''",
        r"\partial_x ",
        r"\frac{dy}{dx}",
        r"\pm ",
        "/",
    ),
    *(
        "x",
        "y",
        "i",
        "e^",
        "d",
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "^",
        "_",
        "=",
        "+",
        "-",
        "2",
        "10^9",
        r"\text{ m/s}",
        ",",
    ),
    *(
        r"\sin ",
        r"\log_2 ",
        r"\sqrt",
        r"\hat{H}",
        r"\over ",
        r"\approx ",
        r"\infty",
        r"^{\dagger}",
        r"\operatorname{f}",
        "'",
    ),
    *(
        r"\langle x \rangle",
        r"\eval{x}_{x=0}",
        r"\oint_S ",
        r"\mathrm{",
        r"\foo",
        r"\expval{x}",
        "9",
        "é",
        "\\",
        r"\text{",
    ),
)


def test_random_texts_end_in_readings_or_an_error() -> None:
    rng = Random(5)
    key = NamesKey(names_in_prompt([r"\mathbf{E} = \nabla \phi", r"f(x) = \hat{H} x"], [r"\frac{dy}{dx} = y"]))
    for _ in range(3000):
        text = "".join(rng.choices(PIECES, k=rng.randint(1, 25)))
        try:
            assert read_textbook(text, key).chains
        except LatexError:
            continue


@pytest.mark.parametrize(
    "piece",
    [
        *(
            " ",
            "{",
            "(",
            "1",
            "x",
            r"\frac",
            "|",
            "'",
            "^",
            "_",
            r"\int ",
            r"\hat",
            r"\sqrt",
            "d",
            r"\sin ",
            "[",
            "x_",
            "-",
        ),
        *(r"\nabla ", r"\mathbf{A}\times ", r"\left(", r"\pm ", r"\bra{", "!", "x!", r"\sum ", "e^", r"\frac{d}{dx} "),
        *(" or ", "x = 1 or "),
    ],
)
def test_long_texts_are_refused_or_read_at_once(piece: str) -> None:
    start = time.process_time()
    for length in (1_900, 100_000):
        try:
            read_textbook(piece * (length // len(piece)), NamesKey(Names()))
        except LatexError:
            continue
    assert time.process_time() - start < 5
