"""An integral has one constant, whatever equation names it first."""

import pytest

from mathderive.checker.checker import check
from mathderive.checker.verdicts import TRUE
from mathderive.records import Truth
from mathderive.symbolic.prompts import SEPARATOR

PROMPT = r"Given f{(x)} = e^{x}, then derive \int f{(x)} dx = C + e^{x}, then obtain C + e^{x} = \int e^{x} dx"
PREMISE = r"f{(x)} = e^{x}"
INTEGRATED = r"\int f{(x)} dx = \int e^{x} dx"

LEFT, RIGHT = r"(\int \frac{d}{d x} f{(x)} dx)^{x}", r"(\int \frac{d}{d x} e^{x} dx)^{x}"
POWERS = (
    r"\frac{d}{d x} f{(x)} = \frac{d}{d x} e^{x}",
    f"{LEFT.removesuffix('^{x}')} = {RIGHT.removesuffix('^{x}')}",
    f"{LEFT} = {RIGHT}",
)
"""Steps to an equation of two powers of integrals that get a constant each."""


def truths(*texts: str) -> list[Truth]:
    return [step.truth for step in check(PROMPT, SEPARATOR.join((PREMISE, *texts))).steps][1:]


@pytest.mark.parametrize("constant", ["C", "k", r"\mathbf{A}"])
def test_any_fresh_name_will_do(constant: str) -> None:
    value = rf"\int f{{(x)}} dx = {constant} + e^{{x}}"
    assert truths(INTEGRATED, value) == ["valid", "valid"]


def test_a_name_in_use_is_no_constant() -> None:
    assert truths(INTEGRATED, r"\int f{(x)} dx = x + e^{x}") == ["valid", "incorrect"]


def test_without_one_it_is_true_but_not_the_operator() -> None:
    assert truths(INTEGRATED, r"\int f{(x)} dx = e^{x}") == ["valid", "skipped"]


def test_a_wrong_integral_is_false_whatever_the_constant() -> None:
    assert truths(INTEGRATED, r"\int f{(x)} dx = C - e^{x}") == ["valid", "incorrect"]


def test_once_named_it_stays() -> None:
    value = r"\int f{(x)} dx = C + e^{x}"
    assert truths(INTEGRATED, value, r"2 C + e^{x} = \int e^{x} dx") == ["valid", "valid", "incorrect"]
    assert truths(INTEGRATED, value, r"C + e^{x} = \int e^{x} dx") == ["valid", "valid", "valid"]


def test_where_it_is_not_added() -> None:
    assert truths(r"\cos{(\int e^{x} dx)} = \cos{(C + e^{x})}") == ["skipped"]
    assert truths(r"\cos{(\int e^{x} dx)} = \cos{(C + 2 e^{x})}") == ["incorrect"]


def test_two_names_for_the_constant_of_one_integral() -> None:
    first, second = r"\int f{(x)} dx = A + e^{x}", r"\int f{(x)} dx = C + e^{x}"
    assert truths(INTEGRATED, first, second, r"A + x = C + x")[-1] == "skipped"


def test_an_integral_of_which_a_part_is_left() -> None:
    before = r"\int (f{(x)} + x) dx = \int (e^{x} + x) dx"
    assert truths(before, r"\int (f{(x)} + x) dx = C + \frac{x^{2}}{2} + \int e^{x} dx")[1] == "valid"
    assert truths(before, r"\int (f{(x)} + x) dx = C + x^{2} + \int e^{x} dx")[1] == "incorrect"
    assert truths(before, r"\int (f{(x)} + x) dx = \frac{x^{2}}{2} + \int e^{x} dx")[1] == "skipped"


def test_under_an_even_function_its_sign_is_free() -> None:
    before = r"\cos{(\int - f{(x)} dx)} = \cos{(\int - e^{x} dx)}"
    assert truths(before, r"\cos{(\int - f{(x)} dx)} = \cos{(e^{x} - C)}")[1] == "valid"
    assert truths(before, r"\cos{(\int - f{(x)} dx)} = \cos{(2 e^{x} - C)}")[1] == "incorrect"


