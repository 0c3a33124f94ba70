"""Text that others wrote, made fit to be shown: no character in it acts, hides or is too many."""

import unicodedata

_KEPT = frozenset("\n\t")
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories: controls, formats (bidirectional ones too), surrogates, private, unassigned, breaks."""


def visible(text: str) -> str:
    """The text with every character that is not seen, or that turns the text around, written as its number.

    What comes out can be encoded as UTF-8 even where a lone surrogate went in.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def cut(text: str, limit: int) -> tuple[str, int]:
    """The first `limit` characters of the text, and how many were left out."""
    return text[:limit], max(0, len(text) - limit)


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _UNSEEN:
        return character
    return f"⟨U+{ord(character):04X}⟩"
