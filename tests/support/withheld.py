"""A pattern for the letters that are reserved for the renaming perturbation."""

import re

from mathderive.symbolic.vocabulary import RENAMING_LETTERS

WITHHELD = re.compile("|".join(rf"{re.escape(letter)}(?![a-z])" for letter in RENAMING_LETTERS))
"""Matches a reserved letter. A made-up name may begin like one, as `\\muxe` does, but is none."""
