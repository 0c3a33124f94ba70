"""Predictors that can be sampled: they answer a question several times, from its start or from a given beginning."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from mathderive.predictors.settings import SamplerSettings
from mathderive.records import Example
from mathderive.symbolic.prompts import SEPARATOR


class SampledAnswer(NamedTuple):
    """A sampled answer, and its log-probability and number of tokens.

    Attributes:
        log_probability: the model's log-probability of what it has sampled of the answer; null where it is unknown.
        tokens: the number of tokens that were sampled.
    """

    text: str
    log_probability: float | None
    tokens: int


@dataclass(frozen=True)
class Beginning:
    """The first equations of an answer, to be continued.

    Attributes:
        numbers: the numbers of the samples to draw.
    """

    example: Example
    equations: tuple[str, ...]
    numbers: Sequence[int]

    @property
    def text(self) -> str:
        """The equations with the separator after the last one."""
        return SEPARATOR.join((*self.equations, ""))


@runtime_checkable
class Sampler(Protocol):
    """A predictor that can answer a question several times. If it is a context manager, it is asked in its context."""

    name: str

    def sample(
        self, examples: Sequence[Example], numbers: Sequence[int], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each example; `[0]` asks for the greedy answer alone.

        A sample depends on the seed, the example and its number alone.
        """
        ...


@runtime_checkable
class ContinuingSampler(Sampler, Protocol):
    """A sampler that can continue a given beginning of an answer."""

    def continue_answers(
        self, beginnings: Sequence[Beginning], settings: SamplerSettings, seed: int
    ) -> list[list[SampledAnswer]]:
        """The samples of the whole answer that begins so, for each beginning; all ask for equally many.

        A sample depends on the seed, the example, its number and the beginning alone. Its log-probability and its
        number of tokens are those of what follows the beginning.
        """
        ...
