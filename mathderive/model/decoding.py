"""Decoding in batches: the encoder runs once, the decoder on a cache of keys and values.

Shapes decide what XLA compiles, so they are few: every length is one of two an octave. The cache starts short and grows
whenever it is full; each token then costs in proportion to the length reached, not to the longest length allowed. When
it grows, and half of the rows or more are done, the others go on as a batch of half the size: otherwise the last row to
end would make every row as expensive as itself. Where the sources of a batch differ much, those of like length are
padded as a group, for every token reads all of its row's source again.

A batch is shared among this process's devices, each of which goes on by itself until the cache is full.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mathderive.core import devices
from mathderive.model.cache import LayerCache, fit, join_groups
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, bind
from mathderive.model.search import Hypotheses, best, choose, start_search
from mathderive.model.search_settings import SearchSettings

SHORTEST = 64
"""Tokens: the least length a source is padded to, and that of the first cache."""

FEWEST = 8
"""Rows of a device that are worth a shape of their own: as a group, or as what is left of a batch."""

WATCHED_TOKENS = 8
"""Tokens between two looks at greedy outputs that somebody watches."""

GREEDY = SearchSettings()

Watcher = Callable[[int, list[int]], None]
"""Is told a row and its ids so far."""

_NO_ROW = -1
"""In the place of a row, where the devices cannot have equally many."""


class _Progress(NamedTuple):
    """Between two segments; `token_ids` `[batch, beams]` are those at `position`, and yet to be read."""

    position: jax.Array
    token_ids: jax.Array
    found: Hypotheses
    cache: tuple[LayerCache, ...]


def decode(
    config: T5Config,
    params: Mapping[str, Any],
    sources: Sequence[Sequence[int]],
    max_length: int | Sequence[int],
    dtype: str = "float32",
    search: SearchSettings = GREEDY,
    watch: Watcher | None = None,
) -> list[list[int]]:
    """What the model writes for each source, until its end-of-sequence token.

    Args:
        params: as `mathderive.model.parameters.initialise` makes them, on every device (`devices.replicate`).
        sources: token ids, one row each; an empty one gets an empty output, so that a short batch can be filled up.
        max_length: tokens a row at most, the end-of-sequence token included; for all rows or for each.
        watch: called with each row's ids so far, every few tokens; never for beams, which settle at the end only.

    Returns:
        The ids of each row, start token left out and end-of-sequence token included where it was reached.
    """
    if not any(len(source) for source in sources):
        return [[] for _ in sources]
    device_count = devices.local_device_count()
    lengths = np.array([len(source) for source in sources])
    # The shortest first, and one after the other to each device, so that the same rows are of like length on all.
    order = np.argsort(lengths, kind="stable")
    rows = np.pad(order, (0, -len(order) % device_count), constant_values=_NO_ROW).reshape(-1, device_count).T
    lengths = np.append(lengths, 0)  # the length of `_NO_ROW`
    limits = np.append(np.broadcast_to(max_length, len(sources)), 1)
    # Rounded up, so that few limits make shapes of their own.
    longest = -(-int(limits.max()) // SHORTEST) * SHORTEST
    watched = watch if search.num_beams == 1 else None
    input_ids, encoder_mask = _padded(config, sources, rows, groups_of(lengths[rows].max(axis=0).tolist()))
    last = (limits[rows] - 1).astype(np.int32)
    outputs: list[list[int]] = [[] for _ in range(len(sources) + 1)]

    def keep_outputs(found: Hypotheses, reached: int) -> None:
        for row, ids in zip(rows.flat, np.asarray(_best(search, found)).reshape(rows.size, -1).tolist(), strict=True):
            outputs[row] = _until_end(ids[: min(limits[row], reached)], config.eos_token_id)
            if watched and lengths[row]:
                watched(int(row), outputs[row])

    def advance(progress: _Progress, length: int) -> _Progress:
        """Decodes until the cache, of `length` tokens, is full, or every row is done."""
        stop = int(np.max(progress.position)) + WATCHED_TOKENS
        while watched and stop < length and not np.all(progress.found.done):
            progress = _segment(config, dtype, search, params, encoder_mask, last, _everywhere(stop), progress)
            keep_outputs(progress.found, stop)
            stop += WATCHED_TOKENS
        return _segment(config, dtype, search, params, encoder_mask, last, _everywhere(length), progress)

    length = SHORTEST
    progress = _start(config, dtype, search, length, params, input_ids, encoder_mask)
    progress = advance(progress, length)
    while length < longest and not np.all(progress.found.done):
        left = _rows_left(np.asarray(progress.found.done))
        if left.shape != rows.shape:
            keep_outputs(progress.found, length)
            rows, last = np.take_along_axis(rows, left, axis=1), np.take_along_axis(last, left, axis=1)
            source_length = padded_length(int(lengths[rows].max()))
            progress, encoder_mask = _keep(source_length, progress, encoder_mask, left)
        length = min(padded_length(length + 1), longest)
        progress = advance(_grow(length, progress), length)
    keep_outputs(progress.found, length)
    return [output if len(source) else [] for output, source in zip(outputs, sources, strict=False)]


def padded_length(length: int) -> int:
    """What a source of `length` tokens is padded to: `SHORTEST`, a power of two, or halfway between two of them."""
    power = 1 << (length - 1).bit_length()
    halfway = power * 3 // 4
    return max(SHORTEST, halfway if length <= halfway else power)


def groups_of(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Which rows are padded alike: as many rows to that many tokens, then as many to the next.

    Args:
        lengths: of the rows' sources, in tokens, ascending.

    Returns:
        More than one group only where that saves a quarter of the tokens, for each is compiled and computed apart.
    """
    padded = [padded_length(max(lengths[start : start + FEWEST])) for start in range(0, len(lengths), FEWEST)]
    alike = {length: sum(padded[row // FEWEST] == length for row in range(len(lengths))) for length in padded}
    groups = [(rows, length) for length, rows in alike.items()]
    together = len(lengths) * padded[-1]
    return groups if sum(rows * length for rows, length in groups) <= together * 3 / 4 else [(len(lengths), padded[-1])]


def _padded(
    config: T5Config, sources: Sequence[Sequence[int]], rows: np.ndarray, groups: Sequence[tuple[int, int]]
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """`input_ids` and `encoder_mask` of each group, `[devices, rows, source_length]`."""
    input_ids, encoder_mask, start = [], [], 0
    for count, length in groups:
        ids = np.full((len(rows), count, length), config.pad_token_id, np.int32)
        mask = np.zeros(ids.shape, bool)
        for place, row in np.ndenumerate(rows[:, start : start + count]):
            if row != _NO_ROW:
                ids[place][: len(sources[row])] = sources[row]
                mask[place][: len(sources[row])] = True
        input_ids.append(ids)
        encoder_mask.append(mask)
        start += count
    return tuple(input_ids), tuple(encoder_mask)


def _rows_left(done: np.ndarray) -> np.ndarray:
    """Which rows `[devices, rows]` go on: all that are not done, and others as far as a halved batch has room."""
    most, room = (~done).sum(axis=1).max(), done.shape[1]
    while room > FEWEST and most <= (halved := max(FEWEST, -(-room // 2))):
        room = halved
    return np.sort(np.argsort(done, axis=1, kind="stable")[:, :room], axis=1).astype(np.int32)


@partial(devices.each_device, static_argnums=(0, 1, 2, 3))
def _start(
    config: T5Config,
    dtype: str,
    search: SearchSettings,
    length: int,
    params: Params,
    input_ids: tuple[jax.Array, ...],
    encoder_mask: tuple[jax.Array, ...],
) -> _Progress:
    model = bind(config, params, dtype)
    encoded = [model.encode(*group) for group in zip(input_ids, encoder_mask, strict=True)]
    empty = jnp.concatenate([~jnp.any(mask, axis=1) for mask in encoder_mask])
    return _Progress(
        position=jnp.zeros((), jnp.int32),
        token_ids=jnp.full((len(empty), search.num_beams), config.decoder_start_token_id, jnp.int32),
        found=start_search(search, config, empty, length),
        cache=model.start_cache(encoded, length, search.num_beams),
    )


@partial(devices.each_device, static_argnums=(0, 1, 2), donate_argnums=7)
def _segment(
    config: T5Config,
    dtype: str,
    search: SearchSettings,
    params: Params,
    encoder_mask: tuple[jax.Array, ...],
    last: jax.Array,
    stop: jax.Array,
    progress: _Progress,
) -> _Progress:
    """Decodes until position `stop`, or until every row is done."""
    model = bind(config, params, dtype)

    def unfinished(progress: _Progress) -> jax.Array:
        return (progress.position < stop) & ~jnp.all(progress.found.done)

    def step(progress: _Progress) -> _Progress:
        position, token_ids, found, cache = progress
        logits, cache = model.decode_step(token_ids, position, cache, encoder_mask)
        found, parents = choose(search, config, found, logits, position, last)
        if parents is not None:
            cache = tuple(layer.of_parents(parents) for layer in cache)
        token_ids = jax.lax.dynamic_index_in_dim(found.tokens, position, axis=2, keepdims=False)
        return _Progress(position + 1, token_ids, found, cache)

    return jax.lax.while_loop(unfinished, step, progress)


@partial(devices.each_device, static_argnums=0)
def _keep(
    source_length: int, progress: _Progress, encoder_mask: tuple[jax.Array, ...], rows: jax.Array
) -> tuple[_Progress, tuple[jax.Array, ...]]:
    """What is left with these rows alone, as one group whose sources have at most `source_length` tokens."""
    beams = progress.token_ids.shape[1]
    kept = _Progress(
        position=progress.position,
        token_ids=progress.token_ids[rows],
        found=jax.tree.map(lambda array: array[rows], progress.found),
        cache=tuple(layer.of_rows(rows, beams, source_length) for layer in progress.cache),
    )
    return kept, (join_groups(encoder_mask, source_length)[rows],)


@partial(devices.each_device, static_argnums=0)
def _grow(length: int, progress: _Progress) -> _Progress:
    """Room for `length` tokens."""
    found = progress.found
    ended = None if found.ended_tokens is None else fit(found.ended_tokens, length, 2)
    return progress._replace(
        found=found._replace(tokens=fit(found.tokens, length, 2), ended_tokens=ended),
        cache=tuple(layer.of_length(length) for layer in progress.cache),
    )


@partial(devices.each_device, static_argnums=0)
def _best(search: SearchSettings, found: Hypotheses) -> jax.Array:
    return best(search, found)


def _everywhere(number: int) -> np.ndarray:
    """The number, for each of this process's devices."""
    return np.full(devices.local_device_count(), number, np.int32)


def _until_end(ids: list[int], eos_token_id: int) -> list[int]:
    return ids[: ids.index(eos_token_id) + 1] if eos_token_id in ids else ids
