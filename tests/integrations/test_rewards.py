"""The reward pays for verified derivations, and the shaped one for derived equations; nothing else earns anything."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mathderive
from mathderive.integrations.questions import Question
from mathderive.integrations.rewards import MAX_SHAPED, DerivationReward, question_of, text_of
from mathderive.symbolic.prompts import repeat_prompt

ATTACKS = Path(__file__).parents[1] / "checker" / "attacks.jsonl"
PROMPT = r"Given x = a b, then derive x + b = a b + b, then obtain \cos{(2 x + 2 b)} = \cos{(2 a b + 2 b)}"
GOOD = [r"x = a b", r"x + b = a b + b", r"2 x + 2 b = 2 a b + 2 b", r"\cos{(2 x + 2 b)} = \cos{(2 a b + 2 b)}"]
FALSE = r"x + b = a b + a"


@pytest.fixture(scope="module")
def plain() -> Iterator[DerivationReward]:
    with DerivationReward() as reward:
        yield reward


@pytest.fixture(scope="module")
def shaped() -> Iterator[DerivationReward]:
    with DerivationReward(shaped=True) as reward:
        yield reward


@pytest.fixture(scope="module")
def examples() -> list[mathderive.Example]:
    """Examples whose repeated prompt is not verified."""
    found = mathderive.generate(8, seed=5)
    return [one for one in found if not mathderive.check(one.prompt, repeat_prompt(one.prompt), rules="paper").verified]


def padding(premise: str) -> list[str]:
    """True equations that lead nowhere."""
    left, _, right = premise.partition(" = ")
    return [f"{right} = {left}", f"{left} + 7 = {right} + 7", f"{left} - {left} = 0", premise, "0 = 0"]


def test_a_verified_answer_earns_one_in_every_form(plain: DerivationReward) -> None:
    text, message = "\n".join(GOOD), {"role": "assistant", "content": "\n".join(GOOD)}
    parts = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    asked = [{"role": "system", "content": "Derive."}, {"role": "user", "content": Question("1", PROMPT, "").message()}]
    assert plain(completions=[text], prompts=[PROMPT]) == [1.0]
    called: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    chats: list[list[dict[str, Any]]] = [[message], [called, message], [parts]]
    for completion in chats:
        assert plain(completions=[completion], prompts=[asked], completion_ids=[[1]], trainer_state=None) == [1.0]
    others: Any = [4, None]  # other datasets have another column of this name
    assert plain(completions=[text, text], prompts=["?", "?"], question=[PROMPT, PROMPT], answer=others) == [1.0] * 2
    assert plain([text, FALSE], [PROMPT, PROMPT]) == [1.0, 0.0]
    assert plain([], []) == []
    assert plain.score(asked, [message]) == 1.0
    assert plain.__name__ == "derivation_reward"


def test_an_answer_that_is_not_verified_earns_nothing(plain: DerivationReward) -> None:
    answers = ["", " \n", "no idea", GOOD[0], repeat_prompt(PROMPT), "\n".join([*GOOD, FALSE]), PROMPT]
    assert plain(completions=answers, prompts=[PROMPT] * len(answers)) == [0.0] * len(answers)
    assert plain([[], [{"role": "assistant", "content": None}]], [PROMPT] * 2) == [0.0, 0.0]


def test_an_overlong_answer_earns_nothing() -> None:
    answer = "\n".join(GOOD)
    for limit, expected in ((len(answer), 1.0), (len(answer) - 1, 0.0)):
        for is_shaped in (False, True):
            with DerivationReward(shaped=is_shaped, max_characters=limit) as reward:
                assert reward.score(PROMPT, answer) == expected


def test_the_shaped_reward_counts_the_equations_that_are_derived(shaped: DerivationReward) -> None:
    reference = " and ".join(GOOD)
    # The repeated prompt derives the requested equation, so two milestones are left: equation 3 and the goal.
    rewards = [shaped.score(PROMPT, "\n".join(GOOD[:count]), reference) for count in range(5)]
    assert rewards == [0.0, 0.0, 0.0, MAX_SHAPED / 2, 1.0]
    assert shaped.score(PROMPT, "\n".join([*GOOD[:3], FALSE]), reference) == 0.0
    assert shaped.score(PROMPT, "\n".join([*GOOD[:3], "and so on = and on"]), reference) == 0.0
    assert shaped.score(PROMPT, "\n".join(GOOD[:3])) == 0.0
    assert shaped(["\n".join(GOOD[1:3])], [PROMPT], answer=[reference]) == [MAX_SHAPED / 2]
    assert shaped.__name__ == "shaped_derivation_reward"


def test_a_longer_beginning_of_the_reference_earns_more_and_padding_earns_nothing(
    shaped: DerivationReward, examples: list[mathderive.Example]
) -> None:
    assert len(examples) >= 6
    for example in examples:
        steps = example.target.split(" and ")
        beginnings = [steps[:count] for count in range(1, len(steps) + 1)]
        rewards = [shaped.score(example.prompt, " and ".join(one), example.target) for one in beginnings]
        assert rewards == sorted(rewards)
        assert rewards[-1] == 1.0
        assert rewards[0] == 0.0 < rewards[-2] < MAX_SHAPED
        useless = padding(steps[0])
        for one, reward in zip(beginnings[::3], rewards[::3], strict=True):
            padded = [one[0], *useless, *one[1:], *useless[:2]]
            assert shaped.score(example.prompt, " and ".join(padded), example.target) <= reward


def test_the_repeated_prompt_earns_nothing(
    plain: DerivationReward, shaped: DerivationReward, examples: list[mathderive.Example]
) -> None:
    for example in examples:
        repeated = repeat_prompt(example.prompt)
        first = example.target.split(" and ")[0]
        answers = [repeated, " and ".join([repeated, *padding(first)]), example.prompt, f"{repeated} and {repeated}"]
        for reward in (plain, shaped):
            asked = [example.prompt] * len(answers)
            assert reward(answers, asked, answer=[example.target] * len(answers)) == [0.0] * len(answers)


def test_attacks_earn_nothing(shaped: DerivationReward) -> None:
    attacks = [json.loads(line) for line in ATTACKS.read_text(encoding="utf-8").splitlines()]
    attacks = [attack for attack in attacks if "prompt" in attack][:30]
    answers, prompts = [one["derivation"] for one in attacks], [one["prompt"] for one in attacks]
    assert shaped(answers, prompts) == [0.0] * len(attacks)


def test_a_prompt_that_cannot_be_read_warns_once_in_a_batch_and_is_refused_alone() -> None:
    with DerivationReward() as reward:
        with pytest.warns(UserWarning, match="a prompt cannot be read, so its answers earn 0: a prompt begins"):
            assert reward(["\n".join(GOOD)] * 3, ["What is 1?", PROMPT, ""]) == [0.0, 1.0, 0.0]
        assert reward(["x = x"], ["What is 1?"]) == [0.0]
        with pytest.raises(ValueError, match="a prompt begins with"):
            reward.score("What is 1?", "x = x")


def test_wrong_calls_and_settings_are_refused(plain: DerivationReward) -> None:
    with pytest.raises(ValueError, match="neither prompts nor question"):
        plain(["x"])
    with pytest.raises(ValueError, match="2 completions, 1 prompts and 2 answers"):
        plain(["x", "y"], [PROMPT])
    with pytest.raises(TypeError, match="int; expected a text or a list of messages"):
        plain([5], [PROMPT])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="str; expected a text or a list of messages"):
        plain([["x"]], [PROMPT])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="max_characters: 0"):
        DerivationReward(max_characters=0)
    with pytest.raises(ValueError, match="processes: -1"):
        DerivationReward(processes=-1)


def test_the_bare_prompt_is_found_in_a_message() -> None:
    for text in (PROMPT, f"Solve this.\n\n{PROMPT}\n\nWrite LaTeX.", Question("1", PROMPT, "").message()):
        assert question_of(text) == PROMPT
        assert question_of([{"role": "user", "content": text}, {"role": "assistant", "content": "x"}]) == PROMPT
    assert question_of(r"Show that $x = x$.") == r"Show that $x = x$."
    assert text_of([{"role": "user", "content": "x"}], "assistant") == ""
