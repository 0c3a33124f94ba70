"""BLEURT (Sellam et al., 2020): a BERT trained on human ratings, which scores a text against its reference.

It needs a checkpoint in Hugging Face's format of a `BertForSequenceClassification` with one label. The paper used
`bleurt-large-512`; this package contains no weights. Scores are not rounded, and mostly lie between 0 and 1. Like the
other text metrics, BLEURT does not know whether a step is true.
"""

import math
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any

import jax
import numpy as np

from mathderive.config.schema import BleurtSettings
from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.metrics.text import MAX_CHARACTERS
from mathderive.model.bert import BertRegressor
from mathderive.model.bert_tokenizer import load_pair_tokenizer
from mathderive.model.bert_weights import check_folder, fetch, read_folder
from mathderive.model.config import BertConfig
from mathderive.model.parameters import Params, with_parameters

Pair = tuple[str, str]
"""A prediction and its reference, the order of arguments of every metric."""

_LENGTH_MULTIPLE = 64
"""The length that batches are padded to a multiple of, so that few shapes are compiled."""


class Bleurt:
    """Scores pairs in batches, which are shared among all devices.

    A pair's score does not depend on the other pairs of its batch or on their number, except for rounding.
    """

    def __init__(self, settings: BleurtSettings) -> None:
        """Opens and checks the checkpoint; its weights are read when they are first needed.

        Raises:
            InputError: there is no such folder or id; the checkpoint has another architecture, lacks a part or is
                damaged; its tokenizer has ids that its embedding lacks; or it has fewer positions than `max_length`.
        """
        self._place, self._batch_size, self._max_length = settings.checkpoint, settings.batch_size, settings.max_length
        self._folder = fetch(self._place)
        self._config = check_folder(self._folder)
        self._tokenizer = load_pair_tokenizer(self._folder)
        if self._tokenizer.vocab_size > self._config.vocab_size:
            raise InputError(
                f"{self._place}: the tokenizer has {self._tokenizer.vocab_size} tokens and the embedding"
                f" {self._config.vocab_size} rows; expected a row for every token"
            )
        if self._max_length > (positions := self._config.max_position_embeddings):
            raise InputError(f"{self._place}: {positions} positions; expected score.bleurt.max_length to be no more")

    @cached_property
    def _params(self) -> Params:
        return devices.replicate(read_folder(self._folder))

    def __call__(self, pairs: Sequence[Pair]) -> list[float]:
        """Returns the score of each pair.

        Raises:
            InputError: as `score` does.
        """
        batches = self.batches(pairs)
        known = dict(zip(chain(*batches), chain(*map(self.score, batches)), strict=True))
        return [known[pair] for pair in pairs]

    def batches(self, pairs: Sequence[Pair]) -> list[list[Pair]]:
        """Sorts the distinct pairs by length, the shortest first, and splits them into batches.

        The result depends on the pairs alone.
        """
        distinct = list(dict.fromkeys(pairs))
        lengths = [len(ids) for ids, _ in self._encode(distinct)]
        ordered = [pair for _, pair in sorted(zip(lengths, distinct, strict=True))]
        return [ordered[start : start + self._batch_size] for start in range(0, len(ordered), self._batch_size)]

    def score(self, batch: Sequence[Pair]) -> list[float]:
        """Returns the scores of at most `batch_size` pairs.

        Raises:
            InputError: the weights are damaged, or a score is not a finite number.
        """
        encoded = self._encode(batch)
        length = min(-(-max(len(ids) for ids, _ in encoded) // _LENGTH_MULTIPLE) * _LENGTH_MULTIPLE, self._max_length)
        # Short batches are filled up with empty rows, so that they need no compilation of their own.
        rows = -(-self._batch_size // (device_count := devices.local_device_count())) * device_count
        input_ids, segment_ids = np.zeros((rows, length), np.int32), np.zeros((rows, length), np.int32)
        mask = np.zeros((rows, length), bool)
        for row, (ids, segments) in enumerate(encoded):
            input_ids[row, : len(ids)], segment_ids[row, : len(ids)], mask[row, : len(ids)] = ids, segments, True
        inputs = devices.shard_locally((input_ids, mask, segment_ids))
        scores = np.asarray(_scores(self._config, self._params, *inputs)).reshape(-1)[: len(batch)].tolist()
        if not all(map(math.isfinite, scores)):
            raise InputError(f"{self._place}: gives a score that is no finite number; expected other weights")
        return scores

    def _encode(self, pairs: Sequence[Pair]) -> list[tuple[list[int], list[int]]]:
        cut = [(reference[:MAX_CHARACTERS], prediction[:MAX_CHARACTERS]) for prediction, reference in pairs]
        return self._tokenizer.encode(cut, self._max_length)


@partial(devices.each_device, static_argnums=0)
def _scores(
    config: BertConfig, params: Any, input_ids: jax.Array, mask: jax.Array, segment_ids: jax.Array
) -> jax.Array:
    """Scores on one device: three arrays `[rows, length]` -> `[rows]`."""
    # Accelerators multiply at a lower precision by default, but a score should be the same on every device.
    with jax.default_matmul_precision("highest"):
        return with_parameters(BertRegressor, config, params)(input_ids, mask, segment_ids)