def test_constants_of_both_sides_are_one() -> None:
    sums = r"\int (f{(x)} + x) dx = \int (e^{x} + x) dx"
    values = r"A + \frac{x^{2}}{2} + \int f{(x)} dx = B + \frac{x^{2}}{2} + \int e^{x} dx"
    assert truths(sums, values, "A = B")[1:] == ["valid", "skipped"]
    assert truths(sums, values, "A = B + 1")[1:] == ["valid", "incorrect"]


def test_up_to_an_end_it_has_its_value_there() -> None:
    value = r"\int f{(x)} dx = C + e^{x}"
    assert truths(INTEGRATED, value, r"\int\limits^{3 x} f{(x)} dx = C + e^{3 x}")[2] == "skipped"
    assert truths(INTEGRATED, value, r"\int\limits^{3 x} f{(x)} dx = C + e^{2 x}")[2] == "incorrect"


def test_a_sum_keeps_its_constant_when_it_is_split() -> None:
    before = r"\int (f{(x)} + x) dx = \int (e^{x} + x) dx"
    value = r"\int (f{(x)} + x) dx = C + e^{x} + \frac{x^{2}}{2}"
    split = r"\int f{(x)} dx + \int x dx = C + e^{x} + \frac{x^{2}}{2}"
    assert truths(before, value, split)[2] == "valid"
    own = (r"\int e^{x} dx = A + e^{x}", r"\int x dx = B + \frac{x^{2}}{2}")
    assert truths(before, value, *own, split)[-1] not in TRUE


def test_one_constant_cannot_be_chosen_for_two_sums() -> None:
    first = (r"\int (f{(x)} + x) dx = \int (e^{x} + x) dx", r"\int (f{(x)} + x) dx = A + e^{x} + \frac{x^{2}}{2}")
    more = (r"\int (f{(x)} + 1) dx = \int (e^{x} + 1) dx", r"\int (f{(x)} + 1) dx = B + e^{x} + x")
    own = (r"\int x dx = C + \frac{x^{2}}{2}", r"\int 1 dx = D + x")
    product = (
        r"(\int f{(x)} dx + \int x dx) (\int f{(x)} dx + \int 1 dx) "
        r"= (A + e^{x} + \frac{x^{2}}{2}) (B + e^{x} + x)"
    )
    assert truths(*first, *more, *own, product)[-1] not in ("valid", "skipped")


def test_a_sum_of_one_integral_twice_keeps_its_value() -> None:
    twice = r"\int f{(x)} dx + \int f{(x)} dx = \int f{(x)} dx + \int e^{x} dx"
    value = r"A + \int f{(x)} dx + \int e^{x} dx = B + 2 e^{x}"
    same = r"A + 2 \int e^{x} dx = B + 2 e^{x}"
    assert truths(INTEGRATED, twice, value, same)[2:] == ["skipped", "valid"]
    assert truths(INTEGRATED, twice, value, r"2 \int e^{x} dx = B - A + 2 e^{x}")[3] in TRUE
    for wrong in (r"A + 2 \int e^{x} dx = B + 1 + 2 e^{x}", r"2 \int e^{x} dx = B + 2 e^{x}", r"\int e^{x} dx = e^{x}"):
        assert truths(INTEGRATED, twice, value, wrong)[3] not in TRUE


def test_an_integral_gets_its_constant_wherever_it_stands() -> None:
    premises = r"m{(x)} = \int x dx", r"a{(x)} = m^{2}{(x)}"
    steps = (
        r"\frac{d}{d x} a{(x)} = 2 (\frac{d}{d x} \int x dx) \int x dx",
        r"\frac{d}{d x} a{(x)} = 2 (A + \frac{x^{2}}{2}) \frac{d}{d x} (A + \frac{x^{2}}{2})",
    )
    for later, is_true in ((r"B + m{(x)} = B + A + \frac{x^{2}}{2}", True), (r"m{(x)} = 2 A + \frac{x^{2}}{2}", False)):
        prompt = f"Given {SEPARATOR.join(premises)}, then obtain {later}"
        found = check(prompt, SEPARATOR.join((*premises, *steps, later))).steps
        assert found[3].operator == "evaluate_integrals"
        assert (found[4].truth in TRUE) is is_true


