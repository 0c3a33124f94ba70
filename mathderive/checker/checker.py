"""Checks derivations against their prompts.

The checker asks three questions about each equation: is it a premise, is it true (`inference/truth.py`), does one of
the eighteen operators derive it from earlier equations (`inference/matching.py`)? The answers also tell which equations
the goal depends on.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, product

from mathderive.checker.filling import MaySearch, with_missing_operators
from mathderive.checker.judging import DEPENDS_ON_READING, MAX_EQUATIONS, TOO_MUCH, AnswerCheck
from mathderive.checker.questions import Question
from mathderive.checker.reading.asked import asked_of
from mathderive.checker.reading.equations import Reading, read
from mathderive.checker.reading.layout import equations_of
from mathderive.checker.reading.notation import Notation, notation_of
from mathderive.checker.verdicts import StateVerdict, StepVerdict, Validity
from mathderive.records import Rules
from mathderive.symbolic.prompts import Prompt

MAX_PREMISE_READINGS = 2
"""Maximum number of parses tried per premise; the second is the intended one in about 0.1 % of premises."""

MAX_COMBINATIONS = 4
"""Maximum number of combinations of the premises' parses."""


def check(prompt: str, output: str, leave_out: Collection[int] = (), rules: Rules = "paper") -> Validity:
    """Checks a derivation against its prompt.

    Args:
        prompt: `Given … then obtain …`.
        output: the equations, separated by ` and ` or ends of lines.
        leave_out: numbers of equations that are not checked and count as undecided.
        rules: the steps that count as one.

    Raises:
        ValueError: the prompt has another form; the message says what was expected where.
    """
    return Checker(prompt, rules=rules).check(output, leave_out)


class Checker:
    """Checks answers to one prompt."""

    def __init__(self, prompt: str, seed: str = "", rules: Rules = "paper") -> None:
        """
        Args:
            seed: with the texts, it determines the points at which equations are tested.
            rules: the steps that count as one.

        Raises:
            ValueError: the prompt has another form.
        """
        asked = asked_of(prompt)
        notation = notation_of(asked.premises, (*asked.derive, asked.goal))
        self._prompt, self._asked, self._seed, self._notation, self._rules = prompt, asked, seed, notation, rules
        self._questions = _questions(prompt, asked, notation, rules)

    @property
    def questions(self) -> Sequence[Question]:
        """The prompt with every combination of its premises' readings, the preferred one first."""
        return self._questions

    def start(self) -> "State":
        """The state of a derivation without equations."""
        return State(self, tuple(AnswerCheck(question, self._seed, finds_all=False) for question in self._questions))

    def with_constants(self, checks: Sequence[AnswerCheck]) -> list[AnswerCheck]:
        r"""The further checks that are needed because `i` and `\pi` occur and may be constants."""
        if not any(self._notation.unsettled & one.symbols for one in checks):
            return []
        questions = _questions(self._prompt, self._asked, self._notation.with_constants, self._rules)
        return [AnswerCheck(question, self._seed) for question in questions]

    def check(
        self,
        output: str,
        leave_out: Collection[int] = (),
        starts: Callable[[int], None] = lambda number: None,
        may_search: MaySearch | None = None,
    ) -> Validity:
        """Checks a derivation, in the combination of readings of the prompt that suits it best.

        Args:
            leave_out: as in `check`.
            starts: called with the number of each equation before it is checked, and with 0 before the verdict.
            may_search: says whether to search for the missing operators of a skipped equation; None for no search.
        """
        texts = equations_of(output, (*self._asked.premises, *self._asked.derive, self._asked.goal))
        # Of the equations that are too many, one is taken, so that the answer is not sound; the others are alike.
        texts, further = texts[: MAX_EQUATIONS + 1], texts[MAX_EQUATIONS + 1 :]
        done: list[AnswerCheck] = []

        def judge(one: AnswerCheck) -> bool:
            for number, text in enumerate(texts, start=1):
                starts(number)
                one.leave_out(text) if number in leave_out else one.take(text)
            starts(0)  # the verdict is no equation's work
            done.append(one)
            return one.is_verified

        if not any(judge(AnswerCheck(question, self._seed)) for question in self._questions):
            any(map(judge, self.with_constants(done)))
        verdicts = [one.verdict() for one in done]
        found = _most_favourable(verdicts)
        if may_search is not None and any(step.truth == "skipped" for step in found.steps):
            again = done[verdicts.index(max(verdicts, key=_rank))].anew()
            found = with_missing_operators(found, again, may_search)
        return found.model_copy(update={"steps": [*found.steps, *_undecided(further, TOO_MUCH)]})


