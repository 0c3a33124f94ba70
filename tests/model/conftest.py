"""Random T5s of both kinds, small enough to run anywhere."""

import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.model.t5 import parameter_shapes

CONFIGS = {
    "t5": T5Config(vocab_size=60, d_model=24, d_kv=5, d_ff=40, num_heads=3, num_layers=3, num_decoder_layers=2),
    "t5-1.1": T5Config(
        vocab_size=60,
        d_model=24,
        d_kv=5,
        d_ff=40,
        num_heads=3,
        num_layers=2,
        num_decoder_layers=3,
        feed_forward="gated-gelu",
        tie_word_embeddings=False,
    ),
}


@pytest.fixture(params=list(CONFIGS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(kind: str) -> T5Config:
    return CONFIGS[kind]


def random_params(config: T5Config, seed: int, deviation: float = 0.4) -> dict[str, np.ndarray]:
    """Parameters on a scale where every part of the network matters; norms stay near 1."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=shape) * deviation + (len(shape) == 1)).astype(np.float32)
        for name, shape in sorted(parameter_shapes(config).items())
    }
