"""Derivations under other names, to learn from: what follows from what does not depend on how things are called.

A network that has read 155 names only learns those, not what a name is. Here names are drawn from the whole vocabulary,
or made up letter by letter. The eleven letters of the variable renaming perturbation are never among them, so that a
test set of that kind stays out of distribution for whoever learns from these.
"""

import random
import string

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.perturbations import names_of_derivation, rename_derivation
from mathderive.symbolic.vocabulary import RENAMING_LETTERS, VOCABULARY

SHORTEST, LONGEST = 2, 7
"""Letters of a made-up command's name: as many as those of Greek letters have."""

_TAKEN = frozenset((*VOCABULARY, *RENAMING_LETTERS))


def with_vocabulary_names(derivation: Derivation, rng: random.Random) -> Derivation:
    """Every name becomes a different one of the vocabulary."""
    names = names_of_derivation(derivation)
    return rename_derivation(derivation, dict(zip(names, rng.sample(VOCABULARY, len(names)), strict=True)))


def with_made_up_names(derivation: Derivation, rng: random.Random) -> Derivation:
    """Every name becomes a different command of random letters, such as `\\qeb`, that is no name elsewhere."""
    names: dict[str, str] = {}
    for name in names_of_derivation(derivation):
        made_up = _make_up(rng)
        while made_up in _TAKEN or made_up in names.values():
            made_up = _make_up(rng)
        names[name] = made_up
    return rename_derivation(derivation, names)


def _make_up(rng: random.Random) -> str:
    return "\\" + "".join(rng.choices(string.ascii_lowercase, k=rng.randint(SHORTEST, LONGEST)))
