"""Greedy decoding in batches: the encoder runs once, the decoder on a cache of keys and values.

Shapes decide what XLA compiles, so they are few: sources are padded to a power of two, and the cache starts
short and doubles whenever it is full. Each token then costs in proportion to the length reached, not to the
longest length allowed.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, bind
from mathderive.model.t5 import LayerCache

SHORTEST = 64
"""Tokens: the least length a source is padded to, and that of the first cache."""


class _Progress(NamedTuple):
    """Between two segments; `outputs` is `[batch, cache_length]`, `token_ids` and `finished` `[batch]`."""

    position: jax.Array
    token_ids: jax.Array
    finished: jax.Array
    outputs: jax.Array
    cache: tuple[LayerCache, ...]


def greedy_decode(
    config: T5Config,
    params: Mapping[str, Any],
    sources: Sequence[Sequence[int]],
    max_length: int,
    dtype: str = "float32",
) -> list[list[int]]:
    """The most probable next token again and again, for each source until its end-of-sequence token.

    Args:
        params: as `mathderive.model.parameters.initialise` makes them.
        sources: token ids, one row each; an empty one gets an empty output, so that a short batch can be
            filled up.
        max_length: tokens a row at most, the end-of-sequence token included.

    Returns:
        The ids of each row, start token left out and end-of-sequence token included where it was reached.
    """
    longest = max((len(source) for source in sources), default=0)
    if not longest:
        return [[] for _ in sources]
    input_ids = np.full((len(sources), padded_length(longest)), config.pad_token_id, np.int32)
    encoder_mask = np.zeros(input_ids.shape, bool)
    for row, source in enumerate(sources):
        input_ids[row, : len(source)] = source
        encoder_mask[row, : len(source)] = True

    length = min(SHORTEST, max_length)
    progress = _start(config, dtype, length, params, input_ids, encoder_mask)
    progress = _segment(config, dtype, params, encoder_mask, progress)
    while length < max_length and not bool(jnp.all(progress.finished)):
        grown = min(2 * length, max_length)
        progress = _segment(config, dtype, params, encoder_mask, _grow(grown - length, progress))
        length = grown
    written = np.asarray(progress.outputs)[:, : int(progress.position)]
    return [
        _until_end(row.tolist(), config.eos_token_id) if source else []
        for row, source in zip(written, sources, strict=True)
    ]


def padded_length(length: int) -> int:
    """The power of two, from `SHORTEST`, that a source of `length` tokens is padded to."""
    return max(SHORTEST, 1 << (length - 1).bit_length())


@partial(jax.jit, static_argnums=(0, 1, 2))
def _start(
    config: T5Config, dtype: str, length: int, params: Params, input_ids: jax.Array, encoder_mask: jax.Array
) -> _Progress:
    model = bind(config, params, dtype)
    batch = input_ids.shape[0]
    return _Progress(
        position=jnp.zeros((), jnp.int32),
        token_ids=jnp.full(batch, config.decoder_start_token_id, jnp.int32),
        finished=~jnp.any(encoder_mask, axis=1),
        outputs=jnp.full((batch, length), config.pad_token_id, jnp.int32),
        cache=model.start_cache(model.encode(input_ids, encoder_mask), length),
    )


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=4)
def _segment(config: T5Config, dtype: str, params: Params, encoder_mask: jax.Array, progress: _Progress) -> _Progress:
    """Decodes until the cache is full or every row is finished."""
    model = bind(config, params, dtype)
    length = progress.outputs.shape[1]

    def unfinished(progress: _Progress) -> jax.Array:
        return (progress.position < length) & ~jnp.all(progress.finished)

    def step(progress: _Progress) -> _Progress:
        position, token_ids, finished, outputs, cache = progress
        logits, cache = model.decode_step(token_ids, position, cache, encoder_mask)
        chosen = jnp.argmax(logits, axis=-1).astype(jnp.int32)
        chosen = jnp.where(finished, config.pad_token_id, chosen)
        outputs = jax.lax.dynamic_update_slice_in_dim(outputs, chosen[:, None], position, axis=1)
        return _Progress(position + 1, chosen, finished | (chosen == config.eos_token_id), outputs, cache)

    return jax.lax.while_loop(unfinished, step, progress)


@partial(jax.jit, static_argnums=0)
def _grow(extra: int, progress: _Progress) -> _Progress:
    def longer(array: jax.Array, axis: int) -> jax.Array:
        return jnp.pad(array, [(0, extra if number == axis else 0) for number in range(array.ndim)])

    cache = tuple(
        layer._replace(self_key=longer(layer.self_key, 2), self_value=longer(layer.self_value, 2))
        for layer in progress.cache
    )
    return progress._replace(outputs=longer(progress.outputs, 1), cache=cache)


def _until_end(ids: list[int], eos_token_id: int) -> list[int]:
    return ids[: ids.index(eos_token_id) + 1] if eos_token_id in ids else ids
