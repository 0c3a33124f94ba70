"""Derivations under other names stay equivalent, and never use the names of the renaming perturbation."""

import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from mathderive.symbolic.engine.derivation import Derivation, canonical_form
from mathderive.symbolic.engine.fresh_names import with_made_up_names, with_vocabulary_names
from mathderive.symbolic.engine.perturbations import names_of_derivation, variable_renaming
from mathderive.symbolic.engine.replay import replays
from mathderive.symbolic.engine.texts import prompt, target
from mathderive.symbolic.vocabulary import RENAMING_LETTERS, VOCABULARY
from tests.support.withheld import WITHHELD

Rename = Callable[[Derivation, random.Random], Derivation]


@pytest.mark.slow
@pytest.mark.parametrize("rename", [with_vocabulary_names, with_made_up_names])
def test_validity_is_invariant_under_renaming(sampled: list[Derivation], rename: Rename) -> None:
    for number, derivation in enumerate(sampled):
        renamed = rename(derivation, random.Random(number))
        assert canonical_form(renamed) == canonical_form(derivation)
        assert len(names_of_derivation(renamed)) == len(names_of_derivation(derivation))
        # The names of integration constants are drawn, so that some steps may not replay.
        assert sum(replays(renamed)) == sum(replays(derivation))


def test_names_are_in_the_vocabulary_or_made_up(sampled: list[Derivation]) -> None:
    seen = set()
    for number, derivation in enumerate(sampled):
        assert set(names_of_derivation(with_vocabulary_names(derivation, random.Random(number)))) <= set(VOCABULARY)
        made_up = set(names_of_derivation(with_made_up_names(derivation, random.Random(number))))
        assert all(re.fullmatch(r"\\[a-z]{2,7}", name) for name in made_up)
        assert not made_up & set(VOCABULARY)
        seen |= made_up
    assert len(seen) > 100


@pytest.mark.parametrize("rename", [with_vocabulary_names, with_made_up_names])
def test_the_letters_of_the_renaming_perturbation_are_withheld(sampled: list[Derivation], rename: Rename) -> None:
    """A model that is trained on these texts has read none of the names of the renaming perturbation."""
    assert not WITHHELD.search(" ".join(VOCABULARY))
    for number, derivation in enumerate(sampled):
        for again in range(5):
            renamed = rename(derivation, random.Random(100 * number + again))
            assert not WITHHELD.search(prompt(renamed) + target(renamed))
    # The pattern finds the letters in a text that has them.
    found = variable_renaming(sampled[0], random.Random(0))
    assert found is not None
    assert WITHHELD.search(target(found))


class _Letters(random.Random):
    """Draws the letters of each of the withheld names first."""

    def __init__(self) -> None:
        super().__init__(0)
        self.words = [letter[1:] for letter in RENAMING_LETTERS]

    def choices(self, population: Any, *arguments: Any, **options: Any) -> list[Any]:
        return list(self.words.pop()) if self.words else super().choices(population, *arguments, **options)


def test_a_withheld_name_that_was_drawn_is_drawn_again(sampled: list[Derivation]) -> None:
    rng = _Letters()
    renamed = with_made_up_names(sampled[0], rng)
    assert not rng.words
    assert not set(names_of_derivation(renamed)) & set(RENAMING_LETTERS)
