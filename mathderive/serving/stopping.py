"""Stop sequences: an answer ends before the one that the model is first done with writing."""

from collections.abc import Sequence

MAX_STOPS = 16
"""Maximum number of stop sequences of a request."""

MAX_STOP_CHARACTERS = 500
"""Maximum characters of a stop sequence."""


def cut_at_stop(text: str, stops: Sequence[str]) -> str:
    """The text before the stop sequence that ends first, the longest of several; all of it if it has none.

    One that begins earlier and ends later does not count, because a model that is stopped never writes its end.
    """
    found = [(place + len(stop), place) for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(found)[1]] if found else text


class StopFilter:
    """Passes on the pieces of one streamed text up to its first stop sequence.

    An end that may be the beginning of a stop sequence is held back until more is known.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._text, self._passed = "", 0

    def add(self, piece: str, is_last: bool = False) -> str:
        """The part that may be passed on after one more piece, which is empty if none may."""
        self._text += piece
        end = len(cut_at_stop(self._text, self._stops))
        if end == len(self._text) and not is_last:
            end -= max((_overlap(self._text, stop) for stop in self._stops), default=0)
        passed, self._passed = self._passed, max(self._passed, end)
        return self._text[passed : self._passed]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of a text with which a stop sequence begins."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
