"""Derivations under other names, as additional training data: validity is invariant under renaming.

A model trained on the 155 names of the vocabulary does not generalise to unseen names. Here names are drawn from the
whole vocabulary or made up letter by letter. The eleven letters of the variable renaming perturbation are never used,
so the VR test set stays out of distribution for a model that is trained on these derivations.
"""

import random
import string

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.perturbations import names_of_derivation, rename_derivation
from mathderive.symbolic.vocabulary import RENAMING_LETTERS, VOCABULARY

SHORTEST, LONGEST = 2, 7
"""Minimum and maximum length of a made-up command's name, those of the names of Greek letters."""

_TAKEN = frozenset((*VOCABULARY, *RENAMING_LETTERS))


def with_vocabulary_names(derivation: Derivation, rng: random.Random) -> Derivation:
    """Renames every symbol and function to a different name of the vocabulary."""
    names = names_of_derivation(derivation)
    return rename_derivation(derivation, dict(zip(names, rng.sample(VOCABULARY, len(names)), strict=True)))


def with_made_up_names(derivation: Derivation, rng: random.Random) -> Derivation:
    """Renames every symbol and function to a different made-up command such as `\\qeb`, which no other name equals."""
    names: dict[str, str] = {}
    for name in names_of_derivation(derivation):
        made_up = _make_up(rng)
        while made_up in _TAKEN or made_up in names.values():
            made_up = _make_up(rng)
        names[name] = made_up
    return rename_derivation(derivation, names)


def _make_up(rng: random.Random) -> str:
    return "\\" + "".join(rng.choices(string.ascii_lowercase, k=rng.randint(SHORTEST, LONGEST)))
