"""Operations that are written for speed: each computes what a line of plain JAX computes, in another way.

`benchmarks/ops.py` has the plain forms and measures the gain over them, which depends on the processor and on JAX's
version. `tests/model/test_ops.py` checks that values and gradients are those of the plain forms. An operation may round
gradients differently from its plain form, so a trained model depends on the choice.
"""

import jax
import jax.numpy as jnp
from flax import nnx

_BLOCK = 128
"""Number of scores among which `argmax` finds one maximum in its first level."""


@jax.custom_vjp
def matrix_product(hidden: jax.Array, kernel: jax.Array) -> jax.Array:
    """`hidden @ kernel`, with a gradient of its own.

    JAX computes the transpose of the kernel's gradient and then transposes it. Here the gradient is computed as it is
    needed, which was faster in bfloat16 on CPUs that multiply bfloat16; `benchmarks/ops.py` measures the gain.

    Args:
        hidden: `[batch, length, inputs]`.
        kernel: `[inputs, outputs]`.

    Returns:
        `[batch, length, outputs]`.
    """
    return hidden @ kernel


def _matrix_product_forward(hidden: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return hidden @ kernel, (hidden, kernel)


def _matrix_product_backward(
    residuals: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    hidden, kernel = residuals
    return jnp.einsum("blo,io->bli", gradient, kernel), jnp.einsum("bli,blo->io", hidden, gradient)


matrix_product.defvjp(_matrix_product_forward, _matrix_product_backward)


def broadcast_to_batch(values: jax.Array, batch: int) -> jax.Array:
    """`jnp.broadcast_to(values, (batch, *values.shape[1:]))`, as a product with ones.

    The gradient of a product is a product too, and the gradient of plain broadcasting is a sum over rows, which was
    slow in XLA's CPU code; `benchmarks/ops.py` measures the gain.

    Args:
        values: `[1, heads, queries, keys]`.

    Returns:
        `[batch, heads, queries, keys]`.
    """
    return jnp.einsum("b,hqk->bhqk", jnp.ones(batch), values[0], precision=jax.lax.Precision.HIGHEST)


def look_up(table: jax.Array, indices: jax.Array) -> jax.Array:
    """`table[indices]` with its last axis first, as a product with one-hot rows.

    The gradient of a plain lookup is a scatter, which is slow on accelerators; `benchmarks/ops.py` measures the gain.
    The product has full precision, because it copies numbers and must not round them.

    Args:
        table: `[rows, columns]`, with few rows.
        indices: `[queries, keys]`, each from 0 to rows − 1.

    Returns:
        `[columns, queries, keys]`.
    """
    one_hot = jax.nn.one_hot(indices, table.shape[0])
    return jnp.einsum("qkb,bh->hqk", one_hot, table, precision=jax.lax.Precision.HIGHEST)


def argmax(scores: jax.Array) -> jax.Array:
    """`jnp.argmax(scores, axis=-1)`: the index of the largest score, the first one among equal scores.

    The maximum is found in two levels, first among blocks and then within the best block. XLA's CPU code finds a
    maximum about ten times faster than the index of a maximum; `benchmarks/ops.py` measures the gain.

    Args:
        scores: `[..., size]`, without NaN.

    Returns:
        `[...]`, int32.
    """
    size = scores.shape[-1]
    if size % _BLOCK:
        scores = jnp.pad(scores, [(0, 0)] * (scores.ndim - 1) + [(0, -size % _BLOCK)], constant_values=-jnp.inf)
    blocks = scores.reshape(*scores.shape[:-1], -1, _BLOCK)
    best_block = jnp.argmax(jnp.max(blocks, axis=-1), axis=-1)
    block = jnp.take_along_axis(blocks, best_block[..., None, None], axis=-2)[..., 0, :]
    return (best_block * _BLOCK + jnp.argmax(block, axis=-1)).astype(jnp.int32)


def dropout(values: jax.Array, rate: float, rngs: nnx.Rngs | None) -> jax.Array:
    """Dropout (Srivastava et al., 2014): zeroes a share `rate` of the values and scales the others by 1 / (1 − rate).

    Here the random bits of a value are a hash of its index under two random seeds. They are random enough for dropout,
    and the same on every backend. The plain form, `jax.random.bernoulli`, is five to eight times slower on a CPU;
    `benchmarks/ops.py` measures the gain in a training step.

    Args:
        values: any shape.
        rngs: has a `dropout` stream; None switches dropout off.
    """
    if rngs is None or rate == 0:
        return values
    seeds = jax.random.bits(rngs.dropout(), (2,), jnp.uint32)
    indices = jnp.arange(values.size, dtype=jnp.uint32).reshape(values.shape)
    bits = _hash(_hash(indices ^ seeds[0]) + seeds[1])
    return jnp.where(bits >= jnp.uint32(int(rate * 2**32)), values / (1 - rate), 0).astype(values.dtype)


def _hash(numbers: jax.Array) -> jax.Array:
    """The finalizer of MurmurHash3 (Appleby, 2011), a bijection of 32-bit numbers."""
    numbers = (numbers ^ (numbers >> 16)) * jnp.uint32(0x85EBCA6B)
    numbers = (numbers ^ (numbers >> 13)) * jnp.uint32(0xC2B2AE35)
    return numbers ^ (numbers >> 16)
