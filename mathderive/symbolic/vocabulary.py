"""The names a derivation is written in: 155 LaTeX identifiers from physics, and eleven letters outside them."""

import json
from importlib.resources import files

VOCABULARY: tuple[str, ...] = tuple(
    json.loads(files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))
)
"""The identifiers symbols and functions are drawn from, in the order of Meadows et al.'s released list."""

RENAMING_LETTERS: tuple[str, ...] = (
    r"\alpha",
    r"\beta",
    r"\gamma",
    r"\zeta",
    r"\iota",
    r"\kappa",
    r"\nu",
    r"\xi",
    r"\omicron",
    r"\tau",
    r"\upsilon",
)
"""What variable renaming maps names to; none of them is in the vocabulary."""
