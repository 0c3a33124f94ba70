"""Splitting an answer into its equations, for everything that reads one."""

import re

_BREAK = re.compile(r"\s+and\s+|\s*\n\s*(?:and\s+)?")


def split_answer(text: str) -> list[str]:
    """The equations of an answer as written; ` and ` or the end of a line separates two of them."""
    return [part.strip() for part in _BREAK.split(text.strip()) if part.strip()]
