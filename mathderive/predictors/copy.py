"""The baseline that derives nothing: it repeats the prompt's equations."""

from collections.abc import Iterator, Sequence

from mathderive.predictors.base import answer
from mathderive.records import Example, Prediction
from mathderive.symbolic.prompts import SEPARATOR, split_prompt


class CopyBaseline:
    """Joins the prompt's premises, intermediate equations and goal by ` and `.

    It scores well on text metrics without a single step of reasoning, which is why it stands in every table.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [list(examples)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        for batch in batches:
            yield [answer(example, self.name, _equations(example.prompt), finish_reason="stop") for example in batch]


def _equations(prompt: str) -> str:
    parts = split_prompt(prompt)
    return SEPARATOR.join((*parts.premises, *parts.derive, parts.goal))