def test_a_constant_need_not_depend_on_another_name() -> None:
    premises = r"v{(y)} = \cos{(y)}", r"m{(x)} = \int \sin{(x)} dx"
    for factor, is_true in ((3, True), (2, False)):
        goal = (
            rf"{factor} \frac{{d}}{{d y}} v{{(y)}} = \frac{{\partial}}{{\partial y}} (3 v{{(y)}} + \int \sin{{(x)}} dx)"
        )
        found = check(f"Given {' and '.join(premises)}, then obtain {goal}", SEPARATOR.join((*premises, goal)))
        assert (found.steps[2].truth in TRUE) is is_true


def test_what_cannot_be_told_at_a_point_is_not_refuted_there() -> None:
    premise = r"c{(\phi,t_{1},v_{x})} = (\phi + t_{1})^{v_{x}}"
    left, right = r"c^{t_{1}}{(\phi,t_{1},v_{x})}", r"((\phi + t_{1})^{v_{x}})^{t_{1}}"
    goal = " = ".join(rf"(\frac{{\log{{({side})}} - \int {left} d\phi}}{{v_{{x}}}})^{{\phi}}" for side in (left, right))
    # Near one of the points, at 0.0001, the series that the two sides share has too few digits.
    assert check(f"Given {premise}, then obtain {goal}", f"{premise} and {goal}").steps[1].truth == "skipped"


def test_a_split_integral_by_several_variables_times_another_name() -> None:
    whole = r"\theta \iint (f{(x)} + y) dx dy = \theta \iint (e^{x} + y) dx dy"
    split = r"\theta \iint f{(x)} dx dy + \theta \iint y dx dy = \theta \iint (e^{x} + y) dx dy"
    assert truths(whole, split)[1] in TRUE
    nested = r"\theta \iint (y + \int f{(x)} dx) dx dy = \theta \iint y dx dy + \theta \iiint e^{x} dx dx dy"
    assert truths(nested)[0] in TRUE
    assert truths(nested.replace("e^{x}", "2 e^{x}"))[0] not in TRUE


def test_constants_that_show_up_late_are_solved_for_too() -> None:
    premise = r"\hat{H}_l{(\mathbf{J}_f)} = e^{\mathbf{J}_f}"
    power = r"- (\frac{\hat{H}_l{(\mathbf{J}_f)}}{C_{1}})^{\mathbf{J}_f}"
    goal = (
        rf"{power} + (C_{{1}} + \frac{{\hat{{H}}_l{{(\mathbf{{J}}_f)}}}}{{C_{{1}}}})^{{C_{{1}}}} = "
        rf"{power} + (C_{{1}} + \frac{{e^{{\mathbf{{J}}_f}}}}{{C_{{1}}}})^{{C_{{1}}}}"
    )
    inner = r"\int e^{e^{e^{x}}} d x"
    nested = rf"\log{{(\log{{({inner})}})}}"
    triple = rf"\int \int \int_{{0}}^{{1}} \frac{{1}}{{x - y}} d x d x d x = {nested}"
    found = check(f"Given {premise}, then obtain {goal}", f"{premise} and {triple} and {nested} + 1 = {inner}")
    assert [step.truth for step in found.steps] == ["premise", "undecided", "undecided"]


def test_an_integral_inside_without_its_own_constant() -> None:
    before = (r"\int f{(x)} dx = \int e^{x} dx", r"(\int f{(x)} dx)^{2} = (\int e^{x} dx)^{2}")
    both = r"\int (\int f{(x)} dx)^{2} dx = \int (\int e^{x} dx)^{2} dx"
    value = r"\int (\int f{(x)} dx)^{2} dx = C + \frac{e^{2 x}}{2}"
    assert truths(*before, both, value)[-1] == "valid"
    # The constant of the integral inside was left out, so it is zero.
    assert truths(*before, both, value, r"\int e^{x} dx = 5 + e^{x}")[-1] not in ("valid", "skipped")
    wrong = r"\int (\int f{(x)} dx)^{2} dx = C + e^{2 x}"
    assert truths(*before, both, wrong)[-1] not in ("valid", "skipped")


