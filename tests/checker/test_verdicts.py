"""What the checker says about derivations whose faults are known."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Expr, Integer, Symbol, cos, exp, log, sin

from mathderive.checker.checker import check
from mathderive.checker.verdicts import StepVerdict, VerdictLabel
from mathderive.symbolic.engine.derivation import Derivation, Step
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, apply_operator
from mathderive.symbolic.engine.operators.application import no_constant
from mathderive.symbolic.engine.texts import prompt as prompt_of
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR

PROMPT = (
    r"Given f{(x)} = \sin{(x)}, then derive \frac{d}{d x} f{(x)} = \cos{(x)}, "
    r"then obtain x + \frac{d}{d x} f{(x)} = x + \cos{(x)}"
)
PREMISE = r"f{(x)} = \sin{(x)}"
DIFFERENTIATED = r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}"
EVALUATED = r"\frac{d}{d x} f{(x)} = \cos{(x)}"
GOAL = r"x + \frac{d}{d x} f{(x)} = x + \cos{(x)}"


def steps(*texts: str, prompt: str = PROMPT) -> list[StepVerdict]:
    return check(prompt, SEPARATOR.join(texts)).steps


def test_a_whole_derivation() -> None:
    verdict = check(PROMPT, SEPARATOR.join((PREMISE, DIFFERENTIATED, EVALUATED, GOAL)))
    assert [(step.truth, step.operator, step.operands, step.steps) for step in verdict.steps] == [
        ("premise", None, [], []),
        ("valid", "differentiate", ["x"], [1]),
        ("valid", "evaluate_derivatives", [], [2]),
        ("valid", "add", ["x"], [3]),
    ]
    assert verdict.verified
    assert verdict.premises_used == verdict.intermediates_present == [True]
    assert not any(step.redundant or step.irrelevant or step.category for step in verdict.steps)
    assert [step.stated for step in verdict.steps] == [True, False, True, True]


def test_what_is_left_out_is_skipped() -> None:
    verdict = check(PROMPT, SEPARATOR.join((PREMISE, EVALUATED, GOAL)))
    assert [step.truth for step in verdict.steps] == ["premise", "skipped", "valid"]
    assert verdict.goal_reached
    assert not verdict.verified
    assert verdict.steps[1].category == "skipped"


@pytest.mark.parametrize("mirror", [False, True])
def test_what_is_said_twice_is_redundant(mirror: bool) -> None:
    again = " = ".join(reversed(EVALUATED.split(" = "))) if mirror else EVALUATED
    verdict = check(PROMPT, SEPARATOR.join((PREMISE, DIFFERENTIATED, EVALUATED, again, GOAL)))
    assert [step.redundant for step in verdict.steps] == [False, False, False, True, False]
    assert verdict.steps[3].category == "redundant"
    assert verdict.steps[3].label == VerdictLabel(
        kind="redundant", words=[verdict.steps[3].truth, "redundant", "irrelevant"]
    )
    assert verdict.steps[1].label == VerdictLabel(kind="valid", words=["valid"])
    assert [step.stated for step in verdict.steps] == [True, False, True, True, True]
    assert verdict.verified


def test_a_detour_is_irrelevant_and_harms_nothing() -> None:
    detour = r"\cos{(f{(x)})} = \cos{(\sin{(x)})}"
    verdict = check(PROMPT, SEPARATOR.join((PREMISE, detour, DIFFERENTIATED, EVALUATED, GOAL)))
    assert [step.category for step in verdict.steps] == [None, "irrelevant", None, None, None]
    assert verdict.steps[1].operator == "cos"
    assert verdict.verified


def test_a_false_equation_has_a_counterexample_and_is_no_reason() -> None:
    wrong = r"\frac{d}{d x} f{(x)} = - \cos{(x)}"
    verdict = check(
        PROMPT, SEPARATOR.join((PREMISE, DIFFERENTIATED, wrong, r"x + \frac{d}{d x} f{(x)} = x - \cos{(x)}"))
    )
    assert [step.truth for step in verdict.steps] == ["premise", "valid", "incorrect", "incorrect"]
    place = float(verdict.steps[2].counterexample["x"])  # type: ignore[index]
    assert cos(place) != -cos(place)
    assert not verdict.goal_reached


def test_the_values_of_the_sides_are_those_of_what_the_reason_says_of_them() -> None:
    wrong = r"y + x + \frac{d}{d x} f{(x)} = y + x - \cos{(x)}"
    step = check(PROMPT, SEPARATOR.join((PREMISE, DIFFERENTIATED, wrong))).steps[2]
    slope = cos(float(step.counterexample["x"]))  # type: ignore[index]
    said = re.fullmatch(
        r"the left side is (\S+) where the right one is (\S+), both without the terms that they share", step.reason
    )
    assert said is not None, step.reason
    assert list(map(float, said.groups())) == pytest.approx([slope, -slope], rel=1e-4)


def test_nothing_depends_on_how_an_equation_is_printed() -> None:
    t5 = (r"f { (x) } = \ sin { (x) }", r"frac { d } { d x } f { (x) } = \ frac { d } { d x } \ sin { (x) }")
    assert [step.truth for step in steps(*t5, EVALUATED, GOAL)] == ["premise", "valid", "valid", "valid"]
    mirrored = r"\cos{x} + x = x + \frac{d}{dx} f{(x)}."
    assert steps(PREMISE, DIFFERENTIATED, EVALUATED, mirrored)[-1].operator == "add"


@pytest.mark.parametrize("derivative", [r"\frac{d}{dx} f(x)", r"\frac{df}{dx}", "f'(x)", r"f'\left(x\right)"])
@pytest.mark.parametrize("defined", ["f(x)", "f{(x)}", r"f{ \left( x \right) }"])
def test_the_notation_of_people(derivative: str, defined: str) -> None:
    prompt = f"Given {defined} = " r"\sin(x) + y, then obtain x f(x) + \frac{d}{dx} f(x) = x f(x) + \cos(x)"
    lines = (
        r"f(x) = \sin(x) + y",
        rf"{derivative} = \frac{{d}}{{dx}} (\sin x + y)",
        rf"{derivative} = \cos x",
        rf"x f(x) + {derivative} = x f(x) + \cos(x)",
    )
    verdict = check(prompt, "\n".join(lines))
    assert verdict.verified, verdict
    assert check(prompt, "\n".join(lines).replace(r"\cos", r"2 \cos")).steps[2].truth == "incorrect"


def test_the_first_token_may_be_missing() -> None:
    """A T5 that was trained the authors' way never writes it."""
    assert steps(r"{ (x) } = \ sin { (x) }", DIFFERENTIATED)[0].truth == "premise"
    assert steps(PREMISE, r"{ (x) } = \ sin { (x) }")[1].truth == "incorrect"


