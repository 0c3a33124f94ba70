"""The choice of the evaluated examples."""

import pytest

from mathderive.config.schema import EvaluationSettings
from mathderive.core.errors import InputError
from mathderive.records import EVALUATION_SETS, Example
from mathderive.symbolic.engine import evaluation_sets
from mathderive.symbolic.engine.evaluation_sets import SetDefinition, register_evaluation_set
from tfds_builders.evaluation_sets import choose_examples


def splits(count: int = 50) -> dict[str, list[Example]]:
    """Examples with all variants, but multiples of 5 have no sr, and multiples of 7 are too long."""

    def example(index: int, name: str) -> Example:
        target = "x" * (751 if index % 7 == 0 else 750)
        return Example(id=f"{index}-{name}", source_id=str(index), set=name, prompt="p", target=target, steps=[])

    return {
        name: [example(index, name) for index in range(count) if name != "sr" or index % 5] for name in EVALUATION_SETS
    }


ELIGIBLE = {str(index) for index in range(50) if index % 5 and index % 7}


@pytest.mark.parametrize("seed", range(5))
def test_every_set_has_the_same_sources_with_all_variants(seed: int) -> None:
    chosen = choose_examples(splits(), EvaluationSettings(examples=10), seed)
    sources = {name: [example.source_id for example in examples] for name, examples in chosen.items()}
    assert len(set(map(tuple, sources.values()))) == 1
    assert len(sources["static"]) == 10
    assert set(sources["static"]) <= ELIGIBLE
    assert sources["static"] == sorted(sources["static"], key=int)


def test_the_draw_depends_on_the_seed_alone() -> None:
    draws = [
        tuple(example.id for example in choose_examples(splits(), EvaluationSettings(examples=10), seed)["static"])
        for seed in (0, 1, 0)
    ]
    assert draws[0] == draws[2] != draws[1]


def test_all_eligible_examples_are_taken_if_there_are_too_few() -> None:
    chosen = choose_examples(splits(), EvaluationSettings(examples=1000), 0)
    assert {example.source_id for example in chosen["sr"]} == ELIGIBLE


def test_null_takes_every_example() -> None:
    assert choose_examples(splits(), EvaluationSettings(examples=None), 0) == splits()


def test_no_eligible_example_is_an_error_that_names_the_condition() -> None:
    with pytest.raises(InputError, match="at most 10 characters"):
        choose_examples(splits(), EvaluationSettings(max_characters=10), 0)


@pytest.mark.parametrize("is_required", [True, False])
def test_only_a_required_set_restricts_the_choice(monkeypatch: pytest.MonkeyPatch, is_required: bool) -> None:
    every_source = splits()
    monkeypatch.setattr(evaluation_sets, "_DEFINITIONS", dict(evaluation_sets._DEFINITIONS))
    register_evaluation_set(
        SetDefinition(
            key="odd",
            label="Odd",
            title="Odd",
            description="odd numbers only",
            make_variant=lambda derivation, settings, rng: derivation,
            is_required=is_required,
        )
    )
    odd = [example for example in every_source["vr"] if int(example.source_id) % 2]
    chosen = choose_examples({**every_source, "odd": odd}, EvaluationSettings(examples=1000), 0)
    assert {example.source_id for example in chosen["static"]} == (
        {source for source in ELIGIBLE if int(source) % 2} if is_required else ELIGIBLE
    )
    assert {example.source_id for example in chosen["odd"]} == {source for source in ELIGIBLE if int(source) % 2}


def test_physics_needs_no_variants() -> None:
    static = {key: examples if key == "static" else [] for key, examples in splits().items()}
    chosen = choose_examples(static, EvaluationSettings(source="physics", examples=10), 0)
    assert [len(chosen[name]) for name in EVALUATION_SETS] == [10, *[0] * (len(EVALUATION_SETS) - 1)]
    with pytest.raises(InputError, match=r"at most 10 characters; expected a larger evaluation.max_characters"):
        choose_examples(static, EvaluationSettings(source="physics", examples=10, max_characters=10), 0)