def test_values_that_lead_to_each_other() -> None:
    double = r"2 \int f{(x)} dx = \int f{(x)} dx + \int e^{x} dx"
    integrated = r"\int 2 \int f{(x)} dx dx = \int (\int f{(x)} dx + \int e^{x} dx) dx"
    value = r"\int 2 \int f{(x)} dx dx = \int (C + e^{x} + \int f{(x)} dx) dx"
    again = r"\int 2 \int e^{x} dx dx = \int (C + e^{x} + \int e^{x} dx) dx"
    assert {*truths(INTEGRATED, double, integrated, value, again)} <= {*TRUE}


def test_integrals_by_parts_and_sums() -> None:
    assert truths(r"\int x e^{x} dx = x e^{x} - \int e^{x} dx") == ["skipped"]
    assert truths(r"\int (x + e^{x}) dx = \int x dx + \int e^{x} dx") == ["skipped"]
    assert truths(r"\int x e^{x} dx = x e^{x} + \int e^{x} dx") == ["incorrect"]


def test_a_second_constant_of_an_integral_up_to_an_end() -> None:
    value = r"\int\limits^{3 y} f{(x)} dx = C + e^{3 y}"
    ends = r"\int\limits^{3 y} f{(x)} dx = \int\limits^{3 y} e^{x} dx"
    other = r"C + e^{3 y} = \int\limits^{3 y} e^{x} dx"
    assert truths(ends, value, other, r"C + e^{3 y} = D + e^{3 y}")[1:] == ["valid"] * 3
    assert truths(ends, value, other, r"C + e^{3 y} = D + y + e^{3 y}")[-1] not in TRUE


def test_a_second_constant_within_a_product() -> None:
    steps = (
        *POWERS,
        f"- {LEFT} = - {RIGHT}",
        f"- (y + e^{{y}}) {LEFT} = - (y + e^{{y}}) {RIGHT}",
    )
    value = r"- (y + e^{y}) (A + f{(x)})^{x} = - (y + e^{y}) (B + e^{x})^{x}"
    assert truths(*steps, value, "A = B")[-2:] == ["valid", "skipped"]
    assert truths(*steps, value, "A = B + 1")[-2:] == ["valid", "incorrect"]
    assert truths(*steps, value.replace("B + e", "B + 2 e"))[-1] == "incorrect"


def test_the_constant_of_an_integral_of_zero() -> None:
    premise = r"f{(x,y)} = x + \log{(y)}"
    left = r"\int \frac{x - f{(x,y)} + \log{(y)}}{f{(x,y)}} dy"
    value = rf"\int 0 dy = C + {left}"
    goal = rf"\iint 0 dy dx = \int (C + {left}) dx"
    texts = (
        premise,
        r"1 = \frac{x + \log{(y)}}{f{(x,y)}}",
        r"0 = \frac{x + \log{(y)}}{f{(x,y)}} - 1",
        r"\int 0 dy = \int (\frac{x + \log{(y)}}{f{(x,y)}} - 1) dy",
        value,
        goal,
    )
    assert check(f"Given {premise}, then derive {value}, then obtain {goal}", SEPARATOR.join(texts)).verified


def test_a_sum_over_one_divisor_keeps_its_constant() -> None:
    steps = (
        r"\int (f{(x)} + x) dx = \int (e^{x} + x) dx",
        r"\int (f{(x)} + x) dx = C + e^{x} + \frac{x^{2}}{2}",
        r"1 = \frac{\int (e^{x} + x) dx}{\int (f{(x)} + x) dx}",
    )
    split = r"1 = \frac{\int e^{x} dx}{\int (f{(x)} + x) dx} + \frac{\int x dx}{\int (f{(x)} + x) dx}"
    assert truths(*steps, split)[-1] in ("valid", "skipped")
    assert truths(*steps, split.replace("1 =", "2 ="))[-1] not in TRUE
    own = (r"\int e^{x} dx = A + e^{x}", r"\int x dx = B + \frac{x^{2}}{2}")
    assert truths(*steps, *own, split)[-1] not in TRUE


