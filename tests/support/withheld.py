"""The letters of the renaming perturbation, looked for in texts."""

import re

from mathderive.symbolic.vocabulary import RENAMING_LETTERS

WITHHELD = re.compile("|".join(rf"{re.escape(letter)}(?![a-z])" for letter in RENAMING_LETTERS))
"""A made-up name may begin like one of them, as `\\muxe` does; none is one."""
