"""The equations that the samples of an answer have in common: all that is verified, whichever sample says it.

An equation is judged against everything that is verified so far, not against its own sample alone. So an equation that
skips a step in one sample is valid once another sample has that step.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mathderive.checker.supervised_states import SupervisedState, SupervisedStates
from mathderive.symbolic.prompts import SEPARATOR, split_prompt

MAX_VERIFIED = 30
"""Maximum number of equations of a pool; the checker compares an equation with as many."""

MAX_SKIPPED = 30
"""Maximum number of true equations that wait for what they follow from."""

MAX_PASSES = 3
"""How often the waiting equations are judged again after a sample."""


@dataclass(frozen=True)
class Entry:
    """A verified equation.

    Attributes:
        sources: the numbers, from 1, of the verified equations that it follows from.
        is_kept: whether an answer states it in any case: it is a premise, or the prompt asks for it.
    """

    equation: str
    sources: tuple[int, ...]
    is_kept: bool


@dataclass
class Pool:
    """The equations that the samples of one answer have verified together.

    Attributes:
        entries: the verified equations in order.
        refused: equations that are not true, or not known to be, or say again what a verified one says.
        skipped: true equations that follow from no verified ones by a single operator.
        answer: the verified answer, once there is one.
        pushes: the number of equations that were checked.
        judged_at: the number of verified equations when the waiting ones were last judged.
    """

    prompt: str
    entries: list[Entry] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    skipped: dict[str, None] = field(default_factory=dict)
    answer: str | None = None
    pushes: int = 0
    judged_at: int = 0

    @property
    def equations(self) -> tuple[str, ...]:
        return tuple(entry.equation for entry in self.entries)

    @property
    def requested(self) -> frozenset[str]:
        """The verified equations that an answer states in any case."""
        return frozenset(entry.equation for entry in self.entries if entry.is_kept)

    def begin(self, states: SupervisedStates) -> SupervisedState:
        """The checker's state after the verified equations; at first these are the premises.

        Raises:
            ValueError: the prompt cannot be read.
        """
        state = states.start(self.prompt, self.equations)
        for premise in split_prompt(self.prompt).premises if not self.entries else ():
            state = self._push(state, premise)
        return state

    def take(self, state: SupervisedState, equations: Iterable[str]) -> SupervisedState:
        """Judges the equations that are new, in their order; returns the state after those that are verified."""
        for equation in equations:
            known = equation in self.refused or equation in self.skipped or equation in self.equations
            if not known and self.answer is None:
                state = self._push(state, equation)
        return state

    def take_skipped(self, state: SupervisedState) -> SupervisedState:
        """Judges the waiting equations again as long as some of them are verified."""
        for _ in range(MAX_PASSES if len(self.entries) > self.judged_at else 0):
            before = self.judged_at = len(self.entries)
            waiting, self.skipped = self.skipped, {}
            state = self.take(state, waiting)
            if len(self.entries) == before:
                break
        return state

    def take_answer(self) -> str:
        """The answer, which is forgotten here, so that further samples are judged."""
        assert self.answer is not None
        answer, self.answer = self.answer, None
        return answer

    def _push(self, state: SupervisedState, equation: str) -> SupervisedState:
        if len(self.entries) >= MAX_VERIFIED:
            return state
        self.pushes += 1
        after = state.push(equation)
        step = after.verdict.step
        assert step is not None
        if step.truth in ("premise", "valid") and after.verdict.verified_so_far and not step.redundant:
            completes = after.verdict.verified and not state.verdict.verified
            answers_request = after.verdict.open_intermediates != state.verdict.open_intermediates
            is_kept = step.truth == "premise" or answers_request or completes
            self.entries.append(Entry(equation, tuple(step.steps), is_kept))
            if completes:
                self.answer = SEPARATOR.join(self._needed())
            return after
        if step.truth == "skipped" and len(self.skipped) < MAX_SKIPPED:
            self.skipped[equation] = None
        else:
            self.refused.add(equation)
        return state

    def _needed(self) -> Iterator[str]:
        """The equations that are kept, and those that they follow from."""
        needed = {number for number, entry in enumerate(self.entries, start=1) if entry.is_kept}
        for number in range(len(self.entries), 0, -1):
            if number in needed:
                needed |= set(self.entries[number - 1].sources)
        return (entry.equation for number, entry in enumerate(self.entries, start=1) if number in needed)
