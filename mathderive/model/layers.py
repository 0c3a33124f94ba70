"""The layers of a T5: attention, feed-forward, norm and position buckets; `t5.py` puts them together."""

from collections.abc import Sequence
from itertools import accumulate

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike

from mathderive.model import ops
from mathderive.model.config import T5Config

MASKED = -1e9
"""Bias of a score that must not count. It is finite, so that a row with nothing to attend to stays finite."""


class Attention(nnx.Module):
    """Multi-head dot-product attention. Scores are not scaled; the initial scale of `query` makes up for that."""

    def __init__(self, config: T5Config, *, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.dtype = dtype
        self.dropout_rate = config.dropout_rate
        self.head_shape = (config.num_heads, config.d_kv)
        d_model, width = config.d_model, config.num_heads * config.d_kv
        # The heads are side by side in one matrix, because Adafactor's statistics are those of a matrix.
        self.query = draw_normal(rng, (d_model, width), (d_model * config.d_kv) ** -0.5)
        self.key = draw_normal(rng, (d_model, width), d_model**-0.5)
        self.value = draw_normal(rng, (d_model, width), d_model**-0.5)
        self.out = draw_normal(rng, (width, d_model), width**-0.5)

    def keys_values(self, hidden: jax.Array) -> tuple[jax.Array, jax.Array]:
        """`[batch, length, d_model]` -> keys and values, each `[batch, heads, length, d_kv]`."""
        return self._split_heads(hidden, self.key), self._split_heads(hidden, self.value)

    def __call__(
        self,
        hidden: jax.Array,
        keys: jax.Array,
        values: jax.Array,
        bias: jax.Array,
        rngs: nnx.Rngs | None,
    ) -> jax.Array:
        """Attends to keys and values.

        Args:
            hidden: `[batch, queries, d_model]`.
            keys: `[batch, heads, keys, d_kv]`.
            values: `[batch, heads, keys, d_kv]`.
            bias: added to the scores; broadcasts to `[batch, heads, queries, keys]`.

        Returns:
            `[batch, queries, d_model]`, float32.
        """
        queries = self._split_heads(hidden, self.query)
        return self._merge_heads(self._attend(queries, keys, values, bias, rngs))

    def attend_cached(
        self, hidden: jax.Array, keys: Sequence[jax.Array], values: Sequence[jax.Array], bias: Sequence[jax.Array]
    ) -> jax.Array:
        """Computes `__call__` with cached keys, values and bias, one array for each group of rows."""
        queries = self._split_heads(hidden, self.query)
        ends = list(accumulate(len(group) for group in keys))
        groups = zip(jnp.split(queries, ends[:-1]), keys, values, bias, strict=True)
        return self._merge_heads(jnp.concatenate([self._attend(*group, None) for group in groups]))

    def _attend(
        self, queries: jax.Array, keys: jax.Array, values: jax.Array, bias: jax.Array, rngs: nnx.Rngs | None
    ) -> jax.Array:
        """The weighted mean of the values for each query, `[batch, heads, queries, d_kv]`."""
        scores = jnp.einsum("bhqd,bhkd->bhqk", queries, keys).astype(jnp.float32)
        weights = jax.nn.softmax(scores + bias, axis=-1).astype(self.dtype)
        weights = ops.dropout(weights, self.dropout_rate, rngs)
        return jnp.einsum("bhqk,bhkd->bhqd", weights, values)

    def _merge_heads(self, attended: jax.Array) -> jax.Array:
        """`[batch, heads, length, d_kv]` -> `[batch, length, d_model]`."""
        merged = attended.swapaxes(1, 2).reshape(attended.shape[0], attended.shape[2], -1)
        return ops.matrix_product(merged, self.out[...].astype(self.dtype)).astype(jnp.float32)

    def _split_heads(self, hidden: jax.Array, kernel: nnx.Param) -> jax.Array:
        """`[batch, length, d_model]` -> `[batch, heads, length, d_kv]`."""
        projected = ops.matrix_product(hidden.astype(self.dtype), kernel[...].astype(self.dtype))
        # Heads come before positions, so that the products that follow are batches of plain matrix products.
        return projected.reshape(*hidden.shape[:2], *self.head_shape).swapaxes(1, 2)


class FeedForward(nnx.Module):
    """`wo(relu(wi(x)))`, or `wo(gelu(gate(x)) * wi(x))` in T5 1.1."""

    def __init__(self, config: T5Config, *, rng: np.random.Generator | None, dtype: DTypeLike) -> None:
        self.dtype = dtype
        self.dropout_rate = config.dropout_rate
        self.gated = config.feed_forward == "gated-gelu"
        if self.gated:
            self.gate = draw_normal(rng, (config.d_model, config.d_ff), config.d_model**-0.5)
        self.wi = draw_normal(rng, (config.d_model, config.d_ff), config.d_model**-0.5)
        self.wo = draw_normal(rng, (config.d_ff, config.d_model), config.d_ff**-0.5)

    def __call__(self, hidden: jax.Array, rngs: nnx.Rngs | None) -> jax.Array:
        """`[batch, length, d_model]` -> `[batch, length, d_model]`, float32."""
        hidden = hidden.astype(self.dtype)
        inner = ops.matrix_product(hidden, self.wi[...].astype(self.dtype))
        if self.gated:
            # The published 1.1 checkpoints were trained with the tanh form of GELU.
            inner = jax.nn.gelu(ops.matrix_product(hidden, self.gate[...].astype(self.dtype)), approximate=True) * inner
        else:
            inner = jax.nn.relu(inner)
        inner = ops.dropout(inner, self.dropout_rate, rngs)
        return ops.matrix_product(inner, self.wo[...].astype(self.dtype)).astype(jnp.float32)


class RMSNorm(nnx.Module):
    """Layer norm without a mean and a shift: divides by the root mean square and scales (Zhang and Sennrich, 2019)."""

    def __init__(self, config: T5Config) -> None:
        self.epsilon = config.layer_norm_epsilon
        self.scale = nnx.Param(jnp.ones(config.d_model))

    def __call__(self, hidden: jax.Array) -> jax.Array:
        """`[..., d_model]` -> `[..., d_model]`."""
        mean_square = jnp.mean(jnp.square(hidden), axis=-1, keepdims=True)
        return hidden * jax.lax.rsqrt(mean_square + self.epsilon) * self.scale[...]


def relative_position_bucket(
    relative_position: jax.Array, bidirectional: bool, buckets: int, max_distance: int
) -> jax.Array:
    """The bucket of `key position - query position` (Raffel et al., 2020, section 2.1).

    Half of a direction's buckets hold one distance each. The others grow logarithmically up to `max_distance`, and the
    last bucket holds all larger distances. In a decoder, keys after the query fall into bucket 0.

    Args:
        relative_position: integers of any shape.

    Returns:
        Integers of the same shape, from 0 to `buckets` − 1.
    """
    offset = jnp.zeros_like(relative_position)
    if bidirectional:
        buckets //= 2
        offset = jnp.where(relative_position > 0, buckets, 0)
        distance = jnp.abs(relative_position)
    else:
        distance = jnp.maximum(-relative_position, 0)
    exact = buckets // 2
    # The first distance of each wide bucket. It is computed on the host in float32, as in the published code, so that
    # the bucket of a distance does not depend on how an accelerator rounds a logarithm.
    distances = np.arange(1, max_distance + 1, dtype=np.float32)
    scale = np.float32(np.log(max_distance / exact))
    wide = exact + (np.log(distances / exact) / scale * (buckets - exact)).astype(np.int32)
    starts = [int(distances[np.argmax(wide >= bucket)]) for bucket in range(exact + 1, buckets)]
    bucket = jnp.minimum(distance, exact)
    for start in starts:
        bucket = bucket + (distance >= start)
    return offset + bucket


def mask_bias(mask: jax.Array) -> jax.Array:
    """`[batch, keys]` -> `[batch, 1, 1, keys]`, 0 where the mask is true and `MASKED` elsewhere."""
    return jnp.where(mask, 0.0, MASKED)[:, None, None, :]


def draw_normal(rng: np.random.Generator | None, shape: tuple[int, ...], deviation: float) -> nnx.Param:
    """A parameter drawn from a normal distribution of mean 0; without `rng` all of it is 0."""
    # NumPy draws the numbers, because they are then the same on every backend and nothing is compiled.
    if rng is None:
        return nnx.Param(jnp.zeros(shape))
    return nnx.Param(jnp.asarray(rng.standard_normal(shape, np.float32) * np.float32(deviation)))
