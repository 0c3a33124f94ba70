"""The random numbers of the bootstrap, for comparisons with scipy on the same random numbers."""

import hashlib
from collections.abc import Sequence

import numpy as np


def rng_of(names: Sequence[str]) -> np.random.Generator:
    """Returns a generator in the state from which the resamples of these sources, in order, are drawn."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256("\n".join(names).encode()).digest()))
