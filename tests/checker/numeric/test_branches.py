"""Equations that hold on one branch of a function and not on another one, however far away that is."""

import pytest

from mathderive.checker.checker import Checker, check
from mathderive.checker.verdicts import TRUE

PROMPT = r"Given f{(x)} = (x - 9)^{2}, then obtain f{(x)} = x"

ON_ONE_BRANCH = (
    r"\sqrt{(x - 9)^{2}} = 9 - x",
    r"\sqrt{(x - 2)^{2} (x - 2.0001)^{2}} = (x - 2) (x - 2.0001)",
    r"\sqrt{(x - y - 100000)^{2}} = y + 100000 - x",
    r"\sqrt{x^{2} - 40 x + 400} = 20 - x",
    r"\log{((x - 9)^2)} = 2 \log{(9 - x)}",
    r"\arctan{(\tan{(\frac{x}{100})})} = \frac{x}{100}",
    r"\arcsin{(\sin{(\frac{x}{100000000})})} = \frac{x}{100000000}",
    r"\int \sqrt{(x - 9)^{2}} dx = \int (9 - x) dx",
    r"\sqrt{f{(x)}} = 9 - x",
    r"\sqrt{(\log{(x)} - 5)^{2}} = 5 - \log{(x)}",
    r"\sqrt{(e^{x} - 2)^{2} (e^{x} - 2.001)^{2}} = (e^{x} - 2) (e^{x} - 2.001)",
    r"\sqrt{(x - 7)^{-2}} = \frac{1}{7 - x}",
    r"\sqrt{(\frac{d}{d x} x^{3} - 1000)^{2}} = 1000 - 3 x^{2}",
    r"\arccos{(\cos{(x^{x})})} = x^{x}",
    r"\sqrt{(2 + \sin{(50 x)})^{2} (x - 300)^{2}} = (2 + \sin{(50 x)}) (300 - x)",
    r"\log{((2 + \cos{(x)})^{2} (x - 70)^{2})} = 2 \log{((2 + \cos{(x)}) (70 - x))}",
)


@pytest.mark.parametrize("equation", ON_ONE_BRANCH)
def test_an_equation_that_holds_on_one_branch_is_not_true(equation: str) -> None:
    [_, step] = check(PROMPT, f"f{{(x)}} = (x - 9)^{{2}}\n{equation}").steps
    assert step.truth in ("undecided", "incorrect")


OF_FUNCTIONS = (
    (r"\sqrt{x^{2}}", r"g{(9 - x)} = 9 - x"),
    (r"\operatorname{Abs}{(x)}", r"g{(x - y)} = x - y"),
    (r"\sqrt{x^{2}}", r"\frac{d}{d x} g{(x - 9)} = -1"),
    (r"\int_{0}^{x - 9} \sqrt{y^{2}} dy", r"g{(x)} = - \frac{(x - 9)^{2}}{2}"),
    (r"\operatorname{Ci}{(x - 9)}", r"g{(x)} = \operatorname{Ci}{(9 - x)} + i \pi"),
)
"""Definitions of `g(x)`, and equations that hold where an argument that is positive for some `x` is."""


@pytest.mark.parametrize(("body", "equation"), OF_FUNCTIONS)
def test_a_function_is_tested_on_the_branches_of_its_argument(body: str, equation: str) -> None:
    prompt = rf"Given \operatorname{{g}}{{(x)}} = {body}, then obtain x = y"
    [_, step] = check(prompt, f"\\operatorname{{g}}{{(x)}} = {body}\n{equation}").steps
    assert step.truth in ("undecided", "incorrect")


def test_a_name_that_stands_for_another_is_followed_to_the_branches() -> None:
    prompt = r"Given V = x - 9 and U = V and T = 2 U and S = T and W = S, then obtain W = x"
    [step] = check(prompt, r"\sqrt{W^{2}} = - W").steps
    assert step.truth in ("undecided", "incorrect")


@pytest.mark.parametrize("equation", [r"\operatorname{Abs}{(a - b)} = a - b", r"\sqrt{(a - b)^{2}} = a - b"])
def test_names_of_the_goal_are_no_excuse_on_another_branch(equation: str) -> None:
    """It would be true if `a` and `b` were one constant; of some seeds, all points have `a > b`."""
    prompt = f"Given f{{(x)}} = x, then obtain {equation}"
    assert {Checker(prompt, str(seed)).check(equation).steps[0].truth for seed in range(120)}.isdisjoint(TRUE)


ON_EVERY_BRANCH = (
    r"\sqrt{x^{4} - 40 x^{3} + 600 x^{2} - 4000 x + 10000} = (x - 10)^{2}",
    r"\log{(x y)} = \log{(x)} + \log{(y)}",
    r"\log{(x \sin{(x)})} = \log{(x)} + \log{(\sin{(x)})}",
    r"\sqrt{f{(x)}} \sqrt{f{(x)}} = (x - 9)^{2}",
    r"\sqrt{(x - 9)^{2}} = \sqrt{(9 - x)^{2}}",
    r"\sqrt{(e^{x} - 2)^{4}} = (e^{x} - 2)^{2}",
    r"\frac{d}{d x} (x \log{(\sin{(7 x)})}) = \log{(\sin{(7 x)})} + \frac{7 x \cos{(7 x)}}{\sin{(7 x)}}",
    r"\log{(f{(x)})} \arcsin{(\cos{(x)})} + x = x + \log{((x - 9)^{2})} \arcsin{(\cos{(x)})}",
)


@pytest.mark.parametrize("equation", ON_EVERY_BRANCH)
def test_an_equation_that_holds_on_every_branch_is_true(equation: str) -> None:
    [_, step] = check(PROMPT, f"f{{(x)}} = (x - 9)^{{2}}\n{equation}").steps
    assert step.truth in TRUE


ARGUMENTS = (r"(x - 9)", r"(x^{2} - 50)", r"\cos{(x)}", r"(\sin{(x)} - x)")
ATOMS = (
    r"\log{%s}",
    r"\sqrt{%s}",
    r"\operatorname{Abs}{(%s)}",
    r"\operatorname{sign}{(%s)}",
    r"\operatorname{atan}{(%s)}",
    r"\operatorname{Ci}{(%s)}",
    r"\operatorname{acosh}{(%s)}",
)


@pytest.mark.parametrize("atom", ATOMS)
@pytest.mark.parametrize("argument", ARGUMENTS)
def test_functions_with_branches_are_numbers_like_others(atom: str, argument: str) -> None:
    function = atom.replace("%s", argument)
    equation = rf"({function} + x) ({function} - x) = {function} {function} - x^{{2}}"
    false = rf"({function} + x) ({function} - x) = 1.0001 {function} {function} - x^{{2}}"
    _, *steps = check(PROMPT, f"f{{(x)}} = (x - 9)^{{2}}\n{equation}\n{false}").steps
    assert [step.truth in TRUE for step in steps] == [True, False]
