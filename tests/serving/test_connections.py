"""Connections of clients that do not speak or do not read are closed, and others are not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from mathderive.serving import connections
from mathderive.serving.connections import BoundedConnection, end_slow_ones

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def _app(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x" * 10**6})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """A server of an answer of a megabyte; clients that are too slow are ended often."""
    server = uvicorn.Server(uvicorn.Config(_app, http=BoundedConnection, ws="none", lifespan="off", log_level="error"))
    listening = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:
        await asyncio.sleep(0.01)

    async def end_often() -> None:
        while True:
            end_slow_ones(server.server_state.connections)
            await asyncio.sleep(0.05)

    ending = asyncio.create_task(end_often())
    yield server, listening.getsockname()[1]
    ending.cancel()
    server.should_exit = True
    await task


@pytest.fixture
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    monkeypatch.setattr(connections, "READ_SECONDS", 0.5)


async def _is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(10):
            while await reader.read(2**16):
                pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


@pytest.mark.usefixtures("_short_limits")
@pytest.mark.parametrize("sent", [b"", REQUEST[:9]], ids=["nothing", "half a head"])
def test_a_client_that_sends_no_head_is_closed(sent: bytes) -> None:
    async def run() -> None:
        async with serving() as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            assert await _is_closed(reader)
            writer.close()

    asyncio.run(run())


@pytest.mark.usefixtures("_short_limits")
def test_a_client_that_does_not_read_is_closed() -> None:
    async def run() -> None:
        async with serving() as (server, port):
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, ("127.0.0.1", port))
                await loop.sock_sendall(client, REQUEST * 20)
                while not server.server_state.connections:
                    await asyncio.sleep(0.01)
                async with asyncio.timeout(10):
                    while server.server_state.connections:
                        await asyncio.sleep(0.01)

    asyncio.run(run())


def test_a_client_that_begins_to_read_late_gets_the_whole_answer() -> None:
    async def run() -> None:
        async with serving() as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            await asyncio.sleep(0.3)
            assert (await reader.read()).count(b"x" * 1000) == 1000
            writer.close()

    asyncio.run(run())


def test_the_connection_that_has_waited_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)

    async def run() -> None:
        async with serving() as (_, port):
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
            assert await _is_closed(clients[0][0])
            for reader, writer in clients[1:]:
                writer.write(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
                assert (await reader.read()).startswith(b"HTTP/1.1 200")
            for _, writer in clients:
                writer.close()

    asyncio.run(run())
