"""The corrupted derivations: that they are what they are called, and that the comparison would notice a bad checker."""

import random
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from sympy import Equality, Expr, Integral, Rational
from sympy.core.function import AppliedUndef

from mathderive.symbolic.latex.parser import parse_equation
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR, split_prompt
from tests.validity_corpus.agreement import Agreement, compare
from tests.validity_corpus.corpus import Corpus, LabelledDerivation, add_corruptions, generated_sources
from tests.validity_corpus.corruptions import CORRUPTIONS

pytestmark = pytest.mark.slow

FALSIFYING = ("sign flipped", "factor dropped", "wrong derivative", "wrong integral", "symbol exchanged")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    made = Corpus()
    for source in generated_sources(6):
        add_corruptions(made, source)
    return made


def of_kind(corpus: Corpus, *kinds: str) -> list[LabelledDerivation]:
    return [derivation for derivation in corpus.derivations if derivation.kind in kinds]


def test_the_same_each_time() -> None:
    for source in generated_sources(4):
        for kind, corrupt in CORRUPTIONS.items():
            first, second = (corrupt(source.derivation, random.Random(kind)) for _ in range(2))
            assert first == second


def test_most_changes_are_false(corpus: Corpus) -> None:
    changed = [step for one in of_kind(corpus, *FALSIFYING) for step in one.steps if step.changed]
    assert len(changed) > 12
    assert sum(step.truth == "false" for step in changed) > 0.8 * len(changed)


def test_what_is_unchanged_is_true(corpus: Corpus) -> None:
    kept = [s for one in of_kind(corpus, "intact", "step repeated", "mirrored step", "detour") for s in one.steps]
    assert {step.truth for step in kept} == {"true"}
    assert {step.support for step in kept if not step.put_in} == {"premise", "valid"}


def test_what_is_put_in_is_labelled(corpus: Corpus) -> None:
    for one in of_kind(corpus, "step repeated", "mirrored step"):
        assert [step.redundant for step in one.steps if step.put_in] == [True]
    for one in of_kind(corpus, "detour"):
        assert {step.irrelevant for step in one.steps if step.put_in} == {True}
    assert of_kind(corpus, "detour")


def test_a_removed_step_is_missed(corpus: Corpus) -> None:
    missed = [[s.support for s in one.steps].count("skipped") for one in of_kind(corpus, "one step removed")]
    assert sum(count > 0 for count in missed) > 0.6 * len(missed) > 0


def test_a_missing_goal_is_not_reached(corpus: Corpus) -> None:
    for one in corpus.derivations:
        has_goal = split_prompt(one.prompt).goal in one.output.split(SEPARATOR)
        if one.kind == "goal missing":
            assert not has_goal
            assert (one.goal_reached, one.verified) == (False, False)
        elif has_goal:
            assert one.goal_reached


def test_removing_and_breaking_off_change_no_equation(corpus: Corpus) -> None:
    texts = {one.id: [latex(e) for e in one.derivation.equations] for one in generated_sources(6)}
    for one in of_kind(corpus, "one step removed", "two steps removed", "goal missing"):
        source = texts["-".join(one.id.split("-")[:2])]
        assert [step.text for step in one.steps] == [text for text in source if text in one.output.split(SEPARATOR)]
        assert len(one.steps) < len(source)


def answer(**changes: Any) -> Any:
    usual: dict[str, Any] = {"truth": "valid", "redundant": False, "irrelevant": False, "reason": ""}
    return SimpleNamespace(**{**usual, **changes})


def oracle(corpus: Corpus) -> Callable[[str, str], Any]:
    """A checker that knows the labels."""
    answers = {
        (one.prompt, one.output): SimpleNamespace(
            steps=[
                answer(
                    truth="incorrect" if step.truth == "false" else step.support or "valid",
                    redundant=step.redundant,
                    irrelevant=step.irrelevant,
                )
                for step in one.steps
            ],
            goal_reached=one.goal_reached,
            verified=one.verified,
        )
        for one in corpus.derivations
    }
    return lambda prompt, output: answers[prompt, output]


def test_a_perfect_checker_agrees(corpus: Corpus) -> None:
    agreement = compare(oracle(corpus), corpus.derivations)
    assert agreement.disagreements == []
    assert agreement.meets_its_aims()
    assert set(agreement.figures().values()) == {0.0, 1.0}


def test_a_credulous_checker_does_not(corpus: Corpus) -> None:
    def credulous(_: str, output: str) -> Any:
        return SimpleNamespace(steps=[answer() for _ in output.split(SEPARATOR)], goal_reached=True, verified=True)

    agreement = compare(credulous, corpus.derivations)
    assert not agreement.meets_its_aims()
    assert set(agreement.figures().values()) == {0.0}
    labels = [step.truth for one in corpus.derivations for step in one.steps]
    assert sum(agreement.counts["truth"].values()) == labels.count("true") + labels.count("false")


def test_a_checker_that_splits_otherwise_disagrees(corpus: Corpus) -> None:
    def lazy(_: str, __: str) -> Any:
        return SimpleNamespace(steps=[answer()], goal_reached=True, verified=True)

    agreement = Agreement()
    agreement.add(corpus.derivations[0], lazy("", ""))
    assert [one.got for one in agreement.disagreements] == ["1 steps"]


def test_sympy_is_of_the_judges_opinion(corpus: Corpus) -> None:
    """Where there is no integral: definitions put in, derivatives carried out by SymPy, values at a real point."""
    agree: Counter[tuple[str, bool]] = Counter()
    for one in corpus.derivations:
        premises = [parse_equation(text) for text in split_prompt(one.prompt).premises]
        if any(premise.has(Integral) for premise in premises):
            continue
        defined = dict(sides for premise in premises for sides in (premise.args, premise.args[::-1]) if is_name(*sides))
        for step in one.steps:
            equation = parse_equation(step.text)
            if step.truth in ("true", "false") and not equation.has(Integral) and not step.note:
                value = value_of_difference(equation, defined)
                if value is not None:
                    agree[step.truth, value < 1e-12] += 1
    assert agree.keys() == {("true", True), ("false", False)}
    assert agree["true", True] > 100
    assert agree["false", False] > 5


def is_name(left: Expr, right: Expr) -> bool:
    return isinstance(left, AppliedUndef) and {*left.args} == right.free_symbols


def value_of_difference(equation: Equality, defined: dict[Expr, Expr]) -> Expr | None:
    """The sides' relative distance; None where a function is not one of the defined or there is no value."""
    sides = list(equation.args)
    for _ in range(4):
        sides = [side.subs(defined) for side in sides]
    rng = random.Random(0)
    point = {name: Rational(rng.randint(300, 1500), 1000) for name in sorted(equation.free_symbols, key=str)}
    values = [side.doit().subs(point).evalf(30) for side in sides]
    if not all(value.is_number and value.is_finite for value in values):
        return None
    return abs(values[0] - values[1]) / max(abs(values[0]), abs(values[1]), 1)
