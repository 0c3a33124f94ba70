"""Removes secrets from an endpoint's own words before they are shown or recorded: endpoints repeat keys in errors."""

import base64
import re
import urllib.parse
from collections.abc import Iterable

HIDDEN = "[redacted]"
"""The text in a secret's place."""

MOST_CHARACTERS = 500
"""Maximum characters of an endpoint's words."""

LONGEST_READ = 20_000
"""Maximum characters of a text that are looked at."""

_FRAGMENT = 6
"""Characters of a secret in a row that are hidden too, since endpoints show keys in part."""

_PATTERNS = (
    # a password in an address, or a value that is named a secret
    re.compile(r"(?<=://)[^\s/@]+(?=@)"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[^\s\"',;]+"),
    re.compile(
        r"(?i)(?<![a-z])(?:x-)?(?:api|access|auth|secret|private|subscription)[-_ ]?(?:key|token)s?[\"']?\s*[:=]\s*"
        r"[\"']?[^\s\"',;]+"
    ),
    # keys as providers write them: a short prefix; or long and opaque; or masked
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|ghp|key|pplx|nvapi|r8|fw)[-_](?=[\w.*-]*[\d*A-Z_-])[\w.*-]{4,}[\w*-]"),
    re.compile(r"\bAIza[\w-]{8,}"),
    re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9_-]{32,}={0,2}"),
    re.compile(r"[\w.-]*\*{3,}[\w.*-]*"),
)


class Redactor:
    """Hides some secrets, whole and in part, and everything that looks like a key.

    Args:
        secrets: the secrets; empty ones do not count.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {secret.strip() for secret in secrets if secret.strip()}
        self._secrets = sorted({form.casefold() for secret in found for form in _forms(secret)}, key=len, reverse=True)

    def redact(self, text: str, longest: int = MOST_CHARACTERS) -> str:
        """The text on one line, without secrets and control characters, cut to `longest` characters."""
        # Invisible characters are dropped, because they could stand inside a secret.
        line = "".join(c for c in " ".join(text[:LONGEST_READ].split()) if c.isprintable())
        for pattern in _PATTERNS:
            line = pattern.sub(HIDDEN, line)
        line = " ".join(self._without_secrets(line).split())
        return line if len(line) <= longest else f"{line[: longest - 4]} ..."

    def _without_secrets(self, line: str) -> str:
        folded = line.casefold()
        if len(folded) != len(line):  # places in one are not places in the other
            line = folded
        hidden = bytearray(len(line))
        for secret in self._secrets:
            size = min(len(secret), _FRAGMENT)
            fragments = {secret[start : start + size] for start in range(len(secret) - size + 1)}
            for start in range(len(line) - size + 1):
                if folded[start : start + size] in fragments and (size == _FRAGMENT or _is_word(folded, start, size)):
                    hidden[start : start + size] = b"\1" * size
        parts = []
        for place, character in enumerate(line):
            if not hidden[place]:
                parts.append(character)
            elif place == 0 or not hidden[place - 1]:
                parts.append(HIDDEN)
        return "".join(parts)


def _is_word(text: str, start: int, size: int) -> bool:
    """Whether a short secret stands alone; it may be part of any word otherwise."""
    return not text[max(0, start - 1) : start].isalnum() and not text[start + size : start + size + 1].isalnum()


def _forms(secret: str) -> Iterable[str]:
    """A secret as it is, in a URL, and in base 64."""
    return secret, urllib.parse.quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")