def test_an_integral_of_an_integral_that_has_a_value() -> None:
    premise = r"g{(x,y)} = \int (x - y) dx"
    inner = r"g{(x,y)} = C + \frac{x^{2}}{2} - x y"
    outer = r"- \frac{x y^{2}}{2} + y (C + \frac{x^{2}}{2}) + D"
    texts = (
        premise,
        inner,
        r"\int g{(x,y)} dy = \int (C + \frac{x^{2}}{2} - x y) dy",
        rf"\int g{{(x,y)}} dy = {outer}",
        rf"\int (C + \frac{{x^{{2}}}}{{2}} - x y) dy = {outer}",
    )
    prompt = f"Given {premise}, then derive {inner}, then derive {texts[3]}, then obtain {texts[-1]}"
    assert check(prompt, SEPARATOR.join(texts)).verified
    wrong = texts[-1].replace("+ D", "+ D + y")
    assert (
        check(f"Given {premise}, then obtain {wrong}", SEPARATOR.join((*texts[:-1], wrong))).steps[-1].truth not in TRUE
    )


@pytest.mark.parametrize(
    "equation",
    [
        r"(\int f{(x)} dx)^{x} = - (\int e^{x} dx)^{x}",
        r"\sin{(\int f{(x)} dx)} = - \sin{(\int e^{x} dx)}",
        r"1 = \frac{d}{d x} \frac{\int f{(x)} dx}{\int e^{x} dx}",
        r"\frac{\int f{(x)} dx}{y \int e^{x} dx} = \frac{1}{y^{2}}",
        r"\int x dx (\int f{(x)} dx)^{y} = \int f{(x)} dx (\int e^{x} dx)^{y}",
        r"\log{(\int f{(x)} dx)} = 2 x",
    ],
)
def test_no_constant_makes_it_true(equation: str) -> None:
    assert truths(equation) == ["incorrect"]


def test_an_exponential_does_not_tell_the_branch_of_a_logarithm() -> None:
    r"""`\int e^{x} dx = e^{x + 2 i \pi}` is true without a constant, but not the logarithms of the sides."""
    goal = r"\log{(\int f{(x)} dx)} = x + 2 i \pi"
    assert check(f"Given {PREMISE}, then obtain {goal}", goal).steps[0].truth not in TRUE


def test_second_constants_where_functions_hide_what_is_common() -> None:
    steps = (
        *POWERS,
        f"f{{(x)}} {LEFT} = f{{(x)}} {RIGHT}",
        f"f{{(x)}} {LEFT} = e^{{x}} {RIGHT}",
    )
    assert truths(*steps, r"f{(x)} (A + f{(x)})^{x} = e^{x} (B + e^{x})^{x}", "A = B")[-2:] == ["valid", "skipped"]

    premises = (r"f{(x)} = e^{x}", r"g{(x)} = - f{(x)} + \frac{1}{\int x dx}")
    first = r"g{(x)} = - f{(x)} + \frac{1}{A + \frac{x^{2}}{2}}"
    texts = (
        *premises,
        first,
        r"g{(x)} = - e^{x} + \frac{1}{\int x dx}",
        r"g{(x)} = - e^{x} + \frac{1}{B + \frac{x^{2}}{2}}",
        r"- f{(x)} + \frac{1}{A + \frac{x^{2}}{2}} = - e^{x} + \frac{1}{B + \frac{x^{2}}{2}}",
    )
    prompt = f"Given {SEPARATOR.join(premises)}, then derive {first}, then obtain {texts[-1]}"
    assert check(prompt, SEPARATOR.join(texts)).verified


def test_a_constant_inside_a_power_is_tied_to_the_integrals_own() -> None:
    r"""The inner integral is evaluated a second time, inside one that stays; its new constant `k` is then `C`."""
    named, plain = r"(\int f{(x)} dx)^{x}", r"(\int e^{x} dx)^{x}"
    texts = (
        INTEGRATED,
        r"\int f{(x)} dx = C + e^{x}",
        f"{plain} = {named}",
        rf"\int {plain} dx = \int {named} dx",
        rf"\int (k + e^{{x}})^{{x}} dx = \int {named} dx",
    )
    again = rf"\int (k + e^{{x}})^{{x}} dx = \int {plain} dx"
    assert truths(*texts, again) == ["valid"] * 6
    assert truths(*texts, "k = C", "k = C + 1")[-2:] == ["skipped", "incorrect"]


