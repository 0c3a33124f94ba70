"""A look at the validation split: the loss, and ROUGE-2 of what the model writes on its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from mathderive.config import FirstToken
from mathderive.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.decoding import greedy_decode
from mathderive.model.tokenizer import Tokenizer
from mathderive.training.input_pipeline import collate, tokenize
from mathderive.training.step import make_loss

Score = Callable[[str, str], float]
"""ROUGE-2 of (prediction, reference), between 0 and 1."""

_ROWS = 32


class Validation:
    """Fixed examples, looked at again and again."""

    def __init__(
        self,
        pairs: Sequence[tuple[str, str]],
        tokenizer: Tokenizer,
        lengths: tuple[int, int],
        config: T5Config,
        dtype: str,
        score: Score,
        first_token: FirstToken = "fixed",
    ) -> None:
        """Tokenizes (prompt, target) pairs, cut to `lengths`.

        Raises:
            InputError: there is no pair.
        """
        if not pairs:
            raise InputError("validation: no examples; expected at least one")
        self._tokenizer = tokenizer
        self._config = config
        self._dtype = dtype
        self._score = score
        self._first_token: FirstToken = first_token
        self._loss = make_loss(config, dtype)
        self._examples = tokenize(pairs, tokenizer, *lengths)
        self._references = [target for _, target in pairs]
        # By length, so that the rows of a batch end at about the same time.
        order = sorted(range(len(pairs)), key=lambda number: len(self._examples[number][0]))
        self._batches = [order[start : start + _ROWS] for start in range(0, len(order), _ROWS)]
        longest = np.max([(len(source), len(target)) for source, target in self._examples], axis=0)
        self._shape = (int(longest[0]), int(longest[1]))

    def look(self, params: Mapping[str, Any]) -> dict[str, float]:
        """`validation_loss`, in nats a label, and `validation_rouge2`, the mean over the examples.

        Outputs may be as long as the longest reference: what goes on beyond it is wrong already.
        """
        on_device = jax.device_put(dict(params))
        losses, labels, scores = 0.0, 0.0, []
        for numbers in self._batches:
            examples = [self._examples[number] for number in numbers]
            batch = jax.device_put(collate(examples, self._config, _ROWS, self._shape, self._first_token))
            loss, counted = self._loss(on_device, batch)
            losses, labels = losses + float(loss), labels + float(counted)
            sources = [source.tolist() for source, _ in examples]
            sources += [[]] * (_ROWS - len(sources))
            outputs = greedy_decode(self._config, on_device, sources, self._shape[1], self._dtype)
            for number, output in zip(numbers, outputs, strict=False):
                scores.append(self._score(self._tokenizer.decode(output), self._references[number]))
        return {"validation_loss": losses / labels, "validation_rouge2": float(np.mean(scores))}