def test_a_given_premise_need_not_be_stated() -> None:
    verdict = check(PROMPT, SEPARATOR.join((DIFFERENTIATED, EVALUATED, GOAL)))
    assert verdict.verified
    assert verdict.premises_used == [False]
    assert verdict.steps[0].steps == []


def test_chains_are_what_their_worst_link_is() -> None:
    chain = r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} = \cos{(x)}"
    assert steps(PREMISE, chain)[1].truth == "valid"  # one operator for each link
    assert steps(PREMISE, chain + r" = \cos{(x + f{(x)} - \sin{(x)})}")[1].truth == "skipped"
    assert steps(PREMISE, chain.replace(r"\cos", r"- \cos"))[1].truth == "incorrect"
    assert check(PROMPT, SEPARATOR.join((PREMISE, DIFFERENTIATED, EVALUATED + r" = 1 \cdot \cos{(x)}", GOAL))).verified


@pytest.mark.parametrize(
    "text",
    [
        *(r"\frac{d}{d x} f{(x)}", r"f{(x)} = )", "=", "x = ", "u equals x = 2 nearly"),
    ],
)
def test_what_is_no_equation_is_unparsable(text: str) -> None:
    assert steps(PREMISE, text)[1].truth == "unparsable"


def test_a_remark_in_brackets_is_no_part_of_the_equation() -> None:
    for remark in (r" (by integrating the left side)", r" (substituting f{(x)} with \sin{(x)})"):
        assert steps(PREMISE, DIFFERENTIATED + remark)[1].truth == "valid"


