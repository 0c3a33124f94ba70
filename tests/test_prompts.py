"""Prompts, targets and few-shot prompts against the released text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.prompts import (
    Prompt,
    few_shot_prompt,
    has_intermediate,
    parse_few_shot_prompt,
    prompt,
    split_prompt,
    target,
)
from tests.symbolic import released

FEW_SHOT = ("gpt-4", "chatgpt")
PLAIN = st.text(st.characters(codec="ascii", exclude_characters="\n\r,"), min_size=1, max_size=30).filter(
    lambda text: text.strip() and " and " not in f" {text} "
)
"""What an equation may be, as far as prompts go: no comma, no " and "."""


def test_released_prompts_and_targets(shared_reference):
    for item in released.load(shared_reference):
        assert prompt(item.derivation, with_intermediate=item.set != "SR") == item.prompt
        assert target(item.derivation) == item.target


def test_released_few_shot_prompts(shared_reference):
    plain = [item.prompt for item in released.load(shared_reference)]
    for file in FEW_SHOT:
        for item, query in zip(released.load(shared_reference, file), plain, strict=True):
            pairs, found = parse_few_shot_prompt(item.prompt)
            assert found == query
            assert len(pairs) == 5
            assert few_shot_prompt(pairs, found) == item.prompt


def test_released_prompts_come_apart(shared_reference):
    for item in released.load(shared_reference):
        parts = split_prompt(item.prompt)
        equations = item.target.split(" and ")
        assert parts.goal == equations[-1]
        assert set(parts.premises) | set(parts.derive) <= set(equations)
        assert bool(parts.derive) == (item.set != "SR" and has_intermediate(item.derivation))


@given(st.lists(PLAIN, min_size=1, max_size=3), st.lists(PLAIN, max_size=3), PLAIN)
def test_a_prompt_comes_apart_into_what_it_was_made_of(premises, derive, goal):
    text = f"Given {' and '.join(premises)}{''.join(', then derive ' + one for one in derive)}, then obtain {goal}"
    assert split_prompt(text) == Prompt(tuple(premises), tuple(derive), goal)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Given x = 1",
        "x = 1, then obtain y = 2",
        "Given x = 1, then obtain y, then obtain z",
        "given x, then obtain y",
    ],
)
def test_what_is_no_prompt_is_refused(text):
    with pytest.raises(ValueError, match="a prompt"):
        split_prompt(text)


@given(st.lists(st.tuples(PLAIN, PLAIN), max_size=5), PLAIN)
def test_few_shot_prompts_come_apart(pairs, query):
    found, asked = parse_few_shot_prompt(few_shot_prompt(pairs, query))
    assert (list(found), asked) == (pairs, query)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[1:],
        lambda text: text.replace("Now given", "Now"),
        lambda text: text.replace("\n\nDerivation: ", "\n"),
    ],
)
def test_what_is_no_few_shot_prompt_is_refused(change):
    with pytest.raises(ValueError, match="few-shot|worked example"):
        parse_few_shot_prompt(
            change(few_shot_prompt([("Given x, then obtain y", "x and y")], "Given a, then obtain b"))
        )
