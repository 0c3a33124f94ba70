"""Random streams that depend on a text alone, so that work in any order and any process draws the same numbers."""

import hashlib
import random


def keyed_random(text: str) -> random.Random:
    """A random stream that is determined by a text."""
    return random.Random(hashlib.sha256(text.encode()).digest())


def keyed_seed(text: str) -> int:
    """A seed of 256 bits that is determined by a text, for generators that take a number.

    `random.Random(keyed_seed(text))` is another stream than `keyed_random(text)`.
    """
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")
