"""Checks derivations against their prompts.

The checker asks three questions about each equation: is it a premise, is it true (`inference/truth.py`), does one of
the eighteen operators derive it from earlier equations (`inference/matching.py`)? The answers also tell which equations
the goal depends on.
"""

from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import islice, product

from mathderive.checker.judging import AnswerCheck, Question
from mathderive.checker.numeric.points import Stream, key_of
from mathderive.checker.reading.answers import split_answer
from mathderive.checker.reading.equations import Reading, read
from mathderive.checker.reading.notation import notation_of
from mathderive.checker.verdicts import StepVerdict, Validity
from mathderive.symbolic.prompts import split_prompt

MAX_EQUATIONS = 60
"""Maximum number of equations of an answer; further ones are undecided. The longest reference has 9."""

MAX_PREMISE_READINGS = 2
"""Maximum number of parses tried per premise; the second is the intended one in about 0.1 % of premises."""

MAX_COMBINATIONS = 4
"""Maximum number of combinations of the premises' parses."""

TOO_MUCH = "it takes more time or memory than is given to an equation"


def check(prompt: str, output: str, leave_out: Collection[int] = ()) -> Validity:
    """Checks a derivation against its prompt.

    Args:
        prompt: `Given … then obtain …`.
        output: the equations, separated by ` and ` or ends of lines.
        leave_out: numbers of equations that are not checked and count as undecided.

    Raises:
        ValueError: the prompt has another form; the message says what was expected where.
    """
    return Checker(prompt).check(output, leave_out)


class Checker:
    """Checks answers to one prompt."""

    def __init__(self, prompt: str, seed: str = "") -> None:
        """
        Args:
            seed: with the texts, it determines the points at which equations are tested.

        Raises:
            ValueError: the prompt has another form.
        """
        asked = split_prompt(prompt)
        self._prompt, self._seed = prompt, seed
        self._notation = notation_of(asked.premises, (*asked.derive, asked.goal))
        self._premises = [self._read_asked(text) for text in asked.premises]
        self._intermediates = [self._read_asked(text) for text in asked.derive]
        self._goal = self._read_asked(asked.goal)

    def _read(self, text: str) -> Reading:
        """Reads an equation of an answer."""
        return read(text, self._notation)

    def _read_asked(self, text: str) -> Reading:
        """Reads an equation of the prompt, which is written in the prompt's own notation."""
        return replace(read(self._notation.rewritten(text), self._notation), text=text)

    def check(
        self, output: str, leave_out: Collection[int] = (), starts: Callable[[int], None] = lambda number: None
    ) -> Validity:
        """Checks a derivation, in the combination of the premises' readings that suits it best.

        Args:
            leave_out: as in `check`.
            starts: called with the number of each equation before it is checked, and with 0 before the verdict.
        """
        stream = Stream(key_of(self._seed, self._prompt, output), self._notation.may_have_unit)
        best: Validity | None = None
        for question in self._questions():
            one = AnswerCheck(question, stream)
            for number, text in enumerate(split_answer(output), start=1):
                starts(number)
                if number in leave_out or number > MAX_EQUATIONS:
                    one.leave_out(text, TOO_MUCH)
                else:
                    one.take(number, text)
            starts(0)  # the verdict is no equation's work
            verdict = one.verdict()
            if best is None or _rank(verdict) > _rank(best):
                best = verdict
        assert best is not None
        return best

    def _questions(self) -> list[Question]:
        """The prompt with every combination of its premises' readings."""
        single = [
            [replace(reading, chains=(chain,)) for chain in reading.plausible[:MAX_PREMISE_READINGS]] or [reading]
            for reading in self._premises
        ]
        return [
            Question(premises, self._intermediates, self._goal, self._read)
            for premises in islice(product(*single), MAX_COMBINATIONS)
        ]


def unchecked(output: str, reason: str = TOO_MUCH) -> Validity:
    """The verdict on an answer that could not be checked: every equation is undecided."""
    steps = [StepVerdict(text=text, truth="undecided", reason=reason) for text in split_answer(output)]
    return Validity(
        steps=steps, premises_used=[], intermediates_present=[], goal_reached=False, sound=False, verified=False
    )


def _rank(verdict: Validity) -> tuple[bool, bool, bool, int]:
    truths = [step.truth for step in verdict.steps]
    return verdict.verified, verdict.sound, verdict.goal_reached, -truths.count("incorrect")
