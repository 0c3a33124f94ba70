"""The T5 encoder-decoder in Flax NNX: version 1.0 (ReLU, tied head) and 1.1 (gated GELU, a head of its own).

Raffel et al., *Exploring the Limits of Transfer Learning* (2020), for the architecture; Shazeer, *GLU
Variants Improve Transformer* (2020), for the 1.1 feed-forward. Scores are not scaled by the head's width,
layer norm neither centres nor shifts, and positions enter only as a bias on the self-attention scores.

The module holds parameters and nothing else: dropout keys and caches are passed in. `parameters.py`
turns the module into a flat dictionary of arrays and back. Parameters, norms, softmax and logits are float32;
matrix products are `dtype`.
"""

from collections.abc import Sequence
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mathderive.model.cache import LayerCache
from mathderive.model.config import T5Config
from mathderive.model.dropout import dropout

MASKED = -1e9
"""Added to a score that must not count: finite, so that a row with nothing to attend to stays finite."""


class T5(nnx.Module):
    """The network: `encode` and `decode` to train, `encode`, `start_cache` and `decode_step` to generate."""

    def __init__(
        self,
        config: T5Config,
        *,
        rng: np.random.Generator | None,
        dtype: DTypeLike = jnp.float32,
        remat: bool = False,
    ) -> None:
        """Draws the parameters by the scheme of the published T5 code; without `rng` all are 0.

        With `remat` a gradient keeps no more of a block than its input and computes the block again: a third more
        work, for memory that no longer grows with all that happens inside the blocks.
        """
        self.config = config
        self.embedding = _normal(rng, (config.vocab_size, config.d_model), 1.0)
        self.encoder = Stack(config, bidirectional=True, rng=rng, dtype=dtype, remat=remat)
        self.decoder = Stack(config, bidirectional=False, rng=rng, dtype=dtype, remat=remat)
        if not config.tie_word_embeddings:
            self.head = _normal(rng, (config.d_model, config.vocab_size), 1.0)

    def __call__(
        self,
        input_ids: jax.Array,
        encoder_mask: jax.Array,
        decoder_input_ids: jax.Array,
        rngs: nnx.Rngs | None = None,
    ) -> jax.Array:
        """Logits `[batch, target_length, vocab_size]` with teacher forcing; see `encode` and `decode`."""
        return self.decode(decoder_input_ids, self.encode(input_ids, encoder_mask, rngs), encoder_mask, rngs)

    def encode(self, input_ids: jax.Array, encoder_mask: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Reads the source.

        Args:
            input_ids: `[batch, source_length]`.
            encoder_mask: `[batch, source_length]`, true at real tokens.
            rngs: a `dropout` stream; None switches dropout off.

        Returns:
            `[batch, source_length, d_model]`, float32.
        """
        length = input_ids.shape[1]
        positions = jnp.arange(length)
        bias = _for_every_row(self.encoder.position_bias(positions, positions), encoder_mask.shape[0])
        bias = bias + _mask_bias(encoder_mask)
        return self.encoder(self._embed(input_ids), bias, None, None, rngs)

    def decode(
        self,
        decoder_input_ids: jax.Array,
        encoded: jax.Array,
        encoder_mask: jax.Array,
        rngs: nnx.Rngs | None = None,
    ) -> jax.Array:
        """Predicts each next token from the true ones before it.

        Padding must stand at the end of a row: the causal mask then hides it from every real token.

        Args:
            decoder_input_ids: `[batch, target_length]`, the target shifted right by the start token.
            encoded: `[batch, source_length, d_model]`, from `encode`.
            encoder_mask: `[batch, source_length]`, true at real tokens.
            rngs: a `dropout` stream; None switches dropout off.

        Returns:
            Logits `[batch, target_length, vocab_size]`, float32.
        """
        positions = jnp.arange(decoder_input_ids.shape[1])
        causal = positions[:, None] >= positions[None, :]
        bias = self.decoder.position_bias(positions, positions) + jnp.where(causal, 0.0, MASKED)
        bias = _for_every_row(bias, encoder_mask.shape[0])
        hidden = self.decoder(self._embed(decoder_input_ids), bias, encoded, _mask_bias(encoder_mask), rngs)
        return self._logits(hidden)

    def start_cache(self, encoded: Sequence[jax.Array], length: int, beams: int) -> tuple[LayerCache, ...]:
        """An empty cache for `length` tokens of each of a row's `beams`, the sources' keys and values filled in.

        Args:
            encoded: from `encode`, `[rows, source_length, d_model]` for each group of the batch's rows.
        """
        return tuple(block.start_cache(encoded, length, beams) for block in self.decoder.blocks)

    def decode_step(
        self,
        token_ids: jax.Array,
        position: jax.Array,
        cache: tuple[LayerCache, ...],
        encoder_mask: Sequence[jax.Array],
    ) -> tuple[jax.Array, tuple[LayerCache, ...]]:
        """Reads one token of each row's beams and predicts the next.

        Args:
            token_ids: `[batch, beams]`, the tokens at `position`.
            position: scalar, from 0 and below the cache's length.
            cache: holds the tokens before `position`.
            encoder_mask: `[rows, source_length]` for each group of rows.

        Returns:
            Logits `[batch, beams, vocab_size]` and the cache with this token in it.
        """
        memory = jnp.arange(cache[0].self_key.shape[2])
        bias = self.decoder.position_bias(position[None], memory)
        bias = bias + jnp.where(memory <= position, 0.0, MASKED)
        hidden = self._embed(token_ids)
        cross_bias = [_mask_bias(mask) for mask in encoder_mask]
        updated = []
        for block, layer_cache in zip(self.decoder.blocks, cache, strict=True):
            hidden, layer_cache = block.step(hidden, position, layer_cache, bias, cross_bias)
            updated.append(layer_cache)
        return self._logits(self.decoder.final_norm(hidden)), tuple(updated)

    def _embed(self, token_ids: jax.Array) -> jax.Array:
        return self.embedding[...][token_ids]

    def _logits(self, hidden: jax.Array) -> jax.Array:
        if self.config.tie_word_embeddings:
            scaled = hidden * self.config.d_model**-0.5
            return jnp.einsum("bld,vd->blv", scaled, self.embedding[...])
        return jnp.einsum("bld,dv->blv", hidden, self.head[...])


class Stack(nnx.Module):
    """The encoder (`bidirectional`) or the decoder: its blocks, their shared position bias, its last norm."""

    def __init__(
        self, config: T5Config, *, bidirectional: bool, rng: np.random.Generator | None, dtype: DTypeLike, remat: bool
    ) -> None:
        self.bidirectional = bidirectional
        self.remat = remat
        self.max_distance = config.relative_attention_max_distance
        self.dropout_rate = config.dropout_rate
        layers = config.num_layers if bidirectional else config.num_decoder_layers
        buckets = config.relative_attention_num_buckets
        self.relative_bias = _normal(rng, (buckets, config.num_heads), config.d_model**-0.5)
        self.blocks = nnx.List([Block(config, cross=not bidirectional, rng=rng, dtype=dtype) for _ in range(layers)])
        self.final_norm = RMSNorm(config)

    def __call__(
        self,
        hidden: jax.Array,
        self_bias: jax.Array,
        encoded: jax.Array | None,
        cross_bias: jax.Array | None,
        rngs: nnx.Rngs | None,
    ) -> jax.Array:
        run = nnx.remat(Block.__call__) if self.remat else Block.__call__
        hidden = dropout(hidden, self.dropout_rate, rngs)
        for block in self.blocks:
            hidden = run(block, hidden, self_bias, encoded, cross_bias, rngs)
        return dropout(self.final_norm(hidden), self.dropout_rate, rngs)

    def position_bias(self, query_positions: jax.Array, key_positions: jax.Array) -> jax.Array:
        """What self-attention scores gain by distance: `[1, heads, queries, keys]`, float32."""
        relative = key_positions[None, :] - query_positions[:, None]
        buckets = self.relative_bias.shape[0]
        bucket = relative_position_bucket(relative, self.bidirectional, buckets, self.max_distance)
        # A product with one-hot rows, because the gradient of a lookup is a scatter, slow on every backend;
        # at full precision, because it is a copy, not arithmetic.
        one_hot = jax.nn.one_hot(bucket, buckets)
        bias = jnp.einsum("qkb,bh->hqk", one_hot, self.relative_bias[...], precision=jax.lax.Precision.HIGHEST)
        return bias[None]


class Block(nnx.Module):
    """Self-attention, in the decoder cross-attention, and feed-forward, each with a norm before it."""

    def __init__(self, config: T5Config, *, cross: bool, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.dropout_rate = config.dropout_rate
        self.self_norm = RMSNorm(config)
        self.self_attention = Attention(config, rng=rng, dtype=dtype)
        if cross:
            self.cross_norm = RMSNorm(config)
            self.cross_attention = Attention(config, rng=rng, dtype=dtype)
        self.feed_forward_norm = RMSNorm(config)
        self.feed_forward = FeedForward(config, rng=rng, dtype=dtype)

    def __call__(
        self,
        hidden: jax.Array,
        self_bias: jax.Array,
        encoded: jax.Array | None,
        cross_bias: jax.Array | None,
        rngs: nnx.Rngs | None,
    ) -> jax.Array:
        normed = self.self_norm(hidden)
        attended = self.self_attention(normed, *self.self_attention.keys_values(normed), self_bias, rngs)
        hidden = hidden + dropout(attended, self.dropout_rate, rngs)
        if encoded is not None and cross_bias is not None:
            keys, values = self.cross_attention.keys_values(encoded)
            attended = self.cross_attention(self.cross_norm(hidden), keys, values, cross_bias, rngs)
            hidden = hidden + dropout(attended, self.dropout_rate, rngs)
        forwarded = self.feed_forward(self.feed_forward_norm(hidden), rngs)
        return hidden + dropout(forwarded, self.dropout_rate, rngs)

    def start_cache(self, encoded: Sequence[jax.Array], length: int, beams: int) -> LayerCache:
        cross = [self.cross_attention.keys_values(group) for group in encoded]
        heads, d_kv = self.self_attention.head_shape
        rows = beams * sum(len(group) for group in encoded)
        empty = jnp.zeros((rows, heads, length, d_kv), self.self_attention.dtype)
        return LayerCache(empty, empty, tuple(key for key, _ in cross), tuple(value for _, value in cross))

    def step(
        self,
        hidden: jax.Array,
        position: jax.Array,
        cache: LayerCache,
        self_bias: jax.Array,
        cross_bias: Sequence[jax.Array],
    ) -> tuple[jax.Array, LayerCache]:
        """`__call__` for one position, hidden `[batch, beams, d_model]`; never drops out."""
        # Beams have pasts of their own, and the source in common: rows of a batch there, queries of one row here.
        normed = self.self_norm(hidden).reshape(-1, 1, hidden.shape[2])
        key, value = self.self_attention.keys_values(normed)
        keys = jax.lax.dynamic_update_slice_in_dim(cache.self_key, key, position, axis=2)
        values = jax.lax.dynamic_update_slice_in_dim(cache.self_value, value, position, axis=2)
        attended = self.self_attention.attend_cached(normed, [keys], [values], [self_bias])
        hidden = hidden + attended.reshape(hidden.shape)
        normed = self.cross_norm(hidden)
        hidden = hidden + self.cross_attention.attend_cached(normed, cache.cross_key, cache.cross_value, cross_bias)
        hidden = hidden + self.feed_forward(self.feed_forward_norm(hidden), None)
        return hidden, cache._replace(self_key=keys, self_value=values)


class Attention(nnx.Module):
    """Multi-head dot-product attention, unscaled: the initial scale of `query` makes up for it."""

    def __init__(self, config: T5Config, *, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.dtype = dtype
        self.dropout_rate = config.dropout_rate
        self.head_shape = (config.num_heads, config.d_kv)
        d_model, width = config.d_model, config.num_heads * config.d_kv
        # Kernels stay matrices, the heads side by side: Adafactor's statistics are those of a matrix.
        self.query = _normal(rng, (d_model, width), (d_model * config.d_kv) ** -0.5)
        self.key = _normal(rng, (d_model, width), d_model**-0.5)
        self.value = _normal(rng, (d_model, width), d_model**-0.5)
        self.out = _normal(rng, (width, d_model), width**-0.5)

    def keys_values(self, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`[batch, length, d_model]` -> keys and values, each `[batch, heads, length, d_kv]`."""
        return self._project(hidden, self.key), self._project(hidden, self.value)

    def __call__(
        self,
        hidden: jax.Array,
        keys: jax.Array,
        values: jax.Array,
        bias: jax.Array,
        rngs: nnx.Rngs | None,
    ) -> jax.Array:
        """`hidden` is `[batch, queries, d_model]`; `bias` broadcasts to `[batch, heads, queries, keys]`."""
        queries = self._project(hidden, self.query)
        return self._join(self._attend(queries, keys, values, bias, rngs))

    def attend_cached(
        self, hidden: jax.Array, keys: Sequence[jax.Array], values: Sequence[jax.Array], bias: Sequence[jax.Array]
    ) -> jax.Array:
        """`__call__` on cached keys and values, by groups of rows."""
        queries = self._project(hidden, self.query)
        ends = list(accumulate(len(group) for group in keys))
        groups = zip(jnp.split(queries, ends[:-1]), keys, values, bias, strict=True)
        return self._join(jnp.concatenate([self._attend(*group, None) for group in groups]))

    def _attend(
        self, queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, rngs: nnx.Rngs | None
    ) -> jax.Array:
        scores = jnp.einsum("bhqd,bhkd->bhqk", queries, keys).astype(jnp.float32)
        weights = jax.nn.softmax(scores + bias, axis=-1).astype(self.dtype)
        weights = dropout(weights, self.dropout_rate, rngs)
        return jnp.einsum("bhqk,bhkd->bhqd", weights, values)

    def _join(self, attended: jax.Array) -> jax.Array:
        joined = attended.swapaxes(1, 2).reshape(attended.shape[0], attended.shape[2], -1)
        return _product(joined, self.out[...].astype(self.dtype)).astype(jnp.float32)

    def _project(self, hidden: jax.Array, kernel: nnx.Param) -> jax.Array:
        projected = _product(hidden.astype(self.dtype), kernel[...].astype(self.dtype))
        # Heads before positions: every product that follows is then a batch of plain matrix products.
        return projected.reshape(*hidden.shape[:2], *self.head_shape).swapaxes(1, 2)


class FeedForward(nnx.Module):
    """`wo(relu(wi(x)))`, or `wo(gelu(gate(x)) * wi(x))` in T5 1.1."""

    def __init__(self, config: T5Config, *, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.dtype = dtype
        self.dropout_rate = config.dropout_rate
        self.gated = config.feed_forward == "gated-gelu"
        if self.gated:
            self.gate = _normal(rng, (config.d_model, config.d_ff), config.d_model**-0.5)
        self.wi = _normal(rng, (config.d_model, config.d_ff), config.d_model**-0.5)
        self.wo = _normal(rng, (config.d_ff, config.d_model), config.d_ff**-0.5)

    def __call__(self, hidden: jax.Array, rngs: nnx.Rngs | None) -> jax.Array:
        hidden = hidden.astype(self.dtype)
        inner = _product(hidden, self.wi[...].astype(self.dtype))
        if self.gated:
            # The tanh form of GELU, as the published 1.1 checkpoints were trained.
            inner = jax.nn.gelu(_product(hidden, self.gate[...].astype(self.dtype)), approximate=True) * inner
        else:
            inner = jax.nn.relu(inner)
        inner = dropout(inner, self.dropout_rate, rngs)
        return _product(inner, self.wo[...].astype(self.dtype)).astype(jnp.float32)


class RMSNorm(nnx.Module):
    """Divides by the root mean square and scales (Zhang and Sennrich, 2019): no mean, no shift."""

    def __init__(self, config: T5Config) -> None:
        self.epsilon = config.layer_norm_epsilon
        self.scale = nnx.Param(jnp.ones(config.d_model))

    def __call__(self, hidden: jax.Array) -> jax.Array:
        mean_square = jnp.mean(jnp.square(hidden), axis=-1, keepdims=True)
        return hidden * jax.lax.rsqrt(mean_square + self.epsilon) * self.scale[...]


def relative_position_bucket(
    relative_position: jax.Array, bidirectional: bool, buckets: int, max_distance: int
) -> jax.Array:
    """The bucket of `key position - query position` (Raffel et al., 2020, section 2.1).

    Half of a direction's buckets hold one distance each, the others widen logarithmically up to
    `max_distance`, and all that is further shares the last. In a decoder what is ahead falls into bucket 0.
    """
    offset = jnp.zeros_like(relative_position)
    if bidirectional:
        buckets //= 2
        offset = jnp.where(relative_position > 0, buckets, 0)
        distance = jnp.abs(relative_position)
    else:
        distance = jnp.maximum(-relative_position, 0)
    exact = buckets // 2
    # Where each wide bucket begins, found on the host in float32 as the published code does it, so that the
    # bucket of a distance does not depend on how an accelerator rounds a logarithm.
    distances = np.arange(1, max_distance + 1, dtype=np.float32)
    scale = np.float32(np.log(max_distance / exact))
    wide = exact + (np.log(distances / exact) / scale * (buckets - exact)).astype(np.int32)
    starts = [int(distances[np.argmax(wide >= bucket)]) for bucket in range(exact + 1, buckets)]
    bucket = jnp.minimum(distance, exact)
    for start in starts:
        bucket = bucket + (distance >= start)
    return offset + bucket


@jax.custom_vjp
def _product(hidden: jax.Array, kernel: jax.Array) -> jax.Array:
    """`[batch, length, inputs]` by `[inputs, outputs]`.

    Its own gradient, because JAX's has the kernel's the other way round and transposes it, for which XLA's code on CPUs
    is fifteen times as slow in bfloat16.
    """
    return hidden @ kernel


def _product_forward(hidden: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return hidden @ kernel, (hidden, kernel)


def _product_backward(kept: tuple[jax.Array, jax.Array], gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    hidden, kernel = kept
    return jnp.einsum("blo,io->bli", gradient, kernel), jnp.einsum("bli,blo->io", hidden, gradient)


_product.defvjp(_product_forward, _product_backward)


def _mask_bias(mask: jax.Array) -> jax.Array:
    """`[batch, keys]` -> `[batch, 1, 1, keys]`, 0 where the mask is true."""
    return jnp.where(mask, 0.0, MASKED)[:, None, None, :]


def _for_every_row(bias: jax.Array, batch: int) -> jax.Array:
    """`[1, heads, queries, keys]` -> `[batch, heads, queries, keys]`.

    A product with ones, because its gradient is one too: plain broadcasting has a sum over rows for gradient,
    for which XLA's code on CPUs is forty times as slow.
    """
    return jnp.einsum("b,hqk->bhqk", jnp.ones(batch), bias[0], precision=jax.lax.Precision.HIGHEST)


def _normal(rng: np.random.Generator | None, shape: tuple[int, ...], deviation: float) -> nnx.Param:
    # NumPy draws, not JAX: the same on every backend, and nothing to compile.
    if rng is None:
        return nnx.Param(jnp.zeros(shape))
    return nnx.Param(jnp.asarray(rng.standard_normal(shape, np.float32) * np.float32(deviation)))
