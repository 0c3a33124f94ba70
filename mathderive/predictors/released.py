"""The outputs that the authors recorded and released, as predictions of their models."""

from collections.abc import Iterator, Mapping, Sequence

from mathderive.predictors.base import make_prediction
from mathderive.records import Example, Prediction


class ReleasedOutputs:
    """The recorded outputs of one model.

    Args:
        name: the model's name in the result files.
        outputs: the recorded text of each example, by example id.
    """

    def __init__(self, name: str, outputs: Mapping[str, str]) -> None:
        self.name = name
        self._outputs = outputs

    def batches(self, examples: Sequence[Example]) -> list[list[Example]]:
        return [list(examples)]

    def predict(self, batches: Sequence[Sequence[Example]]) -> Iterator[list[Prediction]]:
        for batch in batches:
            yield [make_prediction(example, self.name, self._outputs[example.id]) for example in batch]
