"""A cache whose size is bounded in bytes, for texts of any length."""

import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

TextT = TypeVar("TextT", bound=str)

_ENTRY_BYTES = 200
"""Approximate bytes of an entry beside its two texts."""


def cached_within(max_bytes: int) -> Callable[[Callable[[str], TextT | None]], Callable[[str], TextT | None]]:
    """Caches a function from a text to a text or None, in at most `max_bytes`.

    The entries that were not used for the longest time are dropped first. A text that is too large for the cache is
    not kept.
    """

    def decorate(function: Callable[[str], TextT | None]) -> Callable[[str], TextT | None]:
        entries: OrderedDict[str, TextT | None] = OrderedDict()
        lock = threading.Lock()
        used = 0

        @wraps(function)
        def cached(text: str) -> TextT | None:
            nonlocal used
            with lock:
                if text in entries:
                    entries.move_to_end(text)
                    return entries[text]
            result = function(text)
            size = _size(text, result)
            with lock:
                if text not in entries and size <= max_bytes:
                    entries[text] = result
                    used += size
                    while used > max_bytes:
                        used -= _size(*entries.popitem(last=False))
            return result

        return cached

    return decorate


def _size(text: str, result: str | None) -> int:
    return sys.getsizeof(text) + sys.getsizeof(result) + _ENTRY_BYTES