@dataclass(frozen=True)
class State:
    """The check of a derivation that is being written.

    A search pushes an equation, asks the new state for the verdict, and goes back to an earlier one where it is stuck.
    """

    _checker: Checker
    _checks: tuple[AnswerCheck, ...]
    _has_all: bool = False

    def push(self, equation: str, leave_out: bool = False) -> "State":
        """The state after one more equation; this one stays as it is.

        Args:
            leave_out: whether the equation is not checked and counts as undecided.
        """
        checks = [one.copy() for one in self._checks]
        for one in checks:
            one.leave_out(equation) if leave_out else one.take(equation)
        further = [] if self._has_all else self._checker.with_constants(checks)
        for one in further:
            one.repeat(checks[0])
        return State(self._checker, (*checks, *further), self._has_all or bool(further))

    @cached_property
    def validity(self) -> Validity:
        """The verdicts on all equations so far.

        They are checked again, because a push is content with one operator that derives an equation.
        """
        checks = [one.anew() for one in self._checks]
        for one, pushed in zip(checks, self._checks, strict=True):
            one.repeat(pushed)
        return _most_favourable([one.verdict() for one in checks])

    @cached_property
    def verdict(self) -> StateVerdict:
        """The verdict on the last equation, and on the derivation as if it ended here."""
        found = [one.state_verdict() for one in self._checks]
        best = max(found, key=lambda one: (one.verified_so_far, one.verified, one.sound, one.goal_reached))
        steps = [one.step for one in found if one.step is not None]
        return best if best.step is None else best.model_copy(update={"step": _not_accused(best.step, *steps)})


def _questions(prompt: str, asked: Prompt, notation: Notation, rules: Rules) -> list[Question]:
    """The prompt with every combination of its premises' readings."""

    def read_asked(text: str) -> Reading:
        # A prompt is written in its own notation.
        return replace(read(notation.rewritten(text), notation), text=text)

    premises = [
        [replace(reading, chains=(chain,)) for chain in reading.plausible[:MAX_PREMISE_READINGS]] or [reading]
        for reading in map(read_asked, asked.premises)
    ]
    intermediates, goal = [read_asked(text) for text in asked.derive], read_asked(asked.goal)
    return [
        Question(prompt, combination, intermediates, goal, notation, rules)
        for combination in islice(product(*premises), MAX_COMBINATIONS)
    ]


def _most_favourable(verdicts: Sequence[Validity]) -> Validity:
    """The best verdict; an equation that is not incorrect in every one is undecided there, not incorrect."""
    best = max(verdicts, key=_rank)
    steps = [_not_accused(*same) for same in zip(best.steps, *(one.steps for one in verdicts), strict=True)]
    return best.model_copy(update={"steps": steps})


def _not_accused(step: StepVerdict, *others: StepVerdict) -> StepVerdict:
    """The verdict on an equation; undecided for one that only some readings make incorrect."""
    if step.truth != "incorrect" or all(other.truth in ("incorrect", "unparsable") for other in others):
        return step
    return step.model_copy(update={"truth": "undecided", "reason": DEPENDS_ON_READING, "counterexample": None})


def unchecked(output: str, reason: str = TOO_MUCH, rules: Rules = "paper") -> Validity:
    """The verdict on an answer that could not be checked: every equation is undecided."""
    return Validity(
        steps=_undecided(equations_of(output), reason),
        premises_used=[],
        intermediates_present=[],
        goal_reached=False,
        sound=False,
        verified=False,
        rules=rules,
    )


def unreadable(output: str, error: ValueError, rules: Rules = "paper") -> Validity:
    """The verdict on an answer to a prompt that the checker refuses to read: every equation is undecided."""
    return unchecked(output, f"the prompt cannot be read: {error}", rules)


def _undecided(texts: Sequence[str], reason: str) -> list[StepVerdict]:
    return [StepVerdict(text=text, truth="undecided", reason=reason) for text in texts]


def _rank(verdict: Validity) -> tuple[bool, bool, bool, int]:
    truths = [step.truth for step in verdict.steps]
    return verdict.verified, verdict.sound, verdict.goal_reached, -truths.count("incorrect")
