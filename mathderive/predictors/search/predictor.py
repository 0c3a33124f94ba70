"""The loop of a search.

Each example is answered in rounds. The first answer is the greedy one; then come samples, a few for every example that
has no verified answer yet, until the budget is used up. The first verified answer is taken. Without one it is the best
by three measures in turn: whether it is sound, its share of valid equations among those that the prompt does not state,
and its log-probability. References play no part, so answers are the same without them.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from mathderive.predictors.base import SlowStarter, Spender, make_prediction
from mathderive.predictors.search.best_of import BestOf
from mathderive.predictors.search.checkers import Checkers
from mathderive.predictors.search.question import EXHAUSTED, VERIFIED, Question
from mathderive.predictors.search.sampler import ContinuingSampler, SampledAnswer, Sampler
from mathderive.predictors.search.stepwise import Stepwise
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example, Prediction

BATCH_SIZE = 16
"""Number of examples that are answered together; a killed run repeats at most so many."""


class Strategy(Protocol):
    """How samples are drawn and checked."""

    def draw(self, questions: Sequence[Question], numbers: Sequence[int]) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each question; `[0]` asks for the greedy answer."""
        ...

    def check(self, questions: Sequence[Question], checkers: Checkers) -> None:
        """Checks the new answers, so that a verified one has its verdict."""
        ...


class Search:
    """Answers with the samples of another predictor that the checker finds best.

    Args:
        name: the name in the predictions.
        sampler: gives the samples; for the strategy `stepwise` it is a `ContinuingSampler`.
        seed: with the example and the sample's number, it determines a sample.
        checker_seed: determines, with the texts, the points at which equations are tested.
        workers: number of processes that check.
    """

    def __init__(
        self, name: str, sampler: Sampler, settings: SamplerSettings, seed: int, checker_seed: str, workers: int
    ) -> None:
        self.name = name
        self._settings, self._checker_seed, self._workers = settings, checker_seed, workers
        self._sampler = sampler
        self.seconds: dict[str, float] = {}
        self.start_note = sampler.start_note if isinstance(sampler, SlowStarter) else ""
        self._new_strategy = lambda: _new_strategy(sampler, settings, seed)

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        ordered = sorted(examples, key=lambda example: (len(example.prompt), example.id))
        return [ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        sampling = self._sampler if isinstance(self._sampler, AbstractContextManager) else nullcontext()
        with sampling, Checkers(self._workers, self._checker_seed) as checkers:
            for batch in batches:
                yield self._answer(batch, checkers)
                self.start_note = ""

    def note(self) -> str:
        """The spending so far; empty if samples cost no money."""
        return self._sampler.note() if isinstance(self._sampler, Spender) else ""

    def unaccounted(self) -> int:
        """The number of requests that may have been billed although no answer arrived."""
        return self._sampler.unaccounted() if isinstance(self._sampler, Spender) else 0

    def _answer(self, batch: Sequence[Example], checkers: Checkers) -> list[Prediction]:
        questions, strategy = [Question(example) for example in batch], self._new_strategy()
        for numbers in rounds(self._settings.samples, self._settings.samples_at_once):
            waiting = [one for one in questions if self._goes_on(one)]
            if not waiting:
                break
            _draw(strategy, waiting, numbers)
            strategy.check(waiting, checkers)
        # An answer that is not verified is chosen among all.
        checkers.check(one for question in questions if question.verified is None for one in question.unchecked)
        self.seconds |= {one.example.id: one.seconds for one in questions}
        return [self._prediction(one) for one in questions]

    def _goes_on(self, question: Question) -> bool:
        within = self._settings.tokens is None or question.tokens < self._settings.tokens
        return within and (not question.answers or self._settings.to_the_end or question.verified is None)

    def _prediction(self, question: Question) -> Prediction:
        text = question.best
        return make_prediction(
            question.example,
            self.name,
            text,
            finish_reason=EXHAUSTED if question.verified is None else VERIFIED,
            usage=question.cost,
        )


def _new_strategy(sampler: Sampler, settings: SamplerSettings, seed: int) -> Strategy:
    if settings.strategy == "best_of":
        return BestOf(sampler, settings, seed)
    assert isinstance(sampler, ContinuingSampler)
    return Stepwise(sampler, settings, seed)


def _draw(strategy: Strategy, questions: Sequence[Question], numbers: Sequence[int]) -> None:
    """Adds new answers to the questions; each bears its share of the time."""
    started = time.monotonic()
    drawn = strategy.draw(questions, numbers)
    for question, answers in zip(questions, drawn, strict=True):
        question.add(answers)
        question.seconds += (time.monotonic() - started) / len(questions)


def rounds(samples: int, at_once: int) -> Iterator[range]:
    """The numbers of the samples of each round: the greedy answer alone, then so many at once."""
    yield range(1)
    for first in range(1, samples, at_once):
        yield range(first, min(samples, first + at_once))
