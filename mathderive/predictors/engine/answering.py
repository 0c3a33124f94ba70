"""Answering a prompt with operators alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from sympy.core import random as sympy_random

from mathderive.checker.checker import Checker
from mathderive.checker.consequences import equation_text
from mathderive.checker.inference.facts import Fact
from mathderive.checker.judging import AnswerCheck
from mathderive.checker.questions import Question
from mathderive.predictors.engine.deriving import Bounds, Derivation, Search
from mathderive.predictors.engine.lemmas import lemmas
from mathderive.symbolic.prompts import SEPARATOR

LEMMA_SHARE = 2
"""The part of the bound on expansions that the search for a lemma may use, and the search after it."""


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
    sympy_random.seed(0)  # so that nothing depends on what this process did before
    checker = Checker(prompt, seed)
    with np.errstate(all="ignore"):  # an undefined value compares as unequal
        found = _Answering(checker.questions[0], bounds, seed, on_progress).result()
    return Answer(found.text, found.expanded, checker.check(found.text).verified)


class _Answering:
    def __init__(self, question: Question, bounds: Bounds, seed: str, on_progress: Callable[[Answer], object]) -> None:
        self._question, self._bounds, self._on_progress = question, bounds, on_progress
        self._derivation = Derivation(AnswerCheck(question, seed))
        self._left: list[str] = []
        self._expanded = 0

    def result(self) -> Answer:
        for premise in self._question.premises:
            self._derivation.take(premise.text)
        wanted = [*self._question.intermediates, self._question.goal]
        for number, reading in enumerate(wanted):
            self._left = [one.text for one in wanted[number:]]
            found = None
            if reading.chains and len(reading.chains[0]) == 2:
                goal = Fact(0, *reading.chains[0])
                found = self._derive(goal, reading.text) or self._derive_by_lemmas(goal, reading.text)
            if found is None:
                self._derivation.take(reading.text)
            else:
                self._derivation = found
        self._left = []
        return self._so_far()

    def _derive(self, goal: Fact, text: str, before: Derivation | None = None, share: int = 1) -> Derivation | None:
        """The derivation made longer by an equation and what leads to it; None where none is found.

        Args:
            before: a derivation other than the one so far.
            share: the search may use this part of the bound on expansions.
        """
        before = before or self._derivation
        used = frozenset().union(*(fact.symbols for fact in before.facts))
        fresh = sorted(goal.symbols - used, key=str)
        bounds = replace(self._bounds, expansions=max(1, self._bounds.expansions // share))
        search = Search(before, text, goal, fresh, bounds)
        found = search.result(lambda: self._on_progress(self._so_far()))
        self._expanded += search.expanded
        return found

    def _derive_by_lemmas(self, goal: Fact, text: str) -> Derivation | None:
        """As `_derive`, with one lemma before the goal."""
        for lemma in lemmas(goal, self._derivation.facts):
            before = self._derive(lemma, equation_text(lemma), share=LEMMA_SHARE)
            found = None if before is None else self._derive(goal, text, before, share=LEMMA_SHARE)
            if found is not None:
                return found
        return None

    def _so_far(self) -> Answer:
        return Answer(SEPARATOR.join((*self._derivation.texts, *self._left)), self._expanded)
