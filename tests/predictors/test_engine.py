"""The engine: what its search derives, and what its answers depend on."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest
from sympy import Derivative, Expr, Function, Integral, Symbol, cos, exp, sin

from mathderive.checker.checker import check
from mathderive.checker.consequences import consequence
from mathderive.checker.inference.facts import Fact
from mathderive.core.workers import Limits
from mathderive.predictors.base import predict_set
from mathderive.predictors.engine import predictor
from mathderive.predictors.engine.index import EquationIndex
from mathderive.predictors.engine.predictor import Engine
from mathderive.predictors.engine.subgoals import before_substitution, subgoals
from mathderive.predictors.search import EXHAUSTED, VERIFIED
from mathderive.predictors.settings import EngineSettings
from mathderive.records import Example, Prediction, read_jsonl
from mathderive.symbolic.engine.operators import OPERATORS
from mathderive.symbolic.engine.operators.application import no_constant
from mathderive.symbolic.latex.parser import parse_equation
from mathderive.symbolic.prompts import repeat_prompt, split_prompt
from tests.validity_corpus.truth import Judge, Truth

x, y, C = (Symbol(name) for name in "xyC")
f = Function("f")

PROMPTS = {
    "two operators": r"Given f{(x)} = e^{x}, then obtain f{(x)} \cos{(x)} + 1 = e^{x} \cos{(x)} + 1",
    "a derivative": r"Given f{(x)} = \sin{(x)}, then derive \frac{d}{d x} f{(x)} = \cos{(x)}, "
    r"then obtain (\frac{d}{d x} \sin{(x)})^{x} = \cos^{x}{(x)}",
    "an integral": r"Given f{(x)} = \cos{(x)}, then obtain C + \sin{(x)} - 1 = \int f{(x)} dx - 1",
    "two premises": r"Given f{(x)} = \cos{(x)} and g{(y)} = \sin{(y)} and h{(x,y)} = f{(x)} + g{(y)}, "
    r"then obtain e^{h{(x,y)}} = e^{\cos{(x)} + \sin{(y)}}",
}


def example(name: str, prompt: str, target: str = "") -> Example:
    return Example(id=f"{name}-static", source_id=name, set="static", prompt=prompt, target=target, steps=[])


def engine(**changes: object) -> Engine:
    return Engine("engine", EngineSettings.model_validate({"kind": "engine", **changes}), "0", workers=1)


def answers(one: Engine, examples: Sequence[Example]) -> list[Prediction]:
    return [found for batch in one.predict(one.batches(examples)) for found in batch]


@pytest.fixture(scope="module")
def found() -> dict[str, Prediction]:
    examples = [example(name.replace(" ", "-"), prompt) for name, prompt in PROMPTS.items()]
    return dict(zip(PROMPTS, answers(engine(), examples), strict=True))


@pytest.mark.parametrize("name", PROMPTS)
def test_answers_are_verified_and_true(found: dict[str, Prediction], name: str) -> None:
    assert found[name].finish_reason == VERIFIED
    assert check(PROMPTS[name], found[name].text).verified
    equations = [parse_equation(text) for text in found[name].text.split(" and ")]
    premises = [parse_equation(text) for text in split_prompt(PROMPTS[name]).premises]
    judge, state = Judge(premises, equations, {C}, "test"), ()
    for one in equations:
        truth, state = judge.truth(one, state)
        assert truth is Truth.TRUE
    assert not check(PROMPTS[name], repeat_prompt(PROMPTS[name])).verified


def test_answers_depend_on_the_prompt_alone(found: dict[str, Prediction]) -> None:
    name = "a derivative"
    (again,) = answers(engine(), [example("a-derivative", PROMPTS[name], target="something else")])
    assert again == found[name]


def test_a_goal_that_a_premise_says_in_another_form_is_stated() -> None:
    prompt = r"Given f{(x)} = x (x + 1), then obtain f{(x)} = x^{2} + x"
    (one,) = answers(engine(), [example("a", prompt)])
    assert (one.text, one.finish_reason) == (repeat_prompt(prompt), VERIFIED)


def test_a_goal_that_cannot_be_derived_is_stated_all_the_same() -> None:
    prompt = r"Given f{(x)} = \cos{(x)}, then obtain f{(x)} = \sin{(x)}"
    (one,) = answers(engine(expansions=3), [example("a", prompt)])
    assert (one.text, one.finish_reason) == (repeat_prompt(prompt), EXHAUSTED)
    assert one.usage is not None
    assert 0 < one.usage["expanded_equations"] <= 6


def test_a_prompt_that_cannot_be_read_costs_no_other_its_answer() -> None:
    unreadable, other = answers(engine(), [example("a", "Prove it"), example("b", PROMPTS["two operators"])])
    assert (unreadable.text, other.finish_reason) == ("", VERIFIED)
    assert unreadable.error is not None
    assert "a prompt begins with" in unreadable.error


def test_a_search_that_exceeds_its_limits_answers_with_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "LIMITS", Limits(cpu_seconds=0.02))
    prompt = PROMPTS["a derivative"]
    (one,) = answers(engine(), [example("a", prompt)])
    assert one.finish_reason == EXHAUSTED
    assert one.text.endswith(split_prompt(prompt).goal)


class KilledError(Exception):
    pass


def test_a_killed_run_goes_on_from_its_last_batch(tmp_path: Path, found: dict[str, Prediction]) -> None:
    examples = [example(f"n{number}", PROMPTS["two operators"]) for number in range(9)]

    class Mortal(Engine):
        def _answer_all(self, *arguments: object) -> list[Prediction]:
            if arguments[1][0].id == "n8-static":  # type: ignore[index]
                raise KilledError
            return super()._answer_all(*arguments)  # type: ignore[arg-type]

    mortal = Mortal("engine", EngineSettings(kind="engine"), "0", workers=1)
    with pytest.raises(KilledError):
        predict_set(mortal, examples, tmp_path / "static.jsonl", lambda *_: None)
    assert (tmp_path / "static.jsonl.partial").read_text().count("\n") == 8
    predict_set(engine(), examples, tmp_path / "static.jsonl", lambda *_: None)
    assert {one.text for one in read_jsonl(tmp_path / "static.jsonl", Prediction)} == {found["two operators"].text}


OPERANDS: dict[str, Expr | None] = {
    "cos": None,
    "sin": None,
    "exp": None,
    "log": None,
    "add": x,
    "minus": exp(x),
    "times": y,
    "divide": cos(x),
    "power": x,
    "differentiate": x,
    "integrate": y,
}


@pytest.mark.parametrize(
    ("name", "sides"), [*product(OPERANDS, [(f(x), sin(x) + y), (Derivative(f(x), x), x * y), (f(x) + x, y**2)])]
)
def test_undoing_an_operator_finds_what_it_was_applied_to(name: str, sides: tuple[Expr, Expr]) -> None:
    before = Fact(0, *sides)
    after = consequence(OPERATORS[name], before, OPERANDS[name], no_constant, 100)
    assert after is not None
    index: EquationIndex[int] = EquationIndex()
    for number, one in enumerate(subgoals(after, ())):
        index.add(Fact(0, *one), number)
    assert [*index.equal(before)]


def test_undoing_an_evaluation_finds_the_integral() -> None:
    wanted = Fact(0, C + sin(x), Integral(f(x), x))
    assert (Integral(cos(x), x), Integral(f(x), x)) in [*subgoals(wanted, [C])]


def test_undoing_a_substitution_may_leave_one_side_as_it_is() -> None:
    sides = (sin(x) + f(x), f(x) * y)
    found = set(before_substitution(sides, cos(x), f(x)))
    assert found == {(sin(x) + cos(x), cos(x) * y), (sin(x) + cos(x), f(x) * y), (sides[0], cos(x) * y)}


def test_an_index_tells_equal_sides_from_equal_differences_and_ratios() -> None:
    index: EquationIndex[str] = EquationIndex()
    index.add(Fact(0, f(x), x + y), "itself")
    index.add(Fact(0, f(x) + y, x + 2 * y), "a sum away")
    index.add(Fact(0, f(x) * y, x * y + y**2), "a product away")
    index.add(Fact(0, f(x) ** 2, (x + y) ** 2), "a power away")
    fact = Fact(0, y + x, f(x))
    assert [*index.equal(fact)] == ["itself"]
    assert {*index.near(fact)} == {"a sum away", "a product away"}
