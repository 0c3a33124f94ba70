"""Derivations written to fool the checker: none is verified, and no false equation of theirs is called true."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from mathderive.checker.checker import check
from mathderive.checker.verdicts import TRUE

ATTACKS = [json.loads(line) for line in (Path(__file__).parent / "attacks.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["kind"])
def test_an_attack_is_not_verified(attack: dict[str, Any]) -> None:
    verdict = check(attack["prompt"], attack["derivation"])
    assert not verdict.verified
    assert [number for number in attack["not_true"] if verdict.steps[number - 1].truth in TRUE] == []


PREMISES = (
    r"f{(x)} = \sin{(x)}",
    r"F{(x)} = \int e^{x} d x",
    r"g{(x,y)} = x^{y} + \log{(y)}",
    r"\frac{d}{d x} x^{2} = h{(x)}",
)
GOALS = (("1", "0"), ("x", "2 x"), (r"\cos{(x)}", r"\cos{(x)} \sin^{2}{(x)} + \cos^{3}{(x)}"))


@pytest.mark.parametrize(("premise", "goal"), list(product(PREMISES, GOALS)))
def test_the_templates_that_divide_by_zero_prove_nothing(premise: str, goal: tuple[str, str]) -> None:
    (left, right), (a, b) = premise.split(" = "), goal
    prompt = f"Given {premise}, then obtain {a} = {b}"
    through_zero = (
        premise,
        f"({left}) ({a} - ({b})) = ({right}) ({a} - ({b}))",
        f"({a}) ({left} - ({right})) = ({b}) ({left} - ({right}))",
        f"{a} = {b}",
    )
    through_size = (f"{a} + 10^{{30}} = {b} + 10^{{30}}", f"{a} = {b}")
    for texts in (through_zero, through_size):
        assert not check(prompt, "\n".join(texts)).verified


def test_the_three_verdicts_on_a_derivation_are_nested() -> None:
    prompt = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
    premise, step, goal = (
        r"f{(x)} = \sin{(x)}",
        r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
        r"\frac{d}{d x} f{(x)} = \cos{(x)}",
    )

    def properties(*texts: str) -> tuple[bool, bool, bool]:
        verdict = check(prompt, "\n".join(texts))
        return verdict.goal_reached, verdict.sound, verdict.verified

    assert properties(premise, step, goal) == (True, True, True)
    assert properties(premise, goal) == (True, True, False)
    assert properties(premise, step, goal, "x = 2 x") == (True, False, False)
    assert properties(premise, step, goal, "f{(x)} = )") == (True, False, False)
    assert properties(premise, step) == (False, False, False)
    # A goal that is stated first and derived later counts as derived.
    assert properties(premise, goal, step, goal) == (True, True, True)


@pytest.mark.parametrize(
    ("prompt", "equation", "truth"),
    [
        (r"Given V = I R, then obtain \frac{d}{d R} V = I", r"\frac{d}{d R} V = I", "skipped"),
        (r"Given V = I R, then obtain \frac{d}{d R} V = I", "0 = I", "incorrect"),
        ("Given x^{2} = 4, then obtain x^{4} = 16", "x^{4} = 16", "valid"),
        ("Given x^{2} = 4, then obtain x^{4} = 16", "x = 2", "undecided"),
        ("Given x^{2} = 4, then obtain x^{4} = 16", "2 x = 0", "incorrect"),
        ("Given (x - 1) (x - 2) = 0, then obtain x = 1", "x = 1", "undecided"),
        ("Given (x - 1) (x - 2) = 0, then obtain x = 2", "x = 2", "undecided"),
        ("Given (x - 1) (x - 2) = 0, then obtain x = 2", "x = 3", "incorrect"),
        ("Given x^{2} + 10000 = 10001 x, then obtain x = 1", "x = 1", "undecided"),
        ("Given x^{3} - x = 0, then obtain x = 1", "x = 1", "undecided"),
        ("Given x^{3} - x = 0, then obtain x = 1", "x^{5} = x", "skipped"),
        (r"Given \sin{(x)} = 0, then obtain x = 0", r"\cos{(x)} = 1", "undecided"),
        ("Given x + y = 3 and x - y = 1, then obtain x = 2", "x = 2", "skipped"),
        ("Given x + y = 3 and x - y = 1, then obtain x = 2", "x = 3", "incorrect"),
        ("Given x = -1, then obtain x^{2} = 1", r"\sqrt{x^{2}} = x", "incorrect"),
    ],
)
def test_what_premises_say_about_names(prompt: str, equation: str, truth: str) -> None:
    assert check(prompt, equation).steps[0].truth == truth
