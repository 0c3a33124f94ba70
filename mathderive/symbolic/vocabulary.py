"""The names of symbols and functions: 155 LaTeX identifiers from physics, and eleven letters for renaming."""

import json
from importlib.resources import files

VOCABULARY: tuple[str, ...] = tuple(
    json.loads(files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))
)
"""The identifiers that symbols and functions are drawn from, in the order of the list of Meadows et al. (2024)."""

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
"""The letters that variable renaming maps names to; none of them is in the vocabulary."""
