"""With blocks computed again in the backward pass, gradients are the same and less memory is needed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.training.step import label_loss
from tests.support.torch_t5 import CONFIGS, random_batch, random_params


def loss(config: T5Config, batch: Any, remat: bool) -> Callable[[Any], jax.Array]:
    key = jax.random.key(0)
    return lambda params: label_loss(config, params, batch, key, "float32", remat)[0]


@pytest.mark.slow
def test_blocks_computed_again_give_the_same_gradients() -> None:
    config = replace(CONFIGS["t5-1.1"], num_layers=1, num_decoder_layers=1)
    params, batch = random_params(config, 1), random_batch(config, 1)
    expected, found = (jax.jit(jax.grad(loss(config, batch, remat)))(params) for remat in (False, True))
    for name, gradient in expected.items():
        np.testing.assert_allclose(found[name], gradient, atol=1e-5 * np.abs(gradient).max(), err_msg=name)


def kept_bytes(layers: int, remat: bool) -> int:
    """Number of bytes that the forward pass keeps for the backward pass, without the parameters."""
    config = replace(CONFIGS["t5-1.1"], num_layers=layers, num_decoder_layers=layers)
    params = random_params(config, 1)
    kept = jax.eval_shape(lambda params: jax.vjp(loss(config, random_batch(config, 1), remat), params)[1], params)
    return sum(array.size * array.dtype.itemsize for array in jax.tree.leaves(kept)) - sum(
        array.nbytes for array in params.values()
    )


def test_blocks_computed_again_keep_little_more_than_their_inputs() -> None:
    # The difference between six and three layers is what three encoder and three decoder blocks keep.
    kept, again = (kept_bytes(6, remat) - kept_bytes(3, remat) for remat in (False, True))
    assert again < 0.1 * kept
