"""Two lanes for work that waits, so that work that takes long holds up no short work.

New work that looks short waits in the quick lane, in the order of arrival. One of two workers takes work from this lane
alone, and gives each piece little time. Work that looks long, and work that was not finished in that time, waits in the
slow lane for the other worker. Where nothing waits there, that worker helps with the quick lane.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """The two lanes, with at most `most_quick` and `most_slow` items; an item is in one lane at most."""

    def __init__(self, most_quick: int, most_slow: int) -> None:
        self._quick: deque[T] = deque()
        self._slow: deque[T] = deque()
        self._most_quick, self._most_slow = most_quick, most_slow
        self._added = asyncio.Event()

    def __len__(self) -> int:
        return len(self._quick) + len(self._slow)

    @property
    def waiting_slow(self) -> int:
        """The number of items in the slow lane."""
        return len(self._slow)

    def add(self, item: T, is_quick: bool) -> bool:
        """Puts an item at the end of a lane; returns False, and does nothing, if the lane is full."""
        lane, most = (self._quick, self._most_quick) if is_quick else (self._slow, self._most_slow)
        if len(lane) >= most:
            return False
        lane.append(item)
        self._added.set()
        return True

    def remove(self, item: T) -> bool:
        """Takes an item out; returns False if it is not there any more."""
        for lane in (self._quick, self._slow):
            if item in lane:
                lane.remove(item)
                return True
        return False

    async def take(self, most: int, serves_slow: bool) -> tuple[list[T], bool]:
        """Waits for items, and takes up to `most` of one lane; returns them, and whether they are of the quick lane.

        Args:
            serves_slow: whether the slow lane goes before the quick one, or is left alone.
        """
        while not (self._quick or (serves_slow and self._slow)):
            self._added.clear()
            await self._added.wait()
        lane = self._slow if serves_slow and self._slow else self._quick
        return [lane.popleft() for _ in range(min(most, len(lane)))], lane is self._quick