def test_renaming_premises() -> None:
    named = r"g{(x)} = \sin{(x)}"
    assert [(step.truth, step.operator) for step in steps(PREMISE, named)][1] == ("valid", "renaming_premise")
    assert steps(PREMISE, r"g{(x)} = \sin{(x)} + 7")[1].truth == "skipped"
    assert steps(PREMISE, named, r"g{(x)} = \cos{(x)}")[2].truth == "incorrect"
    assert steps(PREMISE, named, r"\frac{d}{d x} g{(x)} = \cos{(x)}")[2].truth == "skipped"


def test_of_two_letters_one_is_a_name_and_the_other_a_constant() -> None:
    premise, goal = (
        r"f{(x,i)} = i x",
        r"\int e^{- i x^{2}} dx = C + \frac{\sqrt{\pi} \operatorname{erf}{(\sqrt{i} x)}}{2 \sqrt{i}}",
    )
    verdict = check(f"Given {premise}, then obtain {goal}", SEPARATOR.join((premise, goal)))
    assert [step.truth for step in verdict.steps] == ["premise", "skipped"]


def test_a_premise_that_is_no_definition_is_a_condition() -> None:
    prompt = r"Given x^{2} + y^{2} = 1 and \sin{(x y)} = x - y, then obtain x = 1 - y"
    assert steps("x = 1 - y", prompt=prompt)[0].truth == "incorrect"
    assert steps("x^{2} = 1 - y^{2}", prompt=prompt)[0].truth == "valid"
    prompt = r"Given \frac{d}{d x} f{(x)} = f{(x)}, then obtain f{(x)} = 0"
    assert steps("f{(x)} = 0", prompt=prompt)[0].truth == "undecided"
    prompt = "Given F = m a, then obtain a = 7"
    assert [step.truth for step in steps("2 F = 2 m a", r"a = \frac{F}{m}", "a = F m", prompt=prompt)] == [
        "valid",
        "valid",
        "incorrect",
    ]


def test_domains() -> None:
    """Names stand for positive numbers, where powers and logarithms behave as people expect."""
    prompt = "Given f{(x)} = x, then obtain x = 1"
    for text in (r"\log{(x y)} = \log{(x)} + \log{(y)}", r"\sqrt{x^{2}} = x", r"(x y)^{z} = x^{z} y^{z}"):
        assert steps(text, prompt=prompt)[0].truth == "skipped", text
    for text in (r"\log{(x + y)} = \log{(x)} + \log{(y)}", r"\sqrt{x^{2}} = - x", r"x^{y} = y^{x}", r"(-1)^{x} = -1"):
        assert steps(text, prompt=prompt)[0].truth == "incorrect", text
    assert steps(r"\frac{x - x}{x - x} = 1", prompt=prompt)[0].truth in ("undecided", "skipped")


def test_an_equation_may_be_meant_in_any_reading_in_which_it_follows() -> None:
    r"""`\frac{d}{d x} a b` is the derivative of `a b`, or of `a`, times `b`; here only the second one goes on."""
    prompt = r"Given f{(x)} = \sin{(x)} and g{(x)} = \frac{d}{d x} f{(x)} \int h{(x)} d x, then obtain x = 1"
    derivation = (
        r"g{(x)} = \frac{d}{d x} f{(x)} \int h{(x)} d x",
        r"g{(x)} = \frac{d}{d x} \sin{(x)} \int h{(x)} d x",
        r"g{(x)} = \cos{(x)} \int h{(x)} d x",
    )
    assert [step.operator for step in steps(PREMISE, *derivation, prompt=prompt)[2:]] == [
        "substitute_LHS_for_RHS",
        "evaluate_derivatives",
    ]
    wrong = derivation[2].replace("cos", "sin")
    assert steps(PREMISE, *derivation[:2], wrong, prompt=prompt)[-1].truth == "incorrect"


