"""The random numbers behind the bootstrap, for comparison with scipy's on the same ones."""

import hashlib
from collections.abc import Sequence

import numpy as np


def rng_of(names: Sequence[str]) -> np.random.Generator:
    """A generator in the state from which the resamples of these sources, in their order, are drawn."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()))
