"""Answering a prompt with operators alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mathderive.checker.checker import Checker
from mathderive.checker.inference.facts import Fact
from mathderive.checker.judging import AnswerCheck, Question
from mathderive.checker.reading.equations import Reading
from mathderive.predictors.engine.deriving import Bounds, Derivation, Search
from mathderive.symbolic.prompts import SEPARATOR


@dataclass(frozen=True)
class Answer:
    """An answer in the form of a reference.

    Attributes:
        expanded: the number of equations that the search has expanded.
        is_verified: whether the checker verifies the answer.
    """

    text: str
    expanded: int = 0
    is_verified: bool = False


def answer(prompt: str, bounds: Bounds, seed: str, on_progress: Callable[[Answer], object]) -> Answer:
    """The answer that the search finds: premises, requested equations and goal, with what leads from one to the next.

    An equation for which no derivation is found stands there without one.

    Args:
        seed: with the texts, it determines the points at which equations are tested.
        on_progress: is called with the answer so far before each part of the search.

    Raises:
        ValueError: the prompt has another form.
    """
    checker = Checker(prompt, seed)
    with np.errstate(all="ignore"):  # an undefined value compares as unequal
        found = _Answering(checker.questions[0], bounds, seed, on_progress).result()
    return Answer(found.text, found.expanded, checker.check(found.text).verified)


class _Answering:
    def __init__(self, question: Question, bounds: Bounds, seed: str, on_progress: Callable[[Answer], object]) -> None:
        self._question, self._bounds, self._on_progress = question, bounds, on_progress
        self._derivation = Derivation(AnswerCheck(question, seed))
        self._expanded = 0

    def result(self) -> Answer:
        for premise in self._question.premises:
            self._derivation.take(premise.text)
        wanted = [*self._question.intermediates, self._question.goal]
        for number, reading in enumerate(wanted):
            self._derive(reading, [one.text for one in wanted[number:]])
        return self._so_far()

    def _derive(self, reading: Reading, left: list[str]) -> None:
        """Makes the derivation longer by an equation and what leads to it, or by the bare equation.

        Args:
            left: the texts of this equation and of those that are wanted after it.
        """
        if reading.chains and len(reading.chains[0]) == 2:
            goal = Fact(0, *reading.chains[0])
            used = frozenset().union(*(fact.symbols for fact in self._derivation.facts))
            fresh = sorted(goal.symbols - used, key=str)
            search = Search(self._derivation, reading.text, goal, fresh, self._bounds)
            found = search.result(lambda: self._on_progress(self._so_far(*left)))
            self._expanded += search.expanded
            if found is not None:
                self._derivation = found
                return
        self._derivation.take(reading.text)

    def _so_far(self, *left: str) -> Answer:
        return Answer(SEPARATOR.join((*self._derivation.texts, *left)), self._expanded)
