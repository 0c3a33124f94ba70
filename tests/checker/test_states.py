"""A derivation that is being written is judged like a finished one, and a state never changes."""

import time
from dataclasses import replace

import pytest

from mathderive.checker.checker import Checker, check
from mathderive.checker.judging import TOO_MUCH
from mathderive.checker.supervised_states import SupervisedStates
from mathderive.checker.supervision import EQUATION_LIMITS
from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.texts import prompt, target

PROMPT = (
    r"Given f{(x)} = \sin{(x)}, then derive \frac{d}{d x} f{(x)} = \cos{(x)}, "
    r"then obtain x + \frac{d}{d x} f{(x)} = x + \cos{(x)}"
)
EQUATIONS = (
    r"f{(x)} = \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \cos{(x)}",
    r"x + \frac{d}{d x} f{(x)} = x + \cos{(x)}",
)
HEAVY = " = ".join(
    " + ".join(rf"\frac{{d^{{12}}}}{{d x^{{12}}}} {square % (i + 2)} e^{{{i} x}}" for i in range(14))
    for square in (r"\sin^{2}{(%d x + y)}", r"(1 - \cos^{2}{(%d x + y)})")
)
"""A true equation that takes a hundred times longer than the others, and six times longer than a child's first text."""


def seconds_of(equation: str) -> float:
    """The CPU time that an equation takes in this process."""
    state = Checker(PROMPT).start().push(EQUATIONS[0])
    started = time.process_time()
    state.push(equation)
    return time.process_time() - started


def test_pushing_equations_gives_the_verdict_on_all_of_them() -> None:
    state = Checker(PROMPT).start()
    for number, equation in enumerate(EQUATIONS, start=1):
        state = state.push(equation)
        assert state.validity == check(PROMPT, "\n".join(EQUATIONS[:number]))
        assert state.verdict.verified_so_far
        assert state.verdict.step is not None
        assert state.verdict.step.truth == state.validity.steps[-1].truth
    assert state.verdict.verified
    assert state.verdict.open_intermediates == []


@pytest.mark.parametrize("left_out", [None, 2, 3])
def test_one_operator_is_enough_for_the_verdicts_that_all_operators_give(
    sampled: list[Derivation], left_out: int | None
) -> None:
    for derivation in sampled[:25]:
        equations = [one for number, one in enumerate(target(derivation).split(" and "), start=1) if number != left_out]
        whole = check(prompt(derivation), " and ".join(equations))
        state = Checker(prompt(derivation)).start()
        for equation, step in zip(equations, whole.steps, strict=True):
            state = state.push(equation)
            assert state.verdict.step is not None
            assert (state.verdict.step.truth, state.verdict.step.stated) == (step.truth, step.stated)
        found = state.verdict
        assert (found.goal_reached, found.sound, found.verified) == (whole.goal_reached, whole.sound, whole.verified)


def test_a_state_stays_as_it_is() -> None:
    start = Checker(PROMPT).start()
    given = start.push(EQUATIONS[0])
    wrong = given.push(r"\frac{d}{d x} f{(x)} = x")
    right = given.push(EQUATIONS[1])
    assert (start.validity.steps, len(given.validity.steps)) == ([], 1)
    assert not wrong.verdict.verified_so_far
    assert right.verdict.verified_so_far
    assert given.verdict.open_intermediates == [EQUATIONS[2]]
    # What one branch says of an integral or a name is unknown in the other.
    named, other = given.push(r"\int f{(x)} dx = C - \cos{(x)}"), given.push(r"\int f{(x)} dx = k - \cos{(x)}")
    repeated = r"\int \sin{(x)} dx = k - \cos{(x)}"
    assert named.push(repeated).validity.steps[-1].truth != other.push(repeated).validity.steps[-1].truth


def test_constants_are_recognised_once_they_occur() -> None:
    prompt = r"Given f{(x)} = x, then obtain e^{i \pi} = -1"
    state = Checker(prompt).start().push("f{(x)} = x").push(r"e^{i \pi} = -1")
    assert state.verdict.sound
    assert state.validity == check(prompt, "f{(x)} = x\n" + r"e^{i \pi} = -1")


def test_a_supervised_state_says_the_same_and_survives_an_equation_that_ends_its_process() -> None:
    too_short = replace(EQUATION_LIMITS, cpu_seconds=seconds_of(HEAVY) / 2)
    with SupervisedStates(limits=too_short) as states:
        state = states.start(PROMPT).push(EQUATIONS[0]).push(EQUATIONS[1])
        lost = state.push(HEAVY)
        assert lost.verdict.step is not None
        assert (lost.verdict.step.truth, lost.verdict.step.reason) == ("undecided", TOO_MUCH)
        assert states.start(PROMPT, EQUATIONS[:2]).verdict == state.verdict
        for equation in EQUATIONS[2:]:
            state, lost = state.push(equation), lost.push(equation)
    assert (
        state.verdict
        == Checker(PROMPT).start().push(EQUATIONS[0]).push(EQUATIONS[1]).push(EQUATIONS[2]).push(EQUATIONS[3]).verdict
    )
    assert (lost.verdict.goal_reached, lost.verdict.sound) == (True, False)


def test_the_prompt_must_be_one() -> None:
    with SupervisedStates() as states, pytest.raises(ValueError, match="a prompt begins with 'Given '"):
        states.start("Look at 1 = 1")
