"""An endpoint's own words about an error, and the setting of the config that they ask to change."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import openai

_WORD_FIELDS = ("message", "msg", "detail", "error", "errors", "error_description", "status_msg", "title", "reason")
"""Fields of an error in which endpoints say what is wrong, the plainest first."""

_DEEPEST = 8
"""Maximum depth of an error that is read."""

_TOO_LONG = re.compile(
    r"context.{0,3}(length|window|size)|(prompt|input|messages?)\b.{0,40}\btoo long|reduce the length|too many tokens",
    re.IGNORECASE,
)
"""Words about one question that is too long, not about a setting."""

_PLAIN_WORDS = frozenset({"stop", "user", "seed", "tools", "reasoning", "thinking", "store", "metadata", "functions"})
"""Names of parameters that sentences use as well; only a quoted one is taken for the parameter."""


class Refused(NamedTuple):
    """An endpoint's refusal of a request in its own words; `parameter` and `code` are its own or empty."""

    status: int
    words: str
    parameter: str
    code: str


def read_refusal(error: openai.APIStatusError) -> Refused:
    """Reads an error response, of whatever form. The words are as the endpoint wrote them, secrets included."""
    try:
        body: Any = json.loads(error.response.text)
    except (ValueError, RecursionError):
        text = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", error.response.text[:20_000], flags=re.DOTALL)
        return Refused(error.status_code, text, "", "")
    details = list(_mappings(body))
    return Refused(error.status_code, find_words(body), _first(details, "param"), _first(details, "code"))


def find_words(value: Any, depth: int = 0) -> str:
    """The words in an error, which is a text, a list, or a mapping with one of the usual fields."""
    if isinstance(value, str):
        return value
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, list):
        return "; ".join(filter(None, (find_words(inner, depth + 1) for inner in value[:5])))
    if not isinstance(value, Mapping):
        return ""
    named = [find_words(value[name], depth + 1) for name in _WORD_FIELDS if value.get(name)]
    words = [next(filter(None, named), "")]
    # A validator names the place of the mistake; a gateway passes on the words of the provider behind it.
    place, metadata = value.get("loc"), value.get("metadata")
    if isinstance(place, list):
        words.append(".".join(map(str, place)))
    if isinstance(metadata, Mapping):
        words.append(find_words(metadata.get("raw"), depth + 1))
    return ": ".join(filter(None, words)) or (json.dumps(value)[:1000] if depth == 0 and value else "")


def setting_to_change(refused: Refused, sent: Mapping[str, Any]) -> str | None:
    """The config's setting that the endpoint refuses in every request, and what is expected of it; null for none.

    Args:
        sent: the parameters of the request, as the config sets them.
    """
    if is_too_long(refused):
        return None
    about = refused.parameter.partition(".")[0].partition("[")[0]
    name = about if about in sent else next((name for name in sent if _names(refused.words, name, sent[name])), None)
    match name:
        case None:
            return None
        case "temperature":
            return "temperature: null, which sends none, or a value that it takes"
        case "max_tokens" if "max_completion_tokens" in refused.words:
            return f"max_tokens: null and parameters: {{max_completion_tokens: {sent[name]}}}"
        case "max_tokens":
            return "another max_tokens, or null"
        case "max_completion_tokens" if re.search(r"\bmax_tokens\b", refused.words):
            return f"max_tokens: {sent[name]} in place of parameters.max_completion_tokens"
        case _:
            return f"another value of parameters.{name}, or none"


def is_too_long(refused: Refused) -> bool:
    """Whether the endpoint refuses one question because it is too long."""
    return refused.code == "context_length_exceeded" or bool(_TOO_LONG.search(refused.words))


def _names(words: str, name: str, value: Any) -> bool:
    """Whether the words name a parameter, or a key inside of its value."""
    inner = [name, *(str(key) for key in value)] if isinstance(value, Mapping) else [name]
    return any(_stands_in(words, one) for one in inner)


def _stands_in(words: str, name: str) -> bool:
    quoted = "" if name.lower() not in _PLAIN_WORDS and len(name) > 2 else r"[`'\"]"
    escaped = re.escape(name).replace("_", "[_ ]?")
    return bool(re.search(rf"(?<![A-Za-z0-9_]){quoted}{escaped}{quoted}(?![A-Za-z0-9_])", words, re.IGNORECASE))


def _mappings(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth < _DEEPEST and isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _mappings(inner, depth + 1)
    elif depth < _DEEPEST and isinstance(value, list):
        for inner in value[:5]:
            yield from _mappings(inner, depth + 1)


def _first(details: list[Mapping[str, Any]], name: str) -> str:
    """The first text that errors have in a field."""
    return next((detail[name] for detail in details if isinstance(detail.get(name), str)), "")
