"""Limits on connections: their number, and a client's time to send the head of a request and to read an answer."""

import time
from collections.abc import Iterable
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 600
"""Maximum number of open connections. Beyond it, the one that has waited longest for a request is closed."""

HEAD_SECONDS = 10.0
"""Maximum seconds in which the head of a request arrives, from the connection or from the answer before it."""

READ_SECONDS = 20.0
"""Maximum seconds in which a client reads nothing of an answer that waits to be sent."""


class BoundedConnection(H11Protocol):
    """A connection of uvicorn that knows whether its client is slow."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._no_head_since: float | None = time.monotonic()
        self._unsent = 0
        self._unread_since = time.monotonic()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            idle = [one for one in self.connections if isinstance(one, BoundedConnection) and one.no_head_since]
            min(idle, key=lambda one: one.no_head_since or 0.0, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._note_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._note_head()

    @property
    def no_head_since(self) -> float | None:
        """The time since when the head of the next request is missing; None while there is a request."""
        return self._no_head_since

    def _note_head(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._no_head_since = None
        elif self._no_head_since is None:
            self._no_head_since = time.monotonic()

    def note_reading(self, now: float) -> None:
        """Notes whether the client has read something since the last call; to be called about every second."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent < self._unsent:
            self._unread_since = now
        self._unsent = unsent

    def is_slow(self, now: float) -> bool:
        """Whether the client has taken too long to send a head or to read."""
        has_no_head = self._no_head_since is not None and now - self._no_head_since > HEAD_SECONDS
        return has_no_head or now - self._unread_since > READ_SECONDS


def end_slow_ones(connections: Iterable[Any]) -> None:
    """Aborts the connections of clients that take too long; to be called about every second."""
    now = time.monotonic()
    for connection in list(connections):
        if isinstance(connection, BoundedConnection):
            connection.note_reading(now)
            if connection.is_slow(now):
                connection.transport.abort()
