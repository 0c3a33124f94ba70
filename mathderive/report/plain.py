"""Text from outside, made safe to show: no character in it is invisible or changes the text around it."""

import unicodedata

KEPT = "\n\t"
"""Control characters that are shown as they are."""
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories of controls, formats (with bidirectional ones), surrogates, private, unassigned and breaks."""


def visible(text: str) -> str:
    """Replaces every character that is invisible or changes the text's direction by its number.

    The result can be encoded as UTF-8 even if the text has lone surrogates.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def cut(text: str, limit: int) -> tuple[str, int]:
    """Returns the first `limit` characters of the text and the number of characters left out."""
    return text[:limit], max(0, len(text) - limit)


def _shown(character: str) -> str:
    if character in KEPT or unicodedata.category(character) not in UNSEEN:
        return character
    return f"⟨U+{ord(character):04X}⟩"
