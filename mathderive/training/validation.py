"""Validation on texts: the loss, and ROUGE-2 of the outputs that the model generates."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mathderive.config.training_options import TrainingOptions
from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.decoding import decode
from mathderive.model.search_settings import SearchSettings
from mathderive.model.tokenizer import Tokenizer
from mathderive.training.input_pipeline import Batch, collate, tokenize
from mathderive.training.step import make_loss, mean_loss

Score = Callable[[str, str], float]
"""A score of (prediction, reference) between 0 and 1, such as ROUGE-2."""

_ROWS = 32
"""Minimum number of rows in a batch."""


class Validation:
    """Validation on a fixed sequence of examples."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        tokenizer: Tokenizer,
        config: T5Config,
        dtype: str,
        options: TrainingOptions,
        search: SearchSettings,
        score: Score,
    ) -> None:
        """Tokenizes (prompt, target) pairs and cuts them to the lengths of the options.

        Raises:
            InputError: there is no pair.
        """
        if not pairs:
            raise InputError("validation: no examples; expected at least one")
        self._tokenizer = tokenizer
        self._config = config
        self._dtype = dtype
        self._first_token = options.first_token
        self._search = search
        self._score = score
        self._loss = make_loss(config, dtype)
        self._examples = tokenize(pairs, tokenizer, options.max_source_length, options.max_target_length)
        self._references = [target for _, target in pairs]
        # Examples are in the order of their lengths, so that the rows of a batch end at about the same time.
        order = sorted(range(len(pairs)), key=lambda number: len(self._examples[number][0]))
        self._rows = devices.round_up_to_devices(_ROWS)
        self._batches = [order[start : start + self._rows] for start in range(0, len(order), self._rows)]
        longest = np.max([(len(source), len(target)) for source, target in self._examples], axis=0)
        self._shape = (int(longest[0]), int(longest[1]))

    def validate(self, params: Mapping[str, Any]) -> dict[str, float]:
        """Computes `validation_loss`, in nats a label, and `validation_rouge2`, the mean over the examples.

        An output may be as long as the longest reference; a longer output is wrong already.
        """
        replicated = devices.replicate(dict(params))
        loss = mean_loss(self._loss, replicated, map(self._collate, self._batches))
        scores = []
        for numbers in self._batches:
            sources = [self._examples[number][0].tolist() for number in numbers]
            sources += [[]] * (self._rows - len(sources))
            outputs = decode(self._config, replicated, sources, self._shape[1], self._dtype, self._search)
            for number, output in zip(numbers, outputs, strict=False):
                scores.append(self._score(self._tokenizer.decode(output), self._references[number]))
        return {"validation_loss": loss, "validation_rouge2": float(np.mean(scores))}

    def _collate(self, numbers: Sequence[int]) -> Batch:
        examples = [self._examples[number] for number in numbers]
        return collate(examples, self._config, self._rows, self._shape, self._first_token)
