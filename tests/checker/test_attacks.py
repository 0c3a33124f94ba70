"""The attacks on the checker and their labels: every class attacks, and no correct derivation is called an attack."""

import zlib
from itertools import islice

import pytest
from sympy import Symbol

from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.latex.parser import parse_equation
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.prompts import SEPARATOR, split_prompt
from tests.validity_corpus.attacks import ATTACKS, Attempt, label, settings_of
from tests.validity_corpus.attacks.honest import honest_derivations
from tests.validity_corpus.attacks.names import WEAK_HASHES, colliding_names
from tests.validity_corpus.corpus import constants_of, generated_source
from tests.validity_corpus.point import State
from tests.validity_corpus.truth import Judge, Truth

SINE = r"f{(x)} = \sin{(x)}"


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_of_a_class_finds_a_victim(name: str) -> None:
    for build in ATTACKS[name]:
        settings = (setting for number in (1, 2, 3) for setting in settings_of(generated_source(number), "test"))
        attempts = (build(setting) for setting in settings)
        labelled = (label(attempt, "test") for attempt in attempts if attempt is not None)
        first = next(found for found in labelled if found is not None)
        assert all(1 <= number <= len(first.attempt.lines) for number in first.not_true)
        asked = split_prompt(first.attempt.prompt)
        assert (asked.premises, asked.goal) == (first.attempt.premises, first.attempt.goal)
        assert first.attempt.output.split(SEPARATOR) == list(first.attempt.lines)


def test_a_correct_derivation_is_no_attack() -> None:
    for number in range(1, 9):
        source = generated_source(number)
        steps = sorted(source.derivation.steps, key=lambda step: not is_premise(step.annotation))
        premises = tuple(latex(step.equation) for step in steps if is_premise(step.annotation))
        attempt = Attempt(
            premises=premises,
            goal=latex(source.derivation.equations[-1]),
            lines=tuple(latex(step.equation) for step in steps),
            honest=len(premises),
            constants=frozenset(constant.name for constant in constants_of(source.derivation)),
        )
        assert label(attempt, "test") is None, source.prompt


def test_honest_derivations_are_true() -> None:
    sources = [generated_source(number) for number in range(1, 4)]
    for asked, output in islice(honest_derivations(sources, "test"), 9):
        premises = [parse_equation(text) for text in split_prompt(asked).premises]
        equations = [parse_equation(text) for text in output.split(SEPARATOR)]
        given = {name for premise in premises for name in premise.free_symbols}
        names = {name for equation in equations for name in equation.free_symbols}
        judge = Judge(premises, equations, names - given, "test")
        state: State = ()
        for equation in equations:
            truth, state = judge.truth(equation, state)
            assert truth is Truth.TRUE, equation


@pytest.mark.parametrize(
    ("lines", "not_true"),
    [
        ((SINE, r"f{(x)} = \cos{(x)}"), (2,)),
        ((SINE, r"2 f{(x)} = 2 \sin{(x)}", r"f{(x)} = \sin{(x)} + 10^{-40}", r"f{(x)} = \cos{(x)}"), (3, 4)),
        ((SINE, r"x f{(x)} = x \sin{(x)}", r"\operatorname{Abs}{(f{(x)})} = f{(x)}"), (3,)),
    ],
)
def test_labels_name_the_false_lines(lines: tuple[str, ...], not_true: tuple[int, ...]) -> None:
    found = label(Attempt((SINE,), lines[-1], lines, honest=1), "test")
    assert found is not None
    assert found.not_true == not_true


def test_a_true_goal_behind_a_division_by_zero_is_not_derived() -> None:
    goal = r"\frac{d}{d x} f{(x)} = \cos{(x)}"
    zero = r"(f{(x)} - \sin{(x)})"
    void = rf"(\frac{{d}}{{d x}} f{{(x)}}) {zero} = (\cos{{(x)}}) {zero}"
    attack = label(Attempt((SINE,), goal, (SINE, void, goal), honest=1), "test")
    assert attack is not None
    assert attack.not_true == ()
    between = r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}"
    assert label(Attempt((SINE,), goal, (SINE, between, goal), honest=1), "test") is None


def test_a_new_name_is_no_false_line() -> None:
    """It may stand for any expression once, and for nothing else afterwards."""
    lines = (SINE, r"u{(x)} = f{(x)} - \sin{(x)}", r"u{(x)} = f{(x)}", r"f{(x)} = \cos{(x)}")
    found = label(Attempt((SINE,), lines[-1], lines, honest=1), "test")
    assert found is not None
    assert found.not_true == (3, 4)


def test_a_witness_labels_what_a_condition_does_not_decide() -> None:
    premise, goal = r"\frac{d}{d x} f{(x)} = f{(x)}", r"f{(x)} = 0"
    found = label(Attempt((premise,), goal, (premise, goal), honest=1, witness=(r"f{(x)} = 3 e^{x}",)), "test")
    assert found is not None
    assert found.not_true == (2,)


def test_colliding_names_collide() -> None:
    pairs = colliding_names()
    assert len(pairs) > 10
    for first, second in pairs:
        assert Symbol(first) != Symbol(second)
        stems = [name.removeprefix("a_{").removesuffix("}").encode() for name in (first, second)]
        assert any(weak_hash(stems[0]) == weak_hash(stems[1]) for weak_hash in WEAK_HASHES)
    assert any(zlib.crc32(f"{first} 0".encode()) == zlib.crc32(f"{second} 0".encode()) for first, second in pairs)
