"""Limits on requests: a body's size, the time that it takes to arrive, and no work for a client that hangs up."""

import asyncio
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mathderive.serving.protocol import Refusal

T = TypeVar("T")

MAX_BODY_BYTES = 256 * 1024
BODY_SECONDS = 30.0

_DRAINED_BYTES = 3 * 512 * 1024
"""Bytes of a too large body that are read and dropped so that the client can read the refusal; then it is cut off."""


class BoundedBodies:
    """ASGI middleware that reads the whole body, within the limits, before the application sees the request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_read(receive), BODY_SECONDS)
        except TimeoutError:
            refusal = Refusal(408, f"the request's body took longer than {BODY_SECONDS:.0f} s to arrive")
            await refusal_response(refusal, close=True)(scope, receive, send)
            return
        except Refusal as refusal:
            await refusal_response(refusal, close=True)(scope, receive, send)
            return
        if body is None:
            return  # the client hung up
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    """Reads the body; returns None if the client hung up first."""
    body, size, more = bytearray(), 0, True
    while more and size <= _DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part, more = message.get("body", b""), message.get("more_body", False)
        size += len(part)
        if size <= MAX_BODY_BYTES:
            body += part
    if size > MAX_BODY_BYTES:
        raise Refusal(413, f"the request's body is too large; expected at most {MAX_BODY_BYTES} bytes")
    return bytes(body)


async def wait_for_hang_up(request: Request) -> None:
    """Returns when the client has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def result_for(request: Request, work: "asyncio.Future[T]") -> T:
    """Waits for the result of work; cancels the work if the client hangs up first.

    Raises:
        Refusal: the client has hung up; nobody reads this.
    """
    gone = asyncio.ensure_future(wait_for_hang_up(request))
    either: set[asyncio.Future[Any]] = {work, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Refusal(499, "the client hung up")
        return work.result()
    finally:
        work.cancel()
        gone.cancel()


def refusal_response(refusal: Refusal, close: bool = False) -> JSONResponse:
    """The HTTP response to a refused request; `close` ends the connection, on which more of the body may arrive."""
    headers: dict[str, Any] = {**refusal.headers, **({"connection": "close"} if close else {})}
    return JSONResponse(refusal.body.model_dump(), refusal.status, headers)
