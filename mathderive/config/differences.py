"""The keys in which two configs differ."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_ABSENT = object()


class Difference(NamedTuple):
    """A key with its two values as JSON; None where a config has no such key."""

    key: str
    first: str | None
    second: str | None


def differences(first: Any, second: Any, key: str = "") -> Iterator[Difference]:
    """Yields the keys in which two configs differ, as dotted paths in the order of the configs.

    Args:
        first, second: resolved configs, or parts of them, as plain JSON data.
        key: the path of these parts.
    """
    one, other = _children(first), _children(second)
    if one is not None and other is not None:
        for name in {**one, **other}:
            path = f"{key}.{name}" if key else name
            yield from differences(one.get(name, _ABSENT), other.get(name, _ABSENT), path)
    elif first != second:
        yield Difference(key, _as_text(first), _as_text(second))


def _children(value: Any) -> Mapping[str, Any] | None:
    """The parts of a section or of a list of sections by their names; None for any other value."""
    if isinstance(value, list) and value and all(isinstance(part, dict) for part in value):
        return {str(place): part for place, part in enumerate(value)}
    return value if isinstance(value, dict) else None


def _as_text(value: Any) -> str | None:
    return None if value is _ABSENT else json.dumps(value, ensure_ascii=False)
