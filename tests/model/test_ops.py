"""The operations that are written for speed have the values and gradients of plain JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from mathderive.model import ops

FLOATS = st.floats(-100, 100, width=32)


def normal(seed: int, *shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_matrix_product_is_the_plain_product(dtype: str) -> None:
    hidden, kernel, gradient = (
        normal(seed, *shape).astype(dtype) for seed, shape in enumerate(((3, 17, 24), (24, 40), (3, 17, 40)))
    )
    product, pull_back = jax.vjp(ops.matrix_product, hidden, kernel)
    np.testing.assert_array_equal(product, jnp.matmul(hidden, kernel))
    exact, sizes = (
        jax.vjp(jnp.matmul, change(hidden), change(kernel))[1](change(gradient)) for change in (_in_float32, _absolute)
    )
    # How a sum is rounded depends on the order of its terms; the bound is a multiple of the sum of their sizes.
    for found, value, size in zip(pull_back(gradient), exact, sizes, strict=True):
        assert found.dtype == dtype
        assert (abs(_in_float32(found) - value) <= 2 * jnp.finfo(dtype).eps * size).all()


def _in_float32(values: jax.Array) -> jax.Array:
    return values.astype(jnp.float32)


def _absolute(values: jax.Array) -> jax.Array:
    return abs(_in_float32(values))


def test_broadcast_to_batch_is_the_plain_broadcast() -> None:
    values, gradient = normal(0, 1, 3, 12, 15), normal(1, 5, 3, 12, 15)
    copies, pull_back = jax.vjp(lambda values: ops.broadcast_to_batch(values, 5), values)
    expected, plain_pull_back = jax.vjp(lambda values: jnp.broadcast_to(values, (5, 3, 12, 15)), values)
    np.testing.assert_array_equal(copies, expected)
    np.testing.assert_allclose(pull_back(gradient)[0], plain_pull_back(gradient)[0], rtol=1e-5, atol=1e-5)


def test_look_up_is_the_plain_lookup() -> None:
    table, gradient = normal(0, 32, 4), normal(1, 4, 12, 15)
    indices = jnp.asarray(np.random.default_rng(2).integers(0, 32, (12, 15)))
    rows, pull_back = jax.vjp(lambda table: ops.look_up(table, indices), table)
    expected, plain_pull_back = jax.vjp(lambda table: jnp.moveaxis(table[indices], -1, 0), table)
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_allclose(pull_back(gradient)[0], plain_pull_back(gradient)[0], rtol=1e-5, atol=1e-5)


# Few different values, so that several scores are the largest.
SCORES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 3), st.sampled_from([1, 2, 127, 128, 129, 300])),
    elements=st.sampled_from([-np.inf, -1.5, 0.0, 2.0, np.inf]) | FLOATS,
)


@settings(deadline=None)
@given(scores=SCORES)
def test_argmax_is_the_plain_argmax(scores: np.ndarray) -> None:
    found = ops.argmax(jnp.asarray(scores))
    assert found.dtype == jnp.int32
    np.testing.assert_array_equal(found, np.argmax(scores, axis=-1))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_dropout_is_the_plain_product_with_its_mask(dtype: str) -> None:
    values, gradient = normal(0, 30, 40).astype(dtype), normal(1, 30, 40).astype(dtype)
    mask = ops.dropout(jnp.ones(values.shape), 0.25, nnx.Rngs(dropout=0)) > 0

    def plain(values: jax.Array) -> jax.Array:
        return jnp.where(mask, values / 0.75, 0).astype(values.dtype)

    dropped, pull_back = jax.vjp(lambda values: ops.dropout(values, 0.25, nnx.Rngs(dropout=0)), values)
    expected, plain_pull_back = jax.vjp(plain, values)
    np.testing.assert_array_equal(dropped, expected)
    np.testing.assert_array_equal(pull_back(gradient)[0], plain_pull_back(gradient)[0])


def test_dropout_zeroes_its_share_and_keeps_the_mean() -> None:
    values = jnp.ones((300, 300))
    dropped = np.asarray(ops.dropout(values, 0.25, nnx.Rngs(dropout=0)))
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.01)
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert ops.dropout(values, 0.25, None) is values


def test_the_dropout_mask_is_random() -> None:
    kept = np.stack([ops.dropout(jnp.ones(2**16), 0.5, nnx.Rngs(dropout=seed)) > 0 for seed in range(20)])
    signs = kept * 2.0 - 1
    five_deviations = 5 / 2**8
    between_keys = signs @ signs.T / 2**16 - np.eye(20)
    assert np.abs(between_keys).max() < five_deviations
    for shift in (1, 2, 3, 64, 128, 512, 4096):
        assert np.abs((signs * np.roll(signs, shift, axis=1)).mean(axis=1)).max() < five_deviations
        assert np.abs((signs[1:] * np.roll(signs, shift, axis=1)[:-1]).mean(axis=1)).max() < five_deviations
