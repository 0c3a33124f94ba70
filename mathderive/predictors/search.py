"""Search: samples of a model's answers, of which the checker chooses one.

Each example is answered in rounds. The first answer is the greedy one; then come samples, a few for every example that
has no verified answer yet, until the budget is used up. The first verified answer is taken. Without one it is the best
by three measures in turn: whether it is sound, its share of valid equations among those that the prompt does not state,
and its log-probability. References play no part, so answers are the same without them.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import NamedTuple, Protocol, runtime_checkable

from mathderive.checker.checker import unreadable
from mathderive.checker.supervision import SupervisedChecker
from mathderive.checker.verdicts import Validity
from mathderive.metrics.checked_answers import summarise
from mathderive.predictors.base import make_prediction
from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example, Prediction

BATCH_SIZE = 16
"""Number of examples that are answered together; a killed run repeats at most so many."""

VERIFIED, EXHAUSTED = "verified", "budget"
"""Reasons why a search ended."""


class SampledAnswer(NamedTuple):
    """A sampled answer, the model's log-probability of it, and its number of tokens."""

    text: str
    log_probability: float
    tokens: int


@runtime_checkable
class Sampler(Protocol):
    """A predictor that can answer a question several times."""

    name: str

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each example; `[0]` asks for the greedy answer alone.

        A sample depends on the seed, the example and its number alone.
        """
        ...


@dataclass
class _Question:
    """An example with the answers so far.

    Attributes:
        texts: the greedy answer and every sample, in order.
        answers: the distinct texts, in order.
        verdicts: on each distinct text.
    """

    example: Example
    texts: list[str] = field(default_factory=list)
    answers: dict[str, SampledAnswer] = field(default_factory=dict)
    verdicts: dict[str, Validity] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0

    def add(self, answers: Sequence[SampledAnswer]) -> None:
        self.tokens += sum(answer.tokens for answer in answers)
        for answer in answers:
            self.texts.append(answer.text)
            self.answers.setdefault(answer.text, answer)

    @property
    def cost(self) -> dict[str, int]:
        """The cost of the answer, and the number of verified samples."""
        greedy, *sampled = (self.verdicts[text].verified for text in self.texts)
        return {
            "samples": len(self.texts),
            "greedy_verified": int(greedy),
            "verified_samples": sum(sampled),
            "checks": len(self.verdicts),
            "completion_tokens": self.tokens,
            "milliseconds": round(1000 * self.seconds),
        }

    @property
    def unchecked(self) -> list[str]:
        return [text for text in self.answers if text not in self.verdicts]

    @property
    def verified(self) -> str | None:
        """The first verified answer."""
        return next((text for text in self.answers if self.verdicts[text].verified), None)

    @property
    def best(self) -> str:
        return self.verified or max(self.answers, key=self._rank)

    def _rank(self, text: str) -> tuple[bool, float, float]:
        verdict = self.verdicts[text]
        return verdict.sound, summarise(verdict).valid_equations, self.answers[text].log_probability


class Search:
    """Answers with the samples of another predictor that the checker finds best.

    Args:
        name: the name in the predictions.
        sampler: gives the samples.
        seed: with the example and the sample's number, it determines a sample.
        checker_seed: determines, with the texts, the points at which equations are tested.
        workers: number of processes that check.
    """

    def __init__(
        self, name: str, sampler: Sampler, settings: SamplerSettings, seed: int, checker_seed: str, workers: int
    ) -> None:
        self.name = name
        self._sampler, self._settings, self._seed = sampler, settings, seed
        self._checker_seed, self._workers = checker_seed, workers

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        ordered = sorted(examples, key=lambda example: (len(example.prompt), example.id))
        return [ordered[start : start + BATCH_SIZE] for start in range(0, len(ordered), BATCH_SIZE)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        with _Checkers(self._workers, self._checker_seed) as checkers:
            for batch in batches:
                yield self._answer(batch, checkers)

    def _answer(self, batch: Sequence[Example], checkers: "_Checkers") -> list[Prediction]:
        questions = [_Question(example) for example in batch]
        for numbers in rounds(self._settings.samples, self._settings.samples_at_once):
            waiting = [one for one in questions if self._goes_on(one)]
            if not waiting:
                break
            self._draw(waiting, numbers)
            checkers.check(waiting)
        return [self._prediction(one) for one in questions]

    def _goes_on(self, question: _Question) -> bool:
        within = self._settings.tokens is None or question.tokens < self._settings.tokens
        return within and (not question.answers or self._settings.to_the_end or question.verified is None)

    def _draw(self, questions: Sequence[_Question], numbers: Sequence[int]) -> None:
        started = time.monotonic()
        examples = [one.example for one in questions]
        for question, answers in zip(
            questions, self._sampler.sample(examples, numbers, self._settings, self._seed), strict=True
        ):
            question.add(answers)
        for question in questions:
            question.seconds += (time.monotonic() - started) / len(questions)

    def _prediction(self, question: _Question) -> Prediction:
        text = question.best
        return make_prediction(
            question.example,
            self.name,
            text,
            finish_reason=EXHAUSTED if question.verified is None else VERIFIED,
            usage=question.cost,
        )


def rounds(samples: int, at_once: int) -> Iterator[range]:
    """The numbers of the samples of each round: the greedy answer alone, then so many at once."""
    yield range(1)
    for first in range(1, samples, at_once):
        yield range(first, min(samples, first + at_once))


class _Checkers:
    """Several supervised checkers, which check in parallel; a context manager."""

    def __init__(self, count: int, seed: str) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._all = [SupervisedChecker(seed=seed) for _ in range(count)]
        self._free: SimpleQueue[SupervisedChecker] = SimpleQueue()
        for checker in self._all:
            self._free.put(checker)

    def __enter__(self) -> "_Checkers":
        return self

    def __exit__(self, *_: object) -> None:
        for checker in self._all:
            checker.stop()
        self._threads.shutdown(cancel_futures=True)

    def check(self, questions: Sequence[_Question]) -> None:
        """Checks the answers that have no verdict yet; equal answers to a question are checked once."""
        jobs = [(question, text) for question in questions for text in question.unchecked]
        for (question, text), (verdict, seconds) in zip(jobs, self._threads.map(self._check, jobs), strict=True):
            question.verdicts[text] = verdict
            question.seconds += seconds

    def _check(self, job: tuple[_Question, str]) -> tuple[Validity, float]:
        question, text = job
        checker, started = self._free.get(), time.monotonic()
        try:
            return checker.check(question.example.prompt, text), time.monotonic() - started
        except ValueError as error:
            return unreadable(text, error), time.monotonic() - started
        finally:
            self._free.put(checker)
