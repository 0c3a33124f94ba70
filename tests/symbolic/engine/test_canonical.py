"""The canonical form: equal under renaming, different for different mathematics."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Equality, Expr, Function, Symbol, cos, exp, sin

from mathderive.symbolic.engine.derivation import Derivation, Step, canonical_form
from mathderive.symbolic.engine.perturbations import expression_exchange
from mathderive.symbolic.names import names_in_order, rename
from mathderive.symbolic.vocabulary import RENAMING_LETTERS, VOCABULARY
from tests.support.released_records import derivation_of, load

a, b, c, x, y = (Symbol(name) for name in "abcxy")
f, g = Function("f"), Function("g")

Equations = list[tuple[Expr, Expr]]


def derivation(*equations: tuple[Expr, Expr]) -> Derivation:
    return Derivation(tuple(Step(Equality(lhs, rhs, evaluate=False), "premise") for lhs, rhs in equations))


def renamed(original: Derivation, seed: int) -> Derivation:
    names = list(dict.fromkeys(name for equation in original.equations for name in names_in_order(equation)))
    pool = [*VOCABULARY, *RENAMING_LETTERS]
    mapping = dict(zip(names, random.Random(seed).sample(pool, len(names)), strict=True))
    return Derivation(tuple(Step(rename(step.equation, mapping), step.annotation) for step in original.steps))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_a_random_renaming_does_not_change_the_form(sampled: list[Derivation], seed: int) -> None:
    original = sampled[seed % len(sampled)]
    assert canonical_form(renamed(original, seed)) == canonical_form(original)


def test_a_random_renaming_does_not_change_the_form_of_released_derivations(shared_reference: Path) -> None:
    for seed, example in enumerate(load(shared_reference, "flan-t5-large").examples):
        derivation = derivation_of(example)
        assert canonical_form(renamed(derivation, seed)) == canonical_form(derivation)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([(f(x, y), x + y)], [(g(b, a), a + b)]),
        ([(f(x, y), x - y)], [(f(y, x), y - x)]),
        ([(f(x, y), sin(x - y))], [(f(y, x), sin(y - x))]),
        ([(f(x, y), cos(x - y) + y * sin(x - y))], [(f(y, x), cos(y - x) + x * sin(y - x))]),
        ([(f(x), exp(x) + a + b * x)], [(f(x), exp(x) + b + a * x)]),
        ([(f(x), (a + b) * x), (f(x) + a, (a + b) * x + a)], [(f(x), (a + b) * x), (f(x) + b, (a + b) * x + b)]),
    ],
)
def test_derivations_that_are_equal_up_to_names_have_one_form(first: Equations, second: Equations) -> None:
    assert canonical_form(derivation(*first)) == canonical_form(derivation(*second))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([(f(x, y), x - y)], [(f(x, y), y - x)]),
        ([(f(x, y), x + y)], [(f(x, x), x + x)]),
        ([(f(x), x)], [(x, f(x))]),
        ([(f(x), exp(x)), (g(x), x)], [(f(x), exp(x)), (f(x), x)]),
        ([(f(x), sin(x - a))], [(f(x), -sin(x - a))]),
        ([(f(x), x**2)], [(f(x), x**3)]),
        ([(f(x), exp(x) + a + b * x)], [(f(x), exp(x) + a + a * x)]),
        ([(f(x), x)], [(f(x), x), (f(x) + 1, x + 1)]),
    ],
)
def test_different_derivations_have_different_forms(first: Equations, second: Equations) -> None:
    assert canonical_form(derivation(*first)) != canonical_form(derivation(*second))


def test_sampled_derivations_and_their_exchanges_have_different_forms(sampled: list[Derivation]) -> None:
    forms = [canonical_form(item) for item in sampled]
    assert len(set(forms)) == len(forms)
    assert not {canonical_form(expression_exchange(item)) for item in sampled} & set(forms)


def test_golden_forms(golden: list[dict[str, Any]], golden_derivations: list[Derivation]) -> None:
    assert [canonical_form(item) for item in golden_derivations] == [item["canonical"] for item in golden]
