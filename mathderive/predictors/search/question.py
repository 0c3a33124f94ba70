"""A question of a search, with the answers so far."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from mathderive.checker.verdicts import Validity
from mathderive.metrics.checked_answers import summarise
from mathderive.predictors.search.sampler import SampledAnswer
from mathderive.records import Example

VERIFIED, EXHAUSTED = "verified", "budget"
"""Reasons why a search ended."""


@dataclass
class Question:
    """An example with the answers so far.

    Attributes:
        texts: the greedy answer and every sample, in order.
        answers: the distinct texts, in order.
        verdicts: on each distinct text that was checked as a whole.
        pushes: the number of equations that were checked one after the other.
        tokens: the number of sampled tokens.
        seconds: the time that sampling and checking took.
    """

    example: Example
    texts: list[str] = field(default_factory=list)
    answers: dict[str, SampledAnswer] = field(default_factory=dict)
    verdicts: dict[str, Validity] = field(default_factory=dict)
    pushes: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, answers: Sequence[SampledAnswer]) -> None:
        self.tokens += sum(answer.tokens for answer in answers)
        for answer in answers:
            self.texts.append(answer.text)
            self.answers.setdefault(answer.text, answer)

    def replace(self, text: str, better: str) -> None:
        """Replaces an answer by a better one, which it has completed."""
        if text != better:
            self.texts = [better if one == text else one for one in self.texts]
            self.answers.setdefault(better, self.answers.pop(text)._replace(text=better))

    @property
    def cost(self) -> dict[str, int]:
        """The cost of the answer without its time, and the number of verified samples."""
        greedy, *sampled = map(self._is_verified, self.texts)
        return {
            "samples": len(self.texts),
            "greedy_verified": int(greedy),
            "verified_samples": sum(sampled),
            "checks": len(self.verdicts),
            **({"checked_equations": self.pushes} if self.pushes else {}),
            "completion_tokens": self.tokens,
        }

    @property
    def unchecked(self) -> list[tuple["Question", str]]:
        """The distinct answers that were not checked as a whole, each with this question."""
        return [(self, text) for text in self.answers if text not in self.verdicts]

    @property
    def verified(self) -> str | None:
        """The first verified answer."""
        return next(filter(self._is_verified, self.answers), None)

    @property
    def best(self) -> str:
        """The first verified answer, else the best one; all answers must have been checked then."""
        return self.verified or max(self.answers, key=self._rank)

    def _is_verified(self, text: str) -> bool:
        return text in self.verdicts and self.verdicts[text].verified

    def _rank(self, text: str) -> tuple[bool, float, float]:
        verdict, log_probability = self.verdicts[text], self.answers[text].log_probability
        return (
            verdict.sound,
            summarise(verdict).valid_equations,
            -math.inf if log_probability is None else log_probability,
        )
