"""Batches of token ids from pairs of texts; each batch is a pure function of (seed, step).

Every epoch is a new permutation of the examples. In an epoch, examples of similar length share a batch and are padded
to one of a few shapes, because XLA compiles the training step once for each shape. The shapes are those with the least
padding for these examples. Grain prepares the batches ahead of time and can go on from any step.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mathderive.config.training_options import FirstToken
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config

if TYPE_CHECKING:
    from mathderive.model.tokenizer import Tokenizer

SHAPES = 6
"""Maximum number of shapes to which the batches of a training run are padded; each is compiled once."""

Batch = dict[str, np.ndarray]
"""The arrays `input_ids`, `[rows, source_length]`, and `decoder_input_ids` and `labels`, `[rows, target_length]`.

With `first_token="authors"` the last two have one token less. Padding is the pad id everywhere; labels with the pad id
do not count."""

TokenPair = tuple[np.ndarray, np.ndarray]
"""Token ids of a source and of its target."""


def tokenize(
    pairs: Sequence[tuple[str, str]], tokenizer: "Tokenizer", max_source_length: int, max_target_length: int
) -> list[TokenPair]:
    """Token ids of (prompt, target) texts; texts that are too long are cut before their end-of-sequence token."""
    return [
        (_cut(tokenizer.encode(prompt), max_source_length), _cut(tokenizer.encode(target), max_target_length))
        for prompt, target in pairs
    ]


class BatchPlan(Protocol):
    """The batches of a whole training run, by step."""

    steps_per_epoch: int

    def __getitem__(self, step: int) -> Batch: ...


class BatchIterator(Protocol):
    """The batches in order, from any step on."""

    def __iter__(self) -> "BatchIterator": ...

    def __next__(self) -> Batch: ...

    def get_state(self) -> dict[str, Any]:
        """The position of the iterator, as JSON data."""

    def set_state(self, state: dict[str, Any]) -> None:
        """Sets the position of the iterator.

        Raises:
            IndexError: it is beyond the last batch.
        """


class Batches:
    """A `BatchPlan` over examples in memory; each epoch has another order."""

    def __init__(
        self,
        examples: Sequence[TokenPair],
        config: T5Config,
        batch_size: int,
        seed: int,
        shapes: int | Sequence[tuple[int, int]] = SHAPES,
        first_token: FirstToken = "fixed",
    ) -> None:
        """Plans batches of `batch_size` rows.

        Args:
            shapes: the (source, target) shapes to which examples are padded, with both lengths ascending; or the
                maximum number of shapes, which are then chosen.

        Raises:
            InputError: there is no example.
        """
        if not examples:
            raise InputError("training: no examples; expected at least one")
        self._examples = examples
        self._config = config
        self._batch_size = batch_size
        self._seed = seed
        self._first_token: FirstToken = first_token
        lengths = np.array([(len(source), len(target)) for source, target in examples])
        self.shapes = choose_shapes(lengths, shapes) if isinstance(shapes, int) else list(shapes)
        fits = [np.all(lengths <= shape, axis=1) for shape in self.shapes]
        self._shape_of = np.argmax(fits, axis=0)
        self.steps_per_epoch = -(-len(examples) // batch_size)
        self._plan = lru_cache(maxsize=2)(self._make_plan)

    def __getitem__(self, step: int) -> Batch:
        epoch, number = divmod(step, self.steps_per_epoch)
        shape, members = self._plan(epoch)[number]
        examples = [self._examples[member] for member in members]
        return collate(examples, self._config, self._batch_size, shape, self._first_token)

    def _make_plan(self, epoch: int) -> list[tuple[tuple[int, int], np.ndarray]]:
        """The shape and the examples of each batch of an epoch, in which every example occurs once."""
        rng = np.random.default_rng((self._seed, epoch))
        order = rng.permutation(len(self._examples))
        plan = []
        left = order[:0]
        for number, shape in enumerate(self.shapes):
            # Shapes grow in both lengths, so examples that do not fill a batch of one shape fit the next shape.
            members = np.concatenate([left, order[self._shape_of[order] == number]])
            whole = len(members) // self._batch_size * self._batch_size
            plan += [(shape, part) for part in members[:whole].reshape(-1, self._batch_size)]
            left = members[whole:]
        if len(left):
            plan.append((self.shapes[-1], left))
        return [plan[number] for number in rng.permutation(len(plan))]


def collate(
    examples: Sequence[TokenPair],
    config: T5Config,
    rows: int,
    shape: tuple[int, int],
    first_token: FirstToken = "fixed",
) -> Batch:
    """Pads examples to a batch of `rows` rows; rows after the last example are all padding."""
    source_length, target_length = shape
    input_ids = np.full((rows, source_length), config.pad_token_id, np.int32)
    targets = np.full((rows, target_length), config.pad_token_id, np.int32)
    for row, (source, target) in enumerate(examples):
        input_ids[row, : len(source)] = source
        targets[row, : len(target)] = target
    # Teacher forcing: each label is predicted from the tokens before it, and the first one from the start token. The
    # authors have no start token, so the first token is never predicted.
    if first_token == "authors":
        return {"input_ids": input_ids, "decoder_input_ids": targets[:, :-1], "labels": targets[:, 1:]}
    start = np.full((rows, 1), config.decoder_start_token_id, np.int32)
    return {
        "input_ids": input_ids,
        "decoder_input_ids": np.concatenate([start, targets[:, :-1]], axis=1),
        "labels": targets,
    }


def choose_shapes(lengths: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Chooses at most `count` (source, target) shapes, with both lengths ascending, that need the least padding.

    Each example is padded to the first shape that holds it. Lengths are multiples of a thirty-second of the longest
    length, and of 8 at least. Among these the choice is exact, by dynamic programming over the last shape of a chain.

    Args:
        lengths: `[examples, 2]`, numbers of tokens of source and target.
    """
    longest = lengths.max(axis=0)
    grain_size = np.maximum(8, 8 * -(-longest // 256))
    cells = -(-lengths // grain_size)  # the smallest multiple that holds each length
    size = cells.max(axis=0)
    counts = np.zeros(size + 1)
    np.add.at(counts, (cells[:, 0], cells[:, 1]), 1)
    held = counts.cumsum(axis=0).cumsum(axis=1)  # number of examples that each shape holds
    sources, targets = np.meshgrid(*(np.arange(extent + 1) for extent in size), indexing="ij")
    tokens = (sources * grain_size[0] + targets * grain_size[1]).astype(float)

    # cost[s, t] is the number of tokens, with padding, of the examples that (s, t) holds, for the best chain of shapes
    # that ends with (s, t).
    cost = held * tokens
    previous: list[np.ndarray] = []
    for _ in range(count - 1):
        best = cost.copy()
        came_from = np.full((*cost.shape, 2), -1)
        for source in range(size[0] + 1):
            for target in range(size[1] + 1):
                through = (
                    cost[source, target] + (held[source:, target:] - held[source, target]) * tokens[source:, target:]
                )
                better = through < best[source:, target:]
                best[source:, target:][better] = through[better]
                came_from[source:, target:][better] = (source, target)
        previous.append(came_from)
        cost = best

    corner = tuple(size)
    chain = [corner]
    for came_from in reversed(previous):
        before = tuple(came_from[corner])
        if before[0] >= 0:
            chain.append(before)
            corner = before
    return [(int(source * grain_size[0]), int(target * grain_size[1])) for source, target in reversed(chain)]


def batch_iterator(batches: BatchPlan, total_steps: int) -> BatchIterator:
    """The batches in order; a thread of Grain makes them ahead of time."""
    import grain  # training on shards does not need it

    steps = grain.MapDataset.range(total_steps).map(batches.__getitem__)
    return iter(steps.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)))


def _cut(ids: list[int], length: int) -> np.ndarray:
    if len(ids) > length:
        ids = [*ids[: length - 1], ids[-1]]
    return np.array(ids, np.int32)