@pytest.mark.parametrize(
    ("equation", "is_true"),
    [
        (r"\sin{(\int f{(x)} dx)} = \sin{(C - e^{x})}", True),
        (r"- \sin{(x - \int f{(x)} dx)} = \sin{(C + e^{x} - x)}", True),
        (r"- \tan{(x - \int f{(x)} dx)} = \tan{(C + e^{x} - x)}", True),
        (r"\tan{(\int f{(x)} dx)} = \tan{(C - e^{x})}", False),
        (r"- \sin{(\int f{(x)} dx)} = \sin{(C + 2 e^{x})}", False),
    ],
)
def test_functions_with_opposite_or_supplementary_arguments(equation: str, is_true: bool) -> None:
    r"""`\sin{(\pi - a)} = \sin{(a)}`, and no such constant exists for the tangent."""
    assert truths(equation) == ["skipped" if is_true else "incorrect"]


def test_a_product_of_integrals_is_multiplied_out() -> None:
    prompt = r"Given f{(x,y)} = x + y, then obtain x = 1"
    texts = [
        r"f{(x,y)} = x + y",
        r"\int f{(x,y)} dy = \int (x + y) dy",
        r"\iint f{(x,y)} dydx = \iint (x + y) dydx",
        r"(\int 1 dy) \iint f{(x,y)} dydx = (\int 1 dy) \iint (x + y) dydx",
        r"(\int 1 dy) \iint f{(x,y)} dydx = (\int 1 dy) \iint x dydx + (\int 1 dy) \iint y dydx",
    ]
    assert [step.truth for step in check(prompt, "\n".join(texts)).steps[1:]] == ["valid"] * 4
    false = texts[-1].replace(r"\iint y", r"\iint 2 y")
    assert check(prompt, "\n".join([*texts[:-1], false])).steps[-1].truth not in TRUE


def test_the_same_integral_is_evaluated_in_both_sides_of_an_even_function() -> None:
    r"""SymPy writes `\cos{(2 y - C x)}` as `\cos{(C x - 2 y)}`."""
    prompt = r"Given q{(x)} = \log{(x)} \int \log{(x)} dx, then obtain x = 1"
    texts = [
        r"q{(x)} = \log{(x)} \int \log{(x)} dx",
        r"2 x - q{(x)} = 2 x - \log{(x)} \int \log{(x)} dx",
        r"\cos{(2 x - q{(x)})} = \cos{(2 x - \log{(x)} \int \log{(x)} dx)}",
        r"\cos{(2 x - q{(x)})} = \cos{((C + x \log{(x)} - x) \log{(x)} - 2 x)}",
    ]
    assert [step.truth for step in check(prompt, "\n".join(texts)).steps[1:]] == ["valid"] * 3


def test_a_second_constant_of_one_integral_is_integrated_by() -> None:
    r"""`k` is tied to `C` by the step that evaluates the integral again, beside another term."""
    named, sine = r"\sin{(\int f{(x)} dx)}", r"\sin{(\int e^{x} dx)}"
    texts = (
        INTEGRATED,
        f"{named} = {sine}",
        rf"{named} = \sin{{(C + e^{{x}})}}",
        rf"x + {named} = x + {sine}",
        rf"x + {named} = x + \sin{{(k + e^{{x}})}}",
        rf"\int (x + {named}) dk = \int (x + \sin{{(k + e^{{x}})}}) dk",
    )
    assert truths(*texts) == ["valid"] * 6


def test_a_constant_is_not_that_of_another_integral_because_the_goal_would_like_it() -> None:
    r"""The goal holds where two integrals have one constant; the answer may not use `k` for both."""
    premises = (r"F{(x)} = \int x e^{x} dx", r"G{(x)} = \int e^{x} dx")
    goal = r"F{(x)} - (x e^{x} - e^{x}) = G{(x)} - e^{x}"
    texts = (*premises, r"F{(x)} = x e^{x} - e^{x} + k", r"G{(x)} = e^{x} + k", r"G{(x)} - e^{x} = k", goal)
    steps = check(f"Given {SEPARATOR.join(premises)}, then obtain {goal}", SEPARATOR.join(texts)).steps
    assert [step.truth for step in steps[2:]] == ["valid", "undecided", "undecided", "undecided"]
