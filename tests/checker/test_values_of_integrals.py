"""What true equations say of the constants of integration, and what they leave open."""

import pytest

from mathderive.checker.checker import check
from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import TRUE
from mathderive.symbolic.prompts import SEPARATOR
from tests.checker.test_constants_of_integration import INTEGRATED, truths


def test_a_derivative_says_nothing_of_a_constant() -> None:
    first, second = r"\int f{(x)} dx = 1 + e^{x}", r"\int f{(x)} dx = 2 + e^{x}"
    slope = r"\frac{d}{d x} \int f{(x)} dx = \frac{d}{d x} (2 + e^{x})"
    assert truths(INTEGRATED, first, slope)[1:] == ["skipped", "skipped"]
    assert truths(INTEGRATED, first, slope, second)[-1] not in TRUE
    # The square of the other function less this integral is another antiderivative.
    ratio = r"\frac{d}{d x} \frac{\int x dx}{x} = \frac{d}{d x} \frac{A + \frac{x^{2}}{2}}{x}"
    value = r"\int x dx = A + \frac{x^{2}}{2}"
    assert truths(value, ratio, r"\int x dx = x^{2} - A - \frac{x^{2}}{2}")[-1] == "incorrect"
    assert truths(value, ratio, r"2 \int x dx = 2 A + x^{2}")[-1] in TRUE


@pytest.mark.parametrize(
    "equation",
    [
        r"(f{(x)} - e^{x}) \int x dx = (f{(x)} - e^{x}) (2 + \frac{x^{2}}{2})",
        r"(\int x dx)^{f{(x)} - e^{x}} = (2 + \frac{x^{2}}{2})^{f{(x)} - e^{x}}",
        r"\cos{(2 \pi \int x dx)} = \cos{(2 \pi (2 + \frac{x^{2}}{2}))}",
        r"(\int x dx - \frac{x^{2}}{2} - 1) \int x dx = (\int x dx - \frac{x^{2}}{2} - 1) (2 + \frac{x^{2}}{2})",
        r"\int \frac{d}{d x} \int x dx dx = \int \frac{d}{d x} (2 + \frac{x^{2}}{2}) dx",
    ],
)
def test_an_equation_that_holds_for_every_constant_changes_none(equation: str) -> None:
    first, second = r"\int x dx = 1 + \frac{x^{2}}{2}", r"\int x dx = 2 + \frac{x^{2}}{2}"
    assert truths(first, equation)[1] in TRUE
    assert truths(first, equation, second)[2] not in TRUE
    assert truths(first, equation, first)[2] in TRUE


@pytest.mark.parametrize(
    "equations",
    [
        (r"\int 2 x dx = 2 \int x dx", r"\int 2 x dx = x^{2} + 1"),
        (r"\int 2 x dx = x^{2} + 1", r"\int 2 x dx = 2 \int x dx"),
        (
            r"\int x dx + \int 2 x dx = 1 + \frac{3 x^{2}}{2}",
            r"\int x dx - \int 2 x dx = - \frac{x^{2}}{2}",
        ),
    ],
)
def test_two_values_of_one_integral_give_another_its_constant(equations: tuple[str, str]) -> None:
    half, other = (rf"\int x dx = \frac{{x^{{2}}}}{{2}} + {constant}" for constant in (r"\frac{1}{2}", "1"))
    assert all(truth in TRUE for truth in truths(*equations, half))
    assert truths(*equations, other)[2] not in TRUE


def test_one_integral_of_two_forms_costs_little() -> None:
    # To solve for the constant inside the power takes a second, more than an equation is given.
    prompt = (
        r"Given \mathbf{M}{(J)} = \cos{(J)}, then derive \int \mathbf{M}{(J)} dJ = F + \sin{(J)}, then obtain "
        r"\int 2 (F + \sin{(J)})^{F} dF = \int ((F + \sin{(J)})^{F} + (\int \cos{(J)} dJ)^{F}) dF"
    )
    lines = (
        r"\mathbf{M}{(J)} = \cos{(J)}",
        r"\int \mathbf{M}{(J)} dJ = \int \cos{(J)} dJ",
        r"(\int \mathbf{M}{(J)} dJ)^{F} = (\int \cos{(J)} dJ)^{F}",
        r"\int \mathbf{M}{(J)} dJ = F + \sin{(J)}",
        r"(F + \sin{(J)})^{F} = (\int \cos{(J)} dJ)^{F}",
        r"2 (F + \sin{(J)})^{F} = (F + \sin{(J)})^{F} + (\int \cos{(J)} dJ)^{F}",
        r"\int 2 (F + \sin{(J)})^{F} dF = \int ((F + \sin{(J)})^{F} + (\int \cos{(J)} dJ)^{F}) dF",
    )
    with SupervisedChecker() as checker:
        verdict = checker.check(prompt, SEPARATOR.join(lines))
    assert [step.truth for step in verdict.steps if step.truth not in TRUE] == []
    wrong = lines[-1].replace("2 (F", "3 (F")
    assert check(prompt, SEPARATOR.join((*lines[:-1], wrong))).steps[-1].truth not in TRUE
