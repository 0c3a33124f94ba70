"""A BERT encoder in Flax NNX that gives a number for a pair of texts, as BLEURT's first generation does.

The architecture follows Devlin et al., *BERT* (2019). The number is a linear function of the output at the first token
(Sellam et al., *BLEURT*, 2020, section 3). The network is used for inference only: it has no dropout, and all its
parameters are 0 until `parameters.with_parameters` sets those of a checkpoint. Everything is float32.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from mathderive.model.config import BertConfig
from mathderive.model.layers import MASKED


class BertRegressor(nnx.Module):
    """The network: it reads `[CLS] first [SEP] second [SEP]` and gives a number."""

    def __init__(self, config: BertConfig) -> None:
        self.embeddings = Embeddings(config)
        self.blocks = nnx.List([Block(config) for _ in range(config.num_hidden_layers)])
        self.pooler = Linear(config.hidden_size, config.hidden_size)
        self.regressor = Linear(config.hidden_size, 1)

    def __call__(self, input_ids: jax.Array, mask: jax.Array, segment_ids: jax.Array) -> jax.Array:
        """Computes a number for each pair.

        Args:
            input_ids: `[batch, length]`.
            mask: `[batch, length]`, true at real tokens; the first token of a row must be real.
            segment_ids: `[batch, length]`, 0 in the first text and 1 in the second.

        Returns:
            `[batch]`, float32.
        """
        hidden = self.embeddings(input_ids, segment_ids)
        bias = jnp.where(mask, 0.0, MASKED)[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, bias)
        return self.regressor(jnp.tanh(self.pooler(hidden[:, 0])))[:, 0]


class Embeddings(nnx.Module):
    """The sum of the embeddings of a token, its position and its text, with a norm after it."""

    def __init__(self, config: BertConfig) -> None:
        self.word = _zeros(config.vocab_size, config.hidden_size)
        self.position = _zeros(config.max_position_embeddings, config.hidden_size)
        self.segment = _zeros(config.type_vocab_size, config.hidden_size)
        self.norm = LayerNorm(config)

    def __call__(self, input_ids: jax.Array, segment_ids: jax.Array) -> jax.Array:
        """`[batch, length]` twice -> `[batch, length, hidden_size]`."""
        position = self.position[...][: input_ids.shape[1]]
        return self.norm(self.word[...][input_ids] + self.segment[...][segment_ids] + position)


class Block(nnx.Module):
    """Self-attention and feed-forward; each is added to its input, with a norm after it."""

    def __init__(self, config: BertConfig) -> None:
        width = config.hidden_size
        self.attention = Attention(config)
        self.attention_norm = LayerNorm(config)
        self.wi = Linear(width, config.intermediate_size)
        self.wo = Linear(config.intermediate_size, width)
        self.feed_forward_norm = LayerNorm(config)

    def __call__(self, hidden: jax.Array, bias: jax.Array) -> jax.Array:
        """`hidden` is `[batch, length, hidden_size]`; `bias` broadcasts to `[batch, heads, queries, keys]`."""
        hidden = self.attention_norm(hidden + self.attention(hidden, bias))
        forwarded = self.wo(jax.nn.gelu(self.wi(hidden), approximate=False))
        return self.feed_forward_norm(hidden + forwarded)


class Attention(nnx.Module):
    """Multi-head dot-product attention, scaled by the square root of a head's width."""

    def __init__(self, config: BertConfig) -> None:
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query = Linear(width, width)
        self.key = Linear(width, width)
        self.value = Linear(width, width)
        self.out = Linear(width, width)

    def __call__(self, hidden: jax.Array, bias: jax.Array) -> jax.Array:
        """`hidden` is `[batch, length, hidden_size]`; `bias` broadcasts to `[batch, heads, queries, keys]`."""
        queries, keys, values = (self._split(linear(hidden)) for linear in (self.query, self.key, self.value))
        scores = jnp.einsum("bhqd,bhkd->bhqk", queries, keys) * queries.shape[-1] ** -0.5
        attended = jnp.einsum("bhqk,bhkd->bhqd", jax.nn.softmax(scores + bias, axis=-1), values)
        return self.out(attended.swapaxes(1, 2).reshape(hidden.shape))

    def _split(self, projected: jax.Array) -> jax.Array:
        """`[batch, length, hidden_size]` -> `[batch, heads, length, hidden_size / heads]`."""
        return projected.reshape(*projected.shape[:2], self.heads, -1).swapaxes(1, 2)


class Linear(nnx.Module):
    """`hidden @ kernel + bias`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        self.kernel = _zeros(inputs, outputs)
        self.bias = _zeros(outputs)

    def __call__(self, hidden: jax.Array) -> jax.Array:
        return hidden @ self.kernel[...] + self.bias[...]


class LayerNorm(nnx.Module):
    """Layer norm: centres, divides by the standard deviation, scales and shifts (Ba et al., 2016)."""

    def __init__(self, config: BertConfig) -> None:
        self.epsilon = config.layer_norm_eps
        self.scale = nnx.Param(jnp.ones(config.hidden_size))
        self.bias = _zeros(config.hidden_size)

    def __call__(self, hidden: jax.Array) -> jax.Array:
        centred = hidden - jnp.mean(hidden, axis=-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + self.epsilon) * self.scale[...] + self.bias[...]


def _zeros(*shape: int) -> nnx.Param:
    return nnx.Param(jnp.zeros(shape))
