"""Two queues for work, called lanes, so that long work does not hold up short work.

New work that looks short waits in the quick lane, in the order of arrival. There are two workers, or more. Some of them
take work from this lane only, and give each piece little time. Work that looks long, and work that was not finished in
that time, waits in the slow lane for the other workers. While the slow lane is empty, these take work from the quick
lane too. In both lanes, work that belongs to a batch and other work take turns.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class _Lane(Generic[T]):
    """Two queues, for items of batches and for others; while both have items, they are taken from in turn."""

    def __init__(self) -> None:
        self._others: deque[T] = deque()
        self._of_batches: deque[T] = deque()
        self._turn_of_batches = False

    def __len__(self) -> int:
        return len(self._others) + len(self._of_batches)

    def append(self, item: T, of_batch: bool) -> None:
        (self._of_batches if of_batch else self._others).append(item)

    def popleft(self) -> T:
        from_batches = bool(self._of_batches) and (self._turn_of_batches or not self._others)
        self._turn_of_batches = not from_batches
        return (self._of_batches if from_batches else self._others).popleft()

    def remove(self, item: T) -> bool:
        """Takes an item out; returns False if it is not there."""
        for queue in (self._others, self._of_batches):
            if item in queue:
                queue.remove(item)
                return True
        return False


class Lanes(Generic[T]):
    """The two lanes, with at most `max_quick` and `max_slow` items; an item is in one lane at most."""

    def __init__(self, max_quick: int, max_slow: int) -> None:
        self._quick: _Lane[T] = _Lane()
        self._slow: _Lane[T] = _Lane()
        self._max_quick, self._max_slow = max_quick, max_slow
        self._added = asyncio.Event()

    def __len__(self) -> int:
        return len(self._quick) + len(self._slow)

    @property
    def waiting_slow(self) -> int:
        """The number of items in the slow lane."""
        return len(self._slow)

    def add(self, item: T, is_quick: bool, of_batch: bool = False) -> bool:
        """Puts an item at the end of a lane; returns False, and does nothing, if the lane is full."""
        lane, size = (self._quick, self._max_quick) if is_quick else (self._slow, self._max_slow)
        if len(lane) >= size:
            return False
        lane.append(item, of_batch)
        self._added.set()
        return True

    def remove(self, item: T) -> bool:
        """Takes an item out; returns False if it is in no lane any more."""
        return self._quick.remove(item) or self._slow.remove(item)

    async def take(self, max_items: int, serves_slow: bool) -> tuple[list[T], bool]:
        """Waits for items and takes some from one lane; returns them, and whether it was the quick lane.

        Args:
            max_items: maximum number of items that are taken.
            serves_slow: whether items are taken from the slow lane if it has any; else only from the quick lane.
        """
        while not (self._quick or (serves_slow and self._slow)):
            self._added.clear()
            await self._added.wait()
        lane = self._slow if serves_slow and self._slow else self._quick
        return [lane.popleft() for _ in range(min(max_items, len(lane)))], lane is self._quick
