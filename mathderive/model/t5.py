"""The T5 encoder-decoder in Flax NNX: version 1.0 (ReLU, tied head) and 1.1 (gated GELU, separate head).

The architecture follows Raffel et al., *Exploring the Limits of Transfer Learning* (2020); the 1.1 feed-forward follows
Shazeer, *GLU Variants Improve Transformer* (2020). Attention scores are not scaled by the head's width, the layer norm
neither centres nor shifts, and positions enter only as a bias on the self-attention scores.

The modules hold parameters and nothing else: dropout keys and caches are arguments. `parameters.py` turns the network
into a flat dictionary of arrays and back. Parameters, norms, softmax and logits are float32; matrix products are
`dtype`. Operations that are written for speed are in `ops.py`.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mathderive.model import ops
from mathderive.model.beams import flatten_beam_dim
from mathderive.model.cache import LayerCache
from mathderive.model.config import T5Config
from mathderive.model.layers import (
    MASKED,
    Attention,
    FeedForward,
    RMSNorm,
    draw_normal,
    mask_bias,
    relative_position_bucket,
)


class T5(nnx.Module):
    """The network.

    Training calls `encode` and `decode`; generating calls `encode`, `start_cache` and `decode_step`.
    """

    def __init__(
        self,
        config: T5Config,
        *,
        rng: np.random.Generator | None,
        dtype: DTypeLike = jnp.float32,
        remat: bool = False,
    ) -> None:
        """Draws the parameters by the scheme of the published T5 code.

        Args:
            rng: the source of the parameters; without it all of them are 0.
            dtype: the type of matrix products.
            remat: keeps only the input of each block for the gradient and computes the block again. That is a third
                more work, and memory does not grow with the activations inside the blocks.
        """
        self.config = config
        self.embedding = draw_normal(rng, (config.vocab_size, config.d_model), 1.0)
        self.encoder = Stack(config, bidirectional=True, rng=rng, dtype=dtype, remat=remat)
        self.decoder = Stack(config, bidirectional=False, rng=rng, dtype=dtype, remat=remat)
        if not config.tie_word_embeddings:
            self.head = draw_normal(rng, (config.d_model, config.vocab_size), 1.0)

    def __call__(
        self,
        input_ids: jax.Array,
        encoder_mask: jax.Array,
        decoder_input_ids: jax.Array,
        rngs: nnx.Rngs | None = None,
    ) -> jax.Array:
        """Logits with teacher forcing, `[batch, target_length, vocab_size]`; see `encode` and `decode`."""
        return self.decode(decoder_input_ids, self.encode(input_ids, encoder_mask, rngs), encoder_mask, rngs)

    def encode(self, input_ids: jax.Array, encoder_mask: jax.Array, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Encodes the sources.

        Args:
            input_ids: `[batch, source_length]`.
            encoder_mask: `[batch, source_length]`, true at real tokens.
            rngs: has a `dropout` stream; None switches dropout off.

        Returns:
            The encoded sources, `[batch, source_length, d_model]`, float32.
        """
        positions = jnp.arange(input_ids.shape[1])
        bias = ops.broadcast_to_batch(self.encoder.position_bias(positions, positions), encoder_mask.shape[0])
        bias = bias + mask_bias(encoder_mask)
        return self.encoder(self._embed(input_ids), bias, None, None, rngs)

    def decode(
        self,
        decoder_input_ids: jax.Array,
        encoded: jax.Array,
        encoder_mask: jax.Array,
        rngs: nnx.Rngs | None = None,
    ) -> jax.Array:
        """Predicts each token from the true tokens before it.

        Padding must be at the end of a row: the causal mask then hides it from every real token.

        Args:
            decoder_input_ids: `[batch, target_length]`, the target shifted right by the start token.
            encoded: `[batch, source_length, d_model]`, from `encode`.
            encoder_mask: `[batch, source_length]`, true at real tokens.
            rngs: has a `dropout` stream; None switches dropout off.

        Returns:
            Logits `[batch, target_length, vocab_size]`, float32.
        """
        positions = jnp.arange(decoder_input_ids.shape[1])
        causal = positions[:, None] >= positions[None, :]
        bias = self.decoder.position_bias(positions, positions) + jnp.where(causal, 0.0, MASKED)
        bias = ops.broadcast_to_batch(bias, encoder_mask.shape[0])
        hidden = self.decoder(self._embed(decoder_input_ids), bias, encoded, mask_bias(encoder_mask), rngs)
        return self._logits(hidden)

    def start_cache(self, encoded: Sequence[jax.Array], length: int, beams: int) -> tuple[LayerCache, ...]:
        """Makes the cache of each decoder layer: the keys and values of the sources, and room for those of the tokens.

        Args:
            encoded: from `encode`, `[rows, source_length, d_model]` for each group of the batch's rows.
            length: maximum number of tokens in a beam.
            beams: number of beams in a row.
        """
        return tuple(block.start_cache(encoded, length, beams) for block in self.decoder.blocks)

    def decode_step(
        self,
        token_ids: jax.Array,
        position: jax.Array,
        cache: tuple[LayerCache, ...],
        encoder_mask: Sequence[jax.Array],
    ) -> tuple[jax.Array, tuple[LayerCache, ...]]:
        """Reads one token of each beam and predicts the next token.

        Args:
            token_ids: `[batch, beams]`, the tokens at `position`.
            position: scalar, from 0 to the cache's length − 1.
            cache: holds the tokens before `position`.
            encoder_mask: `[rows, source_length]` for each group of rows.

        Returns:
            Logits `[batch, beams, vocab_size]`, and the cache with this token in it.
        """
        key_positions = jnp.arange(cache[0].self_key.shape[2])
        bias = self.decoder.position_bias(position[None], key_positions)
        bias = bias + jnp.where(key_positions <= position, 0.0, MASKED)
        hidden = self._embed(token_ids)
        cross_bias = [mask_bias(mask) for mask in encoder_mask]
        updated = []
        for block, layer_cache in zip(self.decoder.blocks, cache, strict=True):
            hidden, layer_cache = block.step(hidden, position, layer_cache, bias, cross_bias)
            updated.append(layer_cache)
        return self._logits(self.decoder.final_norm(hidden)), tuple(updated)

    def _embed(self, token_ids: jax.Array) -> jax.Array:
        """`[batch, length]` -> `[batch, length, d_model]`."""
        return self.embedding[...][token_ids]

    def _logits(self, hidden: jax.Array) -> jax.Array:
        """`[batch, length, d_model]` -> `[batch, length, vocab_size]`."""
        if self.config.tie_word_embeddings:
            scaled = hidden * self.config.d_model**-0.5
            return jnp.einsum("bld,vd->blv", scaled, self.embedding[...])
        return jnp.einsum("bld,dv->blv", hidden, self.head[...])


