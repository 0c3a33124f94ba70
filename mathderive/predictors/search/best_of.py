"""The strategy `best_of`: whole answers are drawn, and each is checked."""

from collections.abc import Sequence

from mathderive.predictors.search.checkers import Checkers
from mathderive.predictors.search.question import Question
from mathderive.predictors.search.sampler import SampledAnswer, Sampler
from mathderive.predictors.settings import SamplerSettings


class BestOf:
    """Draws answers from their start."""

    def __init__(self, sampler: Sampler, settings: SamplerSettings, seed: int) -> None:
        self._sampler, self._settings, self._seed = sampler, settings, seed

    def draw(self, questions: Sequence[Question], numbers: Sequence[int]) -> list[list[SampledAnswer]]:
        """The samples with these numbers of the answer to each question."""
        return self._sampler.sample([one.example for one in questions], numbers, self._settings, self._seed)

    def check(self, questions: Sequence[Question], checkers: Checkers) -> None:
        """Gives every answer a verdict."""
        checkers.check(one for question in questions for one in question.unchecked)
