"""What a request may be before anything is made of it: its size, and the time its body takes to arrive."""

import asyncio
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mathderive.serving.protocol import Refusal

MAX_BODY_BYTES = 256 * 1024
BODY_SECONDS = 30.0

_DRAINED_BYTES = 4 * 1024 * 1024
"""So much of a body that is too large is thrown away, so that the client gets to read why; then it is cut off."""


class BoundedBodies:
    """ASGI middleware: reads the body, whole and within bounds, before the application sees the request."""

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
            await refused(refusal, close=True)(scope, receive, send)
            return
        except Refusal as refusal:
            await refused(refusal, close=True)(scope, receive, send)
            return
        if body is None:
            return  # the client is gone
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)


async def _read(receive: Receive) -> bytes | None:
    """The body; None where the client hung up first."""
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


def refused(refusal: Refusal, close: bool = False) -> JSONResponse:
    """The answer that a refusal stands for; `close` ends the connection, of which more may come."""
    headers: dict[str, Any] = {**refusal.headers, **({"connection": "close"} if close else {})}
    return JSONResponse(refusal.body.model_dump(), refusal.status, headers)
