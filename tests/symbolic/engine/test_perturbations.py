"""The perturbations agree with the released variants and obey their laws."""

import random
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.symbolic.engine.derivation import Derivation, Step, canonical_form, step_references
from mathderive.symbolic.engine.operators import is_premise
from mathderive.symbolic.engine.perturbations import alternative_goal, expression_exchange, variable_renaming
from mathderive.symbolic.engine.replay import follows, replays
from mathderive.symbolic.engine.settings import SamplingSettings
from mathderive.symbolic.engine.texts import has_intermediate, target
from mathderive.symbolic.engine.variants import find_renaming
from mathderive.symbolic.names import names_in_order
from mathderive.symbolic.vocabulary import RENAMING_LETTERS
from tests.support.released_records import UNRENAMED, derivation_of, load


def variants(folder: Path) -> dict[str, dict[str, Derivation]]:
    """The released derivations by row and set."""
    rows: dict[str, dict[str, Derivation]] = {}
    for example in load(folder, "flan-t5-large").examples:
        rows.setdefault(example.source_id, {})[example.set] = derivation_of(example)
    return rows


def names(derivation: Derivation) -> set[str]:
    return {name for equation in derivation.equations for name in names_in_order(equation)}


def test_released_exchange(shared_reference: Path) -> None:
    for row in variants(shared_reference).values():
        assert expression_exchange(row["static"]) == row["ee"]


def test_released_step_removal(shared_reference: Path) -> None:
    for row in variants(shared_reference).values():
        assert row["sr"] == row["static"]
        assert has_intermediate(row["static"])


def test_released_renaming(shared_reference: Path) -> None:
    """The names of each released pair can be mapped one to one."""
    for source, row in variants(shared_reference).items():
        if f"{source}-vr" == UNRENAMED:
            continue
        original, theirs = row["static"], row["vr"]
        found = find_renaming(original, theirs)
        assert found is not None
        assert set(found.values()) <= set(RENAMING_LETTERS)
        assert len(set(found.values())) == len(found)


def test_released_alternative_goals_obey_the_rules(shared_reference: Path) -> None:
    for row in variants(shared_reference).values():
        check_alternative_goal(row["static"], row["ag"])


def check_alternative_goal(static: Derivation, other: Derivation) -> None:
    *prefix, goal = other.steps
    assert prefix == list(static.steps[:-1])
    assert goal != static.steps[-1]
    assert not is_premise(goal.annotation)
    assert step_references(goal.annotation)[0] == len(prefix)
    assert goal.equation not in [side for step in prefix for side in (step.equation, step.equation.reversed)]
    assert follows(goal, [step.equation for step in prefix])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_exchange_twice_is_the_identity(sampled: list[Derivation], seed: int) -> None:
    derivation = sampled[seed % len(sampled)]
    exchanged = expression_exchange(derivation)
    assert exchanged != derivation
    assert expression_exchange(exchanged) == derivation
    assert len(target(exchanged)) == len(target(derivation))


def test_steps_follow_after_an_exchange(sampled: list[Derivation]) -> None:
    for derivation in sampled[:25]:
        assert all(replays(expression_exchange(derivation)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_renaming_is_injective_and_steps_still_follow(sampled: list[Derivation], seed: int) -> None:
    derivation = sampled[seed % len(sampled)]
    renamed = variable_renaming(derivation, random.Random(seed))
    if renamed is None:
        assert len(names(derivation)) > len(RENAMING_LETTERS) - 4
        return
    assert names(renamed) <= set(RENAMING_LETTERS)
    assert len(names(renamed)) == len(names(derivation))
    assert canonical_form(renamed) == canonical_form(derivation)
    assert all(replays(renamed))


def test_too_many_names_cannot_be_renamed(sampled: list[Derivation]) -> None:
    twelve = Derivation(
        tuple(step for derivation in sampled for step in derivation.steps if is_premise(step.annotation))
    )
    assert variable_renaming(twelve, random.Random(0)) is None


def test_alternative_goals_obey_the_rules(sampled: list[Derivation]) -> None:
    found = [(item, alternative_goal(item, SamplingSettings(), random.Random(1))) for item in sampled[:20]]
    kept = [(item, other) for item, other in found if other is not None]
    assert len(kept) >= 18
    for item, other in kept:
        check_alternative_goal(item, other)


def test_perturbations_depend_on_their_random_stream_only(sampled: list[Derivation]) -> None:
    item = sampled[0]
    for perturb in (variable_renaming, lambda d, rng: alternative_goal(d, SamplingSettings(), rng)):
        assert perturb(item, random.Random(3)) == perturb(item, random.Random(3))


def test_golden_variants(golden: list[dict[str, Any]], golden_derivations: list[Derivation]) -> None:
    for item, derivation in zip(golden, golden_derivations, strict=True):
        rng = random.Random(item["attempt"])
        ours = {
            "vr": variable_renaming(derivation, rng),
            "ee": expression_exchange(derivation),
            "ag": alternative_goal(derivation, SamplingSettings(), rng),
        }
        assert {key: target(value) for key, value in ours.items() if value is not None} == item["variants"]


def test_a_premise_is_no_intermediate_result(sampled: list[Derivation]) -> None:
    premises = Derivation(tuple(Step(step.equation, "premise") for step in sampled[0].steps))
    assert not has_intermediate(premises)