class Stack(nnx.Module):
    """The encoder (`bidirectional`) or the decoder: the blocks, their shared position bias and the final norm."""

    def __init__(
        self, config: T5Config, *, bidirectional: bool, rng: np.random.Generator | None, dtype: DTypeLike, remat: bool
    ) -> None:
        self.bidirectional = bidirectional
        self.remat = remat
        self.max_distance = config.relative_attention_max_distance
        self.dropout_rate = config.dropout_rate
        layers = config.num_layers if bidirectional else config.num_decoder_layers
        buckets = config.relative_attention_num_buckets
        self.relative_bias = draw_normal(rng, (buckets, config.num_heads), config.d_model**-0.5)
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
        """Applies the blocks in order.

        Args:
            hidden: `[batch, length, d_model]`.
            self_bias: `[batch, heads, length, length]`.
            encoded: `[batch, source_length, d_model]`, in the decoder only.
            cross_bias: `[batch, 1, 1, source_length]`, in the decoder only.

        Returns:
            `[batch, length, d_model]`, float32.
        """
        apply_block = nnx.remat(Block.__call__) if self.remat else Block.__call__
        hidden = ops.dropout(hidden, self.dropout_rate, rngs)
        for block in self.blocks:
            hidden = apply_block(block, hidden, self_bias, encoded, cross_bias, rngs)
        return ops.dropout(self.final_norm(hidden), self.dropout_rate, rngs)

    def position_bias(self, query_positions: jax.Array, key_positions: jax.Array) -> jax.Array:
        """The bias of self-attention scores by distance, `[1, heads, queries, keys]`, float32."""
        relative = key_positions[None, :] - query_positions[:, None]
        bias = self.relative_bias[...]
        bucket = relative_position_bucket(relative, self.bidirectional, bias.shape[0], self.max_distance)
        return ops.look_up(bias, bucket)[None]


class Block(nnx.Module):
    """Self-attention, cross-attention (in the decoder) and feed-forward, each with a norm before it."""

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
        """Maps `hidden`, `[batch, length, d_model]`, to the same shape; the arguments are those of `Stack`."""
        normed = self.self_norm(hidden)
        attended = self.self_attention(normed, *self.self_attention.keys_values(normed), self_bias, rngs)
        hidden = hidden + ops.dropout(attended, self.dropout_rate, rngs)
        if encoded is not None and cross_bias is not None:
            keys, values = self.cross_attention.keys_values(encoded)
            attended = self.cross_attention(self.cross_norm(hidden), keys, values, cross_bias, rngs)
            hidden = hidden + ops.dropout(attended, self.dropout_rate, rngs)
        forwarded = self.feed_forward(self.feed_forward_norm(hidden), rngs)
        return hidden + ops.dropout(forwarded, self.dropout_rate, rngs)

    def start_cache(self, encoded: Sequence[jax.Array], length: int, beams: int) -> LayerCache:
        """The cache of this layer; see `T5.start_cache`."""
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
        """Computes `__call__` for one position, without dropout.

        The beams of a row have different pasts and the same source. So each beam is a row of its own in
        self-attention, and a query of its row in cross-attention.

        Args:
            hidden: `[batch, beams, d_model]`.
            position: scalar.
            self_bias: `[1, heads, 1, length]`.
            cross_bias: `[rows, 1, 1, source_length]` for each group of rows.

        Returns:
            `[batch, beams, d_model]`, and the cache with this position in it.
        """
        normed = flatten_beam_dim(self.self_norm(hidden))[:, None]
        key, value = self.self_attention.keys_values(normed)
        keys = jax.lax.dynamic_update_slice_in_dim(cache.self_key, key, position, axis=2)
        values = jax.lax.dynamic_update_slice_in_dim(cache.self_value, value, position, axis=2)
        attended = self.self_attention.attend_cached(normed, [keys], [values], [self_bias])
        hidden = hidden + attended.reshape(hidden.shape)
        normed = self.cross_norm(hidden)
        hidden = hidden + self.cross_attention.attend_cached(normed, cache.cross_key, cache.cross_value, cross_bias)
        hidden = hidden + self.feed_forward(self.feed_forward_norm(hidden), None)
        return hidden, cache._replace(self_key=keys, self_value=values)
