"""The network compared with PyTorch's T5, by recorded arrays or by PyTorch if it is installed."""

from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.model.layers import relative_position_bucket
from mathderive.model.parameters import bind, initialise
from tests.support.torch_t5 import CONFIGS, Arrays, random_batch, random_params, torch_logits, torch_model

TOLERANCE = 1e-4


@partial(jax.jit, static_argnums=(0, 5))
def compiled(
    config: T5Config,
    params: Arrays,
    input_ids: jax.Array,
    encoder_mask: jax.Array,
    decoder_input_ids: jax.Array,
    dtype: str,
) -> jax.Array:
    return bind(config, params, dtype)(input_ids, encoder_mask, decoder_input_ids)


def logits_of(config: T5Config, params: Arrays, batch: Arrays, dtype: str = "float32") -> np.ndarray:
    arrays = (batch[key] for key in ("input_ids", "encoder_mask", "decoder_input_ids"))
    return np.asarray(compiled(config, params, *arrays, dtype))


def test_logits_are_pytorchs(config: T5Config, params: Arrays, golden: Arrays) -> None:
    np.testing.assert_allclose(logits_of(config, params, golden), golden["logits"], atol=TOLERANCE)


@pytest.mark.parametrize("seed", [5, 6])
def test_logits_are_those_of_pytorch_today(config: T5Config, seed: int) -> None:
    pytest.importorskip("torch")
    batch = random_batch(config, seed)
    expected = torch_logits(torch_model(config, seed), batch)
    np.testing.assert_allclose(logits_of(config, random_params(config, seed), batch), expected, atol=TOLERANCE)


def test_decoding_step_by_step_gives_the_logits_of_teacher_forcing(
    config: T5Config, params: Arrays, golden: Arrays
) -> None:
    encoder_mask = jnp.asarray(golden["encoder_mask"])
    tokens = jnp.asarray(golden["decoder_input_ids"])

    @jax.jit
    def decode(params: Arrays) -> jax.Array:
        model = bind(config, params)
        groups = (np.s_[:1], np.s_[1:, :40])  # the long source, and two short ones with less padding
        masks = [encoder_mask[group] for group in groups]
        encoded = [model.encode(jnp.asarray(golden["input_ids"])[group], encoder_mask[group]) for group in groups]
        cache = model.start_cache(encoded, tokens.shape[1], beams=2)

        def step(cache: Any, numbered: tuple[jax.Array, jax.Array]) -> tuple[Any, jax.Array]:
            position, token_ids = numbered
            beams = jnp.stack([token_ids[::-1], token_ids], axis=1)  # a beam with other tokens, and one with the row's
            logits, cache = model.decode_step(beams, position, cache, masks)
            return cache, logits

        return jax.lax.scan(step, cache, (jnp.arange(tokens.shape[1]), tokens.T))[1]

    logits = decode(params)
    np.testing.assert_allclose(logits[:, :, 1].swapaxes(0, 1), golden["logits"], atol=TOLERANCE)


def test_position_buckets_are_pytorchs() -> None:
    pytest.importorskip("torch")
    import torch
    from transformers.models.t5.modeling_t5 import T5Attention

    relative = np.arange(-3000, 3001)
    for buckets, max_distance in ((32, 128), (32, 64), (16, 200), (64, 512)):
        for bidirectional in (True, False):
            expected = T5Attention._relative_position_bucket(
                torch.tensor(relative), bidirectional, buckets, max_distance
            )
            found = relative_position_bucket(jnp.asarray(relative), bidirectional, buckets, max_distance)
            np.testing.assert_array_equal(found, expected.numpy())


def test_fresh_parameters_have_the_published_scale() -> None:
    config = replace(CONFIGS["t5-1.1"], vocab_size=500, d_model=96, d_ff=256, d_kv=32)
    params = initialise(config, seed=0)
    expected = {
        "embedding": 1.0,
        "head": 1.0,
        "encoder/relative_bias": 96**-0.5,
        "encoder/blocks/0/self_attention/query": (96 * 32) ** -0.5,
        "encoder/blocks/0/self_attention/key": 96**-0.5,
        "decoder/blocks/1/cross_attention/value": 96**-0.5,
        "decoder/blocks/1/cross_attention/out": (3 * 32) ** -0.5,
        "decoder/blocks/0/feed_forward/gate": 96**-0.5,
        "decoder/blocks/0/feed_forward/wo": 256**-0.5,
    }
    for name, deviation in expected.items():
        assert np.std(params[name]) == pytest.approx(deviation, rel=0.15), name
    assert np.all(params["encoder/final_norm/scale"] == 1)


def test_the_seed_decides_the_parameters(config: T5Config) -> None:
    first, again, other = (initialise(config, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["embedding"], other["embedding"])


def test_half_precision_touches_matrix_products_only(config: T5Config, params: Arrays, golden: Arrays) -> None:
    found = logits_of(config, params, golden, "bfloat16")
    assert found.dtype == np.float32
    exact = golden["logits"]
    assert not np.array_equal(found, exact)
    assert np.abs(found - exact).mean() < 0.1 * np.abs(exact).mean()


def test_a_row_without_any_source_stays_finite(config: T5Config, params: Arrays, golden: Arrays) -> None:
    batch = dict(golden, encoder_mask=np.zeros_like(golden["encoder_mask"]))
    assert np.isfinite(logits_of(config, params, batch)).all()
