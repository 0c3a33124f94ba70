"""Decoding in batches: the encoder runs once, the decoder on a cache of keys and values.

Shapes decide what XLA compiles, so they are few: sources are padded to a power of two, and the cache starts short and
doubles whenever it is full. Each token then costs in proportion to the length reached, not to the longest length
allowed. A batch is shared among this process's devices, each of which goes on by itself until its rows are done.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mathderive import parallel
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, bind
from mathderive.model.search import Hypotheses, best, choose, start_search
from mathderive.model.search_settings import SearchSettings
from mathderive.model.t5 import LayerCache

SHORTEST = 64
"""Tokens: the least length a source is padded to, and that of the first cache."""

GREEDY = SearchSettings()


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
    max_length: int,
    dtype: str = "float32",
    search: SearchSettings = GREEDY,
) -> list[list[int]]:
    """What the model writes for each source, until its end-of-sequence token.

    Args:
        params: as `mathderive.model.parameters.initialise` makes them, on every device (`parallel.replicate`).
        sources: token ids, one row each; an empty one gets an empty output, so that a short batch can be filled up.
        max_length: tokens a row at most, the end-of-sequence token included.

    Returns:
        The ids of each row, start token left out and end-of-sequence token included where it was reached.
    """
    longest = max((len(source) for source in sources), default=0)
    if not longest:
        return [[] for _ in sources]
    devices = parallel.local_device_count()
    rows = -(-len(sources) // devices) * devices
    input_ids = np.full((rows, padded_length(longest)), config.pad_token_id, np.int32)
    encoder_mask = np.zeros(input_ids.shape, bool)
    for row, source in enumerate(sources):
        input_ids[row, : len(source)] = source
        encoder_mask[row, : len(source)] = True

    input_ids, encoder_mask = parallel.shard_locally((input_ids, encoder_mask))
    last = np.full(devices, max_length - 1, np.int32)
    length = min(SHORTEST, max_length)
    progress = _start(config, dtype, search, length, params, input_ids, encoder_mask)
    progress = _segment(config, dtype, search, params, encoder_mask, last, progress)
    while length < max_length and not np.all(progress.found.done):
        grown = min(2 * length, max_length)
        progress = _segment(config, dtype, search, params, encoder_mask, last, _grow(grown - length, progress))
        length = grown
    written = np.asarray(_best(search, progress.found)).reshape(rows, length)
    return [
        _until_end(row.tolist(), config.eos_token_id) if source else []
        for row, source in zip(written, sources, strict=False)
    ]


def padded_length(length: int) -> int:
    """The power of two, from `SHORTEST`, that a source of `length` tokens is padded to."""
    return max(SHORTEST, 1 << (length - 1).bit_length())


@partial(parallel.each_device, static_argnums=(0, 1, 2, 3))
def _start(
    config: T5Config,
    dtype: str,
    search: SearchSettings,
    length: int,
    params: Params,
    input_ids: jax.Array,
    encoder_mask: jax.Array,
) -> _Progress:
    model = bind(config, params, dtype)
    return _Progress(
        position=jnp.zeros((), jnp.int32),
        token_ids=jnp.full((input_ids.shape[0], search.num_beams), config.decoder_start_token_id, jnp.int32),
        found=start_search(search, config, ~jnp.any(encoder_mask, axis=1), length),
        cache=model.start_cache(model.encode(input_ids, encoder_mask), length, search.num_beams),
    )


@partial(parallel.each_device, static_argnums=(0, 1, 2), donate_argnums=6)
def _segment(
    config: T5Config,
    dtype: str,
    search: SearchSettings,
    params: Params,
    encoder_mask: jax.Array,
    last: jax.Array,
    progress: _Progress,
) -> _Progress:
    """Decodes until the cache is full or every row is done."""
    model = bind(config, params, dtype)
    length = progress.found.tokens.shape[2]

    def unfinished(progress: _Progress) -> jax.Array:
        return (progress.position < length) & ~jnp.all(progress.found.done)

    def step(progress: _Progress) -> _Progress:
        position, token_ids, found, cache = progress
        logits, cache = model.decode_step(token_ids, position, cache, encoder_mask)
        found, parents = choose(search, config, found, logits, position, last)
        if parents is not None:
            cache = tuple(layer.of_parents(parents) for layer in cache)
        token_ids = jax.lax.dynamic_index_in_dim(found.tokens, position, axis=2, keepdims=False)
        return _Progress(position + 1, token_ids, found, cache)

    return jax.lax.while_loop(unfinished, step, progress)


@partial(parallel.each_device, static_argnums=0)
def _grow(extra: int, progress: _Progress) -> _Progress:
    def longer(array: jax.Array | None, axis: int) -> Any:
        widths = [(0, extra if number == axis else 0) for number in range(0 if array is None else array.ndim)]
        return None if array is None else jnp.pad(array, widths)

    found = progress.found
    return progress._replace(
        found=found._replace(tokens=longer(found.tokens, 2), ended_tokens=longer(found.ended_tokens, 2)),
        cache=tuple(
            layer._replace(self_key=longer(layer.self_key, 2), self_value=longer(layer.self_value, 2))
            for layer in progress.cache
        ),
    )


@partial(parallel.each_device, static_argnums=0)
def _best(search: SearchSettings, found: Hypotheses) -> jax.Array:
    return best(search, found)


def _until_end(ids: list[int], eos_token_id: int) -> list[int]:
    return ids[: ids.index(eos_token_id) + 1] if eos_token_id in ids else ids