def test_of_many_readings_those_with_known_derivatives_are_judged() -> None:
    r"""Each of the four derivatives may end in two places or more, which makes 36 readings."""
    prompt = r"Given f{(g)} = \cos{(g)}, then obtain f{(g)} = \cos{(g)}"
    slope, power = r"\frac{d}{d g} g f{(g)}", r"(\frac{d}{d g} g \cos{(g)})^{g}"
    texts = [
        r"f{(g)} = \cos{(g)}",
        r"g f{(g)} = g \cos{(g)}",
        rf"{slope} = \frac{{d}}{{d g}} g \cos{{(g)}}",
        rf"{power} {slope} = {power} \frac{{d}}{{d g}} g \cos{{(g)}}",
        rf"0 = - {slope} {power} + \frac{{d}}{{d g}} g \cos{{(g)}} {power}",
    ]
    steps = check(prompt, "\n".join(texts)).steps
    assert [(step.truth, step.steps) for step in steps[1:]] == [("valid", [number]) for number in (1, 2, 3, 4)]


def test_a_function_named_like_another_names_index() -> None:
    prompt = r"Given b{(x,\rho_b)} = x \rho_b, then obtain \int \rho_b (1 - b{(x,\rho_b)}) d x = 1"
    premise, goal = r"b{(x,\rho_b)} = x \rho_b", r"\rho_b (1 - b{(x,\rho_b)}) = \rho_b (1 - x \rho_b)"
    assert [step.truth for step in steps(premise, goal, prompt=prompt)] == ["premise", "skipped"]
    before = r"1 - b{(x,\rho_b)} = 1 - x \rho_b"
    verdict = check(f"Given {premise}, then obtain {goal}", SEPARATOR.join((premise, before, goal)))
    assert verdict.steps[-1].operator == "times"
    assert verdict.goal_reached


def test_a_factor_is_found_where_numbers_were_multiplied_out() -> None:
    before = r"0 = \frac{2 (- f{(x)} + \sin{(x)})}{f{(x)}}"
    after = r"0 = - 2 f{(x)} + 2 \sin{(x)}"
    assert steps(PREMISE, r"0 = - f{(x)} + \sin{(x)}", r"0 = \frac{- f{(x)} + \sin{(x)}}{f{(x)}}", before, after)[
        -1
    ].operator in ("times", "add")


def test_functions_take_an_integral_of_zero_for_zero() -> None:
    prompt = r"Given f{(x)} = \sin{(x)} and g{(x)} = f{(x)} + \int 0 d x, then obtain x = 1"
    texts = (r"g{(x)} = f{(x)} + \int 0 d x", r"e^{g{(x)}} = e^{f{(x)}}")
    assert steps(*texts, prompt=prompt)[-1].operator == "exp"


def test_what_has_no_value_is_undecided() -> None:
    zero, log = r"- \sin{(x)} + f{(x)}", r"\log{((- \sin{(x)} + f{(x)})^{x})}"
    texts = (
        f"{zero} = 0",
        f"({zero})^{{x}} = 0^{{x}}",
        rf"{log} = \log{{(0^{{x}})}}",
        rf"x + {log} = x + \log{{(0^{{x}})}}",
    )
    found = steps(PREMISE, *texts)
    assert [step.operator for step in found] == [None, "minus", "power", None, None]
    assert [step.truth for step in found[3:]] == ["undecided", "undecided"]
    (wrong,) = steps(PREMISE, *texts[:3], rf"x + {log} = 2 x + \log{{(0^{{x}})}}")[4:]
    assert wrong.truth not in ("premise", "valid")


def test_the_prompt_must_be_one() -> None:
    with pytest.raises(ValueError, match="a prompt begins with 'Given '"):
        check("We look at 1 = 1", "1 = 1")


