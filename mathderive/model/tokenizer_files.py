"""Checks of the files of a tokenizer before a library reads them: kind, size, and the patterns in `tokenizer.json`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathderive.core.errors import InputError
from mathderive.core.files import read_json
from mathderive.model.hugging_face import check_file

MAX_TOKENIZER_BYTES = 2**25
"""Maximum size of a tokenizer's file; that of mT5, with 250,000 pieces, has half of it."""

MAX_PATTERN_LENGTH = 1000
"""Maximum length of a pattern in `tokenizer.json`; that of GPT-2 has about 100 characters."""

MAX_CHOICES = 64
"""Maximum number of ways through the groups and the optional parts (`?`) of a pattern; GPT-2's has 2."""

_SUFFIXES = frozenset({".json", ".model", ".txt", ".jinja", ".spm", ".codes"})
_NOT_OPENED = frozenset({"model.safetensors.index.json", "pytorch_model.bin.index.json", "trainer_state.json"})

_TOKEN = re.compile(r"\\[pPx]\{[^{}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|\(\?(?:<?[=!]|[:>])|.", re.DOTALL)
"""The smallest parts of a pattern: an escape, a class of characters, a quantifier, the start of a group, a character.

No two ways of reading a part overlap, so the time is linear in the pattern's length.
"""
_COUNT = re.compile(r"\{\d*,?\d*\}")
_REFERENCE = re.compile(r"\\[1-9kg]")


def check_tokenizer_files(folder: Path) -> None:
    """Checks every file of the folder that a tokenizer's reader may open.

    Raises:
        InputError: a file is no regular one, is too large, or leads out of the folder, or a pattern in `tokenizer.json`
            could take more than quadratic time in the length of a text.
    """
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.name not in _NOT_OPENED:
            check_file(path, MAX_TOKENIZER_BYTES, "a file of a tokenizer")
    path = folder / "tokenizer.json"
    if path.exists():
        try:
            tree = read_json(path, "a tokenizer", MAX_TOKENIZER_BYTES)
        except InputError as error:
            raise InputError(f"{folder}: the tokenizer cannot be read ({error})") from None
        for pattern in _patterns(tree):
            if (reason := slow_pattern(pattern)) is not None:
                raise InputError(f"{path}: the tokenizer cannot be read (Regex {pattern!r:.80}: {reason})")


def slow_pattern(pattern: str) -> str | None:
    """The reason why matching this pattern could take more than quadratic time, or None.

    A matcher that backtracks is fast where only single characters repeat, at most one of them in each alternative, and
    where few choices are left. So groups that repeat and references to an earlier match are refused, though some are
    fast.
    """
    if len(pattern) > MAX_PATTERN_LENGTH:
        return f"{len(pattern)} characters; expected at most {MAX_PATTERN_LENGTH}"
    repeats, choices, before = 0, 1, ""
    alternatives: list[int] = []  # of every open group
    for token in _TOKEN.findall(pattern):
        is_quantifier = token in ("*", "+", "?") or _COUNT.fullmatch(token) is not None
        if _REFERENCE.match(token):
            return "it refers to an earlier match"
        if is_quantifier and before == "quantifier" and token not in ("?", "+"):
            return "it repeats what is repeated already"
        if is_quantifier and before == "group":
            return "it repeats a group"
        if token[0] == "(":
            alternatives.append(1)
        elif token == ")" and alternatives:
            choices *= alternatives.pop()
        elif token == "|" and alternatives:
            alternatives[-1] += 1
        elif token == "|":
            repeats, choices = 0, 1
        elif is_quantifier and before != "quantifier":  # a second one makes the first lazy or possessive
            repeats += token != "?"
            choices *= 2 if token == "?" else 1
        if repeats > 1 or choices > MAX_CHOICES:
            return "it repeats more than one part, or leaves too many choices"
        before = "quantifier" if is_quantifier and before != "quantifier" else "group" if token == ")" else ""
    return None


def _patterns(tree: Any) -> Iterator[str]:
    """The texts under the key `Regex` of normalizers, pre-tokenizers and decoders, at any depth."""
    waiting = [tree.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")] if isinstance(tree, dict) else []
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            if isinstance(pattern := found.get("Regex"), str):
                yield pattern
            waiting += found.values()
