"""The goal is reached if any equation of the answer says it, however the answer is written."""

import pytest

from mathderive.checker.checker import check
from mathderive.checker.reading.answers import split_answer

PROMPT = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
STEPS = (
    r"f{(x)} = \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \cos{(x)}",
)
MIRRORED = (*STEPS[:2], r"\cos{(x)} = \frac{d}{d x} f{(x)}")
DETOUR = (*STEPS, r"1 + \frac{d}{d x} f{(x)} = 1 + \cos{(x)}")


@pytest.mark.parametrize("steps", [STEPS, MIRRORED, DETOUR])
@pytest.mark.parametrize("separator", [" and ", "\n", "\n and ", " \n\n "])
@pytest.mark.parametrize("frame", ["{}", "${}$", "{}.", "$ {} $."])
def test_every_way_of_writing_reaches_the_goal(steps: tuple[str, ...], separator: str, frame: str) -> None:
    answer = separator.join(frame.format(step) for step in steps)
    verdict = check(PROMPT, answer)
    assert verdict.goal_reached, verdict
    assert verdict.verified, verdict
    assert len(split_answer(answer)) == len(steps)


@pytest.mark.parametrize("steps", [STEPS[:2], STEPS[:1], (r"\frac{d}{d x} f{(x)} = \sin{(x)}",), ()])
def test_without_the_goal_nothing_is_verified(steps: tuple[str, ...]) -> None:
    verdict = check(PROMPT, "\n".join(steps))
    assert not verdict.goal_reached
    assert not verdict.verified
