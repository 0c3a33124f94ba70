"""A look at the validation split: the loss, and ROUGE-2 of what the model writes on its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.decoding import decode
from mathderive.model.tokenizer import Tokenizer
from mathderive.training.input_pipeline import collate, tokenize
from mathderive.training.step import make_loss

if TYPE_CHECKING:
    from mathderive.config.schema import TrainingSettings

Score = Callable[[str, str], float]
"""ROUGE-2 of (prediction, reference), between 0 and 1."""

_ROWS = 32
"""Of a batch, rounded up to what the devices can share."""


class Validation:
    """Fixed examples, looked at again and again."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        tokenizer: Tokenizer,
        config: T5Config,
        dtype: str,
        settings: "TrainingSettings",
        score: Score,
    ) -> None:
        """Tokenizes (prompt, target) pairs, cut to the settings' lengths.

        Raises:
            InputError: there is no pair.
        """
        if not pairs:
            raise InputError("validation: no examples; expected at least one")
        self._tokenizer = tokenizer
        self._config = config
        self._dtype = dtype
        self._settings = settings
        self._score = score
        self._loss = make_loss(config, dtype)
        self._examples = tokenize(pairs, tokenizer, settings.max_source_length, settings.max_target_length)
        self._references = [target for _, target in pairs]
        # By length, so that the rows of a batch end at about the same time.
        order = sorted(range(len(pairs)), key=lambda number: len(self._examples[number][0]))
        device_count = devices.local_device_count()
        self._rows = -(-_ROWS // device_count) * device_count
        self._batches = [order[start : start + self._rows] for start in range(0, len(order), self._rows)]
        longest = np.max([(len(source), len(target)) for source, target in self._examples], axis=0)
        self._shape = (int(longest[0]), int(longest[1]))

    def look(self, params: Mapping[str, Any]) -> dict[str, float]:
        """`validation_loss`, in nats a label, and `validation_rouge2`, the mean over the examples.

        Outputs may be as long as the longest reference: what goes on beyond it is wrong already.
        """
        everywhere = devices.replicate(dict(params))
        losses, labels, scores = 0.0, 0.0, []
        for numbers in self._batches:
            examples = [self._examples[number] for number in numbers]
            batch = collate(examples, self._config, self._rows, self._shape, self._settings.first_token)
            loss, counted = self._loss(everywhere, devices.shard_locally(batch))
            losses, labels = losses + float(np.sum(loss)), labels + float(np.sum(counted))
            sources = [source.tolist() for source, _ in examples]
            sources += [[]] * (self._rows - len(sources))
            search = self._settings.validation_search
            outputs = decode(self._config, everywhere, sources, self._shape[1], self._dtype, search)
            for number, output in zip(numbers, outputs, strict=False):
                scores.append(self._score(self._tokenizer.decode(output), self._references[number]))
        return {"validation_loss": losses / labels, "validation_rouge2": float(np.mean(scores))}
