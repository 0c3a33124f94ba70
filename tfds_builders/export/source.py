"""The dataset that is exported."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Source:
    """A finished dataset of derivations.

    Attributes:
        folder: the dataset's TFDS folder.
        sizes: the number of examples by split.
        content_hash: the SHA-256 of its decoded examples.
        seed: the seed of the generator.
        settings: the settings that decide the examples, as JSON data.
        version: the version of the dataset's builder.
        citation: a BibTeX entry.
    """

    folder: Path
    sizes: Mapping[str, int]
    content_hash: str
    seed: int
    settings: Mapping[str, Any]
    version: str
    citation: str
