"""The copy baseline: it repeats the prompt's equations and derives nothing."""

from collections.abc import Iterator, Sequence

from mathderive.predictors.base import make_prediction
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import repeat_prompt


class CopyBaseline:
    """Joins the prompt's premises, intermediate equations and goal by ` and `.

    Its text metrics are high without a single step of reasoning, so every table shows it for comparison.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [list(examples)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        for batch in batches:
            yield [self._predict(example) for example in batch]

    def _predict(self, example: Example) -> Prediction:
        return make_prediction(example, self.name, repeat_prompt(example.prompt), finish_reason="stop")
