r"""Splitting an answer into its equations, for everything that reads one.

` and ` and the end of a line separate two equations. The text comes from anywhere, so the time is linear in its length:
each run of spaces is looked at once, where a pattern such as `\s+and\s+` would try every place in it.
"""

import re

MAX_CHARACTERS = 2**20
"""Maximum number of characters of an answer that are split."""

MAX_PARTS = 10_000
"""Maximum number of parts of an answer. The longest reference has 9 equations."""

_GAP = re.compile(r"\s+")
_WORD = "and"


def split_answer(text: str) -> list[str]:
    """The equations of an answer as written; ` and ` or the end of a line separates two of them.

    The text beyond `MAX_CHARACTERS`, and beyond `MAX_PARTS` parts, is not split: it belongs to the last part.
    """
    text = text.strip()
    parts: list[str] = []
    start = end = 0
    for gap in _GAP.finditer(text, 0, MAX_CHARACTERS):
        if gap.start() < end:
            continue  # it follows the `and` of the last separator
        word_end = gap.end() + len(_WORD)
        if text.startswith(_WORD, gap.end()) and text[word_end : word_end + 1].isspace():
            rest = _GAP.match(text, word_end)
            assert rest is not None
            next_start = rest.end()
        elif "\n" in gap[0]:
            next_start = gap.end()
        else:
            continue
        if len(parts) == MAX_PARTS - 1:
            break
        if gap.start() > start:
            parts.append(text[start : gap.start()])
        start = end = next_start
    return [*parts, text[start:]] if start < len(text) else parts
