"""Prompts against the released ones, and the way back from text to equations."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.symbolic.engine.texts import prompt, target
from mathderive.symbolic.prompts import Prompt, few_shot_prompt, parse_few_shot_prompt, split_prompt
from tests.support.released_records import MODELS, derivation_of, load

equations = st.text("abxy\\{}^_+-= ()123", min_size=1, max_size=20).map(str.strip).filter(bool)


@pytest.mark.parametrize("model", MODELS)
def test_released_prompts_and_targets_are_rendered_from_their_steps(shared_reference: Path, model: str) -> None:
    for example in load(shared_reference, model).examples:
        derivation = derivation_of(example)
        assert prompt(derivation, with_intermediate=example.set != "sr") == example.prompt
        assert target(derivation) == example.target


def test_released_few_shot_prompts_split_and_join(shared_reference: Path) -> None:
    rows = json.loads((shared_reference / "gpt-4_results.json").read_text(encoding="utf-8"))
    for row in rows:
        shown = set()
        for prefix in ("", "VR ", "EE ", "AG ", "SR "):
            pairs, query = parse_few_shot_prompt(row[f"{prefix}prompt"])
            assert len(pairs) == 5
            assert few_shot_prompt(pairs, query) == row[f"{prefix}prompt"]
            assert all(split_prompt(asked).goal == answered.split(" and ")[-1] for asked, answered in pairs)
            shown.add(tuple(pairs))
        assert len(shown) == 1  # the worked examples are shared by an item's variants


def test_a_prompt_by_hand() -> None:
    text = "Given a = b and f{(x,y)} = c, then derive d = e, then derive g = h, then obtain i = j"
    assert split_prompt(text) == Prompt(("a = b", "f{(x,y)} = c"), ("d = e", "g = h"), "i = j")


@given(st.lists(st.tuples(equations, equations), max_size=3), equations)
def test_few_shot_prompts_survive_a_round_trip(pairs: list[tuple[str, str]], query: str) -> None:
    assert parse_few_shot_prompt(few_shot_prompt(pairs, query)) == (pairs, query)


@pytest.mark.parametrize(
    "text",
    ["", "Given a = b", "a = b, then obtain c = d", "Given a, then obtain b, then obtain c"],
)
def test_text_that_is_not_a_prompt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a prompt"):
        split_prompt(text)


@given(st.text(max_size=200), st.integers(0, 200))
def test_damaged_few_shot_prompts_are_refused_or_read_exactly(noise: str, place: int) -> None:
    whole = few_shot_prompt([("Given a, then obtain b", "a and b")], "Given c, then obtain d")
    damaged = whole[:place] + noise + whole[place:]
    try:
        assert few_shot_prompt(*parse_few_shot_prompt(damaged)) == damaged
    except ValueError as error:
        assert "few-shot" in str(error) or "worked example" in str(error)
