"""Answering a prompt with operators alone, and no model."""

from collections.abc import Callable, Sequence

import numpy as np
from sympy import Symbol

from mathderive.checker.checker import Checker
from mathderive.checker.inference.facts import Fact
from mathderive.checker.judging import AnswerCheck, Question
from mathderive.checker.reading.equations import Reading
from mathderive.predictors.engine.deriving import Derivation, Search
from mathderive.symbolic.prompts import SEPARATOR


def answer(prompt: str, seed: str = "", on_progress: Callable[[str], object] = lambda text: None) -> str:
    """The derivation that the search finds, in the form of a reference.

    Args:
        seed: with the texts, it determines the points at which equations are tested.
        on_progress: is called before each part of the search with the answer so far.

    Raises:
        ValueError: the prompt has another form.
    """
    question = Checker(prompt, seed).questions[0]
    with np.errstate(all="ignore"):  # an undefined value compares as unequal
        derivation = Derivation(AnswerCheck(question, seed))
        for premise in question.premises:
            derivation.take(premise.text)
        wanted = [*question.intermediates, question.goal]
        for number, reading in enumerate(wanted):
            rest = SEPARATOR.join(one.text for one in wanted[number:])
            derivation = _longer(derivation, reading, lambda: on_progress(SEPARATOR.join((*derivation.texts, rest))))
    return SEPARATOR.join(derivation.texts)


def _longer(derivation: Derivation, reading: Reading, on_progress: Callable[[], object]) -> Derivation:
    """The derivation with a further equation and what leads to it, or with the bare equation."""
    if reading.chains and len(reading.chains[0]) == 2:
        goal = Fact(0, *reading.chains[0])
        fresh = sorted(goal.symbols - _used(derivation), key=str)
        found = Search(derivation, reading.text, goal, fresh, on_progress).result()
        if found is not None:
            return found
    derivation.take(reading.text)
    return derivation


def _used(derivation: Derivation) -> frozenset[Symbol]:
    return frozenset().union(*(fact.symbols for fact in derivation.facts))
