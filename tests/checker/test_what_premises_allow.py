"""What premises let an answer conclude, and what not: nothing by dividing by zero, by a sign, or by a new name."""

import pytest

from mathderive.checker.checker import check
from mathderive.checker.verdicts import TRUE, Validity


def verdict(premises: list[str], goal: str, rules: str) -> Validity:
    prompt = f"Given {' and '.join(premises)}, then obtain {goal}"
    return check(prompt, "\n".join([*premises, goal]), rules="textbook" if rules == "textbook" else "paper")


RULES = pytest.mark.parametrize("rules", ["paper", "textbook"])


@RULES
@pytest.mark.parametrize(
    ("premises", "goal"),
    [
        (["c = 0", "c y = c"], "y = 1"),
        (["c y = c", "c = 0"], "y = 1"),
        (["c y = c", "c^{2} = 0"], "y = 1"),
        (["a = b", "(a - b) x = (a - b) y"], "x = y"),
        (["(a - b) x = (a - b) y", "a = b"], "x = y"),
        ([r"\cos{(x)} = \cos{(y)}"], "x = y"),
        (["x^{2} = y^{2}"], "x = y"),
        ([r"a \nabla\phi = b \nabla\phi"], "a = b"),
        ([r"a \mathbf{v} = b \mathbf{v}"], "a = b"),
        ([r"a \hat{H} = b \hat{H}"], "a = b"),
        (["f = g + O(x^2)", "h = g + O(x^2)"], "f = h"),
        ([r"f = g + \mathcal{O}(x^2)", r"h = g + \mathcal{O}(x^2)"], "f = h"),
        ([r"f = g + \dots", r"h = g + \dots"], "f = h"),
        ([r"f = 1 + x + \dots", r"h = 1 + y + \cdots"], "f - x = h - y"),
        ([r"s \geq a", "a = c"], "s = c"),
        (["f{(x)} = x", "f{(x,y)} = y"], "f{(x,y)} = f{(x)}"),
        (["f{(x)} = f{(x,0)}", "f{(x,y)} = f{(x)} + y"], "f{(x)} = 0"),
    ],
)
def test_what_does_not_follow_is_not_true(premises: list[str], goal: str, rules: str) -> None:
    found = verdict(premises, goal, rules)
    assert found.steps[-1].truth not in TRUE, found.steps[-1]
    assert not found.sound


@RULES
@pytest.mark.parametrize(
    ("premises", "goal"),
    [
        (["x y = x"], "y = 1"),
        (["e^{x} = e^{y}"], "x = y"),
        (["x + y = 3"], "y = 3 - x"),
        ([r"f{(x)} \sin{(x)} = x"], r"f{(x)} = \frac{x}{\sin{(x)}}"),
        (["O(x) = x^2", "f = x + O(x)"], "f = x + x^2"),
        (["f{(x)} = e^{x}", "f{(x,y)} = y f{(x)}"], "f{(x,y)} = y e^{x}"),
        (["f = g + O(x^2)"], "f = g + O(x^2)"),
    ],
)
def test_what_follows_is_verified(premises: list[str], goal: str, rules: str) -> None:
    assert verdict(premises, goal, rules).verified


@RULES
def test_a_claim_about_a_name_in_an_inequality_is_no_definition(rules: str) -> None:
    prompt = r"Given s \geq a and a = c, then obtain 2 a = 2 c"
    found = check(prompt, "a = c\ns = c\n2 a = 2 c", rules="textbook" if rules == "textbook" else "paper")
    assert found.steps[1].truth not in TRUE


@RULES
@pytest.mark.parametrize(
    "text",
    [
        r"\sqrt{g^{2}{(x)}} = g{(x)}",
        r"\sqrt{g^{2}{(x)}} = - g{(x)}",
        r"\sqrt{(\int - x dx)^{2}} = \int - x dx",
        r"\sqrt{(\int f{(x)} dx)^{2}} = \int f{(x)} dx",
        r"\log{((\int e^{x} dx)^{2})} = 2 \log{(\int e^{x} dx)}",
        r"|\int - x dx| = \int - x dx",
    ],
)
def test_nothing_is_known_of_the_sign_of_an_integral(text: str, rules: str) -> None:
    prompt = r"Given g{(x)} = \int - x dx, then obtain g{(x)} = 1"
    step = check(prompt, text, rules="textbook" if rules == "textbook" else "paper").steps[-1]
    assert step.truth == "undecided", step


def test_two_definitions_of_a_function_that_contradict_each_other_show_nothing_by_a_sign() -> None:
    premises = [r"f{(z)} = \int e^{z} dz", r"f{(y)} = - (2 + \cos{(y)})"]
    assert verdict(premises, r"f{(y)} = \sqrt{f{(y)}^{2}}", "paper").steps[-1].truth not in TRUE


def test_a_reading_that_no_operator_gives_makes_nothing_true() -> None:
    slope = r"\frac{d}{d \mu} \sin{(s{(\mu)})}"
    goal = rf"{slope} \int \frac{{d}}{{d \mu}} \sin{{(\cos{{(\mu)}})}} d\mu = 2 {slope} \int {slope} d\mu"
    # As it is usually read, both sides are derivatives of products, and one is twice the other.
    assert verdict([r"s{(\mu)} = \cos{(\mu)}"], goal, "paper").steps[-1].truth not in TRUE
