"""An HTTP proxy on loopback that spoils a share of the requests and counts them."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

FAULTS = ("429 with Retry-After", "429", "500", "cut before", "cut in the middle", "stall", "broken JSON")

_STATUS = {
    "429 with Retry-After": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
}


class FaultyProxy:
    """Passes requests on to a port of this machine.

    A fault that loses an answer still sends the request to the endpoint, so that it is billed as in practice.

    Attributes:
        arrivals: the time of each request, by the monotonic clock.
        delivered: number of answers that reached their client whole.
        faults: how often each fault occurred.
    """

    def __init__(self, upstream: int, share: float, seed: int) -> None:
        self._upstream, self._share, self._random = upstream, share, random.Random(seed)
        self.arrivals: list[float] = []
        self.delivered = 0
        self.faults: Counter[str] = Counter()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def most_arrivals(self, seconds: float) -> int:
        """The maximum number of requests within any window of this many seconds."""
        return max(
            sum(start <= arrival < start + seconds for arrival in self.arrivals[index:])
            for index, start in enumerate(self.arrivals)
        )

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one client until either side cuts the connection."""
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client went away
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read_message(reader)
        self.arrivals.append(time.monotonic())
        fault = self._random.choice(FAULTS) if self._random.random() < self._share else None
        if fault is not None:
            self.faults[fault] += 1
        if fault in _STATUS:
            writer.write(_STATUS[fault])
            await writer.drain()
            return True
        answer = await self._ask(request)
        if fault == "stall":
            await reader.read(1)  # until the client gives up
        if fault in ("stall", "cut before") or reader.at_eof():
            return False
        if fault == "cut in the middle":
            answer = answer[: len(answer) - 20]
        if fault == "broken JSON":
            answer = answer[:-20] + b"\\" * 20
        writer.write(answer)
        await writer.drain()
        self.delivered += fault is None
        return fault != "cut in the middle"

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            writer.write(request)
            return (await _read_message(reader)).replace(b"HTTP/1.0", b"HTTP/1.1", 1)
        finally:
            writer.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = (line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return head + await reader.readexactly(int(length))


@contextmanager
def spoiling(upstream: int, share: float = 0.2, seed: int = 0) -> Iterator[FaultyProxy]:
    """A running proxy for the duration of the block."""
    proxy = FaultyProxy(upstream, share, seed)
    ready = threading.Event()
    stop: Callable[[], object] = ready.clear

    async def serve() -> None:
        nonlocal stop
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        stop = partial(loop.call_soon_threadsafe, stopped.set)
        server = await asyncio.start_server(proxy.connected, "127.0.0.1", 0, limit=2**20, backlog=256)
        proxy.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stopped.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield proxy
    finally:
        stop()
        thread.join()