x, y = Symbol("x"), Symbol("y")
UNARY = ("cos", "sin", "exp", "log", "expand", "evaluate_derivatives")
ARITHMETIC = ("add", "minus", "times", "divide", "power")
OPERANDS = (x, y, Integer(2), sin(x), exp(y), x * y + 1, log(x) / y)


UNDECIDED = (
    "there is no value at any point tried",  # the logarithm of a side that is zero where the premises hold
    "a constant of integration would have to be a name that is in use",  # an integral of a sum, split after it has one
)
"""Reasons for which what an operator gives is undecided."""


@settings(max_examples=60, deadline=None)
@given(
    choices=st.tuples(*[st.integers(0, 1000)] * 2),
    name=st.sampled_from((*UNARY, *ARITHMETIC, "differentiate", "integrate")),
    operand=st.sampled_from(OPERANDS),
)
def test_what_an_operator_gives_is_valid(
    choices: tuple[int, int], name: str, operand: Expr | None, sampled: list[Derivation]
) -> None:
    derivation = sampled[choices[0] % len(sampled)]
    equation = derivation.equations[choices[1] % len(derivation.equations)]
    if name in UNARY:
        operand = None
    elif name not in ARITHMETIC:
        symbols = sorted(equation.atoms(Symbol), key=lambda symbol: symbol.name)
        operand = symbols[sum(choices) % len(symbols)]
    try:
        result = apply_operator(OPERATORS[name], equation, operand, no_constant)
    except OperatorError:
        return
    if result == equation or len(latex(result)) > 300 or "infty" in latex(result) or "NaN" in latex(result):
        return
    before = Derivation((*derivation.steps, Step(result, (name, 1))))
    texts = [*map(latex, derivation.equations), latex(result)]
    verdict = check(prompt_of(before), SEPARATOR.join(texts)).steps[-1]
    if verdict.reason in UNDECIDED:
        assert verdict.truth == "undecided"
        return
    assert verdict.truth in ("premise", "valid"), (name, operand, latex(equation), latex(result), verdict)


@pytest.mark.parametrize(
    ("equation", "truth"),
    [
        (r"\frac{d^{2}}{d u{(x)}^{2}} f{(x)} = - \sin{(x^{2})}", "skipped"),
        (r"\frac{d^{2}}{d u{(x)}^{2}} f{(x)} = \sin{(x^{2})}", "incorrect"),
        (r"\frac{d^{2}}{d xd u{(x)}} f{(x)} = - 2 x \sin{(x^{2})}", "skipped"),
        (r"\frac{d^{2}}{d u{(x)}d x} f{(x)} = - 2 x \sin{(x^{2})}", "incorrect"),
    ],
)
def test_higher_derivatives_by_functions(equation: str, truth: str) -> None:
    r"""With `u = x^2`, `d/du` is `1/(2 x) d/dx`, which does not commute with `d/dx`."""
    prompt = r"Given u{(x)} = x^{2} and f{(x)} = \sin{(x^{2})}, then obtain x = 1"
    assert check(prompt, equation).steps[0].truth == truth


def test_a_derivative_of_unknown_order_is_undecided() -> None:
    equation = r"\frac{d^{n}}{d x^{n}} f{(x)} = \cos{(x)}"
    assert check(r"Given f{(x)} = \sin{(x)}, then obtain x = 1", equation).steps[0].truth == "undecided"


@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_a_substitution_does_not_depend_on_where_the_names_put_a_minus_sign(first: str, second: str) -> None:
    r"""SymPy writes `\sin{(b - a)}` as `- \sin{(a - b)}`, and does not find that in `\sin{(a - b)}`."""
    premise = rf"f{{(a,b)}} = \sin{{({first} - {second})}}"
    before = rf"x = f{{(a,b)}} \cos{{(x)}} - \sin{{({first} - {second})}}"
    after = r"x = f{(a,b)} \cos{(x)} - f{(a,b)}"
    step = check(f"Given {premise} and {before}, then obtain x = 1", after).steps[0]
    assert (step.truth, step.operator) == ("valid", "substitute_RHS_for_LHS")
