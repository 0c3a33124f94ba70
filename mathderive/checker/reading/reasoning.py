"""Separates a model's answer from the reasoning that it wrote into the same text.

Reasoning models put it between tags such as `<think>` and `</think>`. A server may swallow the opening tag, because its
chat template writes it into the prompt; and where the answer is cut, the closing tag is missing.
"""

import re

TAGS = "think|thinking|thought|thoughts|reasoning"
"""A pattern of the tags' names, in small letters; they may be written in others."""

_TAG = re.compile(rf"<(/?)({TAGS})>|\[(/?)({TAGS})\]", re.IGNORECASE)


def strip_reasoning(text: str, between: str = "") -> str:
    """The text without its reasoning, whose place `between` takes; text without such tags is unchanged.

    A closing tag without an opening one ends reasoning that began with the text. Reasoning that does not end goes on to
    the end of the text.
    """
    if not _TAG.search(text):
        return text
    kept: list[str] = []
    opened: str | None = None
    start = 0
    for tag in _TAG.finditer(text):
        closes, name = bool(tag[1] or tag[3]), (tag[2] or tag[4]).lower()
        if opened is None:
            if closes:
                kept.clear()
            else:
                kept.append(text[start : tag.start()])
            opened, start = (None if closes else name), tag.end()
        elif closes and name == opened:
            opened, start = None, tag.end()
    if opened is None:
        kept.append(text[start:])
    return between.join(kept).strip()
