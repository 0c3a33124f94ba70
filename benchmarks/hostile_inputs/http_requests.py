"""Hostile HTTP requests: `python -m benchmarks.hostile_inputs.http_requests NAME` sends one to a server of its own.

The server's model answers every prompt with one equation, so that nothing is loaded. A request is refused if its status
is 4xx. The server must answer an honest request afterwards.
"""

import asyncio
import json
import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any, cast

from benchmarks.hostile_inputs.attack import Attack
from mathderive.core.progress import say
from mathderive.predictors.t5 import Completion, T5Model

PROMPT = "Given x = 1, then obtain x = 1"
CHAT, CHECK, TYPESET = "/v1/chat/completions", "/check", "/typeset"
MESSAGES = [{"role": "user", "content": PROMPT}]
ASKED = {"model": "m", "messages": MESSAGES}


class OneAnswer:
    """A model that answers every prompt in the same way."""

    name = "m"

    def encode(self, prompt: str) -> list[int]:
        return list(range(len(prompt) // 4 + 1))

    def complete(
        self, sources: Sequence[Sequence[int]], limits: Sequence[int], watch: Any, min_source_length: int
    ) -> list[Completion]:
        return [Completion("x = 1", "stop", len(source), 1) for source in sources]

    def compile_short(self, source_length: int, target_length: int) -> None:
        pass


def _post(path: str, body: object, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = (f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", f"Content-Length: {len(content)}")
    return "\r\n".join((*lines, *headers, "", "")).encode() + content


def _check(derivation: str, prompt: str = PROMPT) -> bytes:
    return _post(CHECK, {"prompt": prompt, "derivation": derivation})


REFUSED: dict[str, bytes] = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100) + b"\r\n\r\n",
    "unknown method": b"MAKE / HTTP/1.1\r\nHost: x\r\n\r\n",
    "unknown path": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "path of 100 kilobytes": b"GET /" + b"a" * 10**5 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "negative length": b"POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "no chunk": b"POST /check HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n",
    "body of a megabyte": _post(CHECK, b" " * 10**6),
    "no JSON": _post(CHECK, b"{"),
    "no UTF-8": _post(CHECK, b"\xff\xfe"),
    "deep JSON": _post(CHECK, b"[" * 10**5),
    "long number": _post(CHAT, b'{"model": ' + b"1" * 5_000 + b"}"),
    "not a number": _post(CHAT, b'{"model": "m", "temperature": NaN, "messages": []}'),
    "half a surrogate pair": _post(CHECK, {"prompt": "\ud800", "derivation": "x"}),
    "unknown keys": _post(CHECK, {"prompt": PROMPT, "derivation": "x", "further": 1}),
    "another model": _post(CHAT, {**ASKED, "model": "\x1b[2J"}),
    "many messages": _post(CHAT, {**ASKED, "messages": MESSAGES * 1_000}),
    "long prompt": _post(CHAT, {**ASKED, "messages": [{"role": "user", "content": "x" * 10**5}]}),
    "no tokens": _post(CHAT, {**ASKED, "max_tokens": 0}),
    "10^400 tokens": _post(CHAT, {**ASKED, "max_tokens": "MANY"}).replace(b'"MANY"', b"1" + b"0" * 400),
    "many equations to typeset": _post(TYPESET, {"equations": ["x"] * 1_000}),
    "long equation to typeset": _post(TYPESET, {"equations": ["x" * 10_000]}),
    "prompt of another form": _check("x = 1", "Prove it"),
    "long derivation": _check("x" * 30_000),
}
"""Requests that must be refused."""

ACCEPTED: dict[str, bytes] = {
    "spaces in a derivation": _check(" " * 20_000),
    "tabs in an equation": _check("x" + "\t" * 19_000 + "= 1"),
    "10,000 equations": _check("x\n" * 10_000),
    "heavy equations": _check(r"x^{x^{x^{x^{9}}}} = \frac{d^{5}}{d x^{5}} x^{x^{x^{x}}}" + "\n", PROMPT),
    "300 premises": _check("x=y\n" * 4_990, f"Given {' and '.join(['a=b'] * 300)}, then obtain a=b"),
    "nesting": _check("(" * 9_000 + ")" * 9_000),
    "control characters": _check("\x1b[2J\x00\u202e = 1"),
    "dollar signs to typeset": _post(TYPESET, {"equations": [], "sentences": ["$" * 50_000]}),
    "commands to typeset": _post(TYPESET, {"equations": [r"\frac{" * 300, r"\href{javascript:x}{y}", "\x00"]}),
    "stream": _post(CHAT, {**ASKED, "stream": True}),
}
"""Requests that are answered."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile request."""
    for name in REFUSED:
        yield Attack(name, lambda folder: None, ("-m", __name__, name))
    for name in ACCEPTED:
        yield Attack(name, lambda folder: None, ("-m", __name__, name), may_succeed=True)


def _serve(listening: socket.socket) -> None:
    import uvicorn

    from mathderive.serving.app import make_app
    from mathderive.serving.chat import ServerSettings

    settings = ServerSettings(
        batch_size=2, waiting=4, max_prompt_tokens=1_000, max_answer_tokens=10, key=None, is_greedy=True
    )
    app = make_app(cast(T5Model, OneAnswer()), settings)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    asyncio.run(server.serve([listening]))


def _send(port: int, request: bytes) -> int:
    """The status of the response; 0 if the server closes the connection without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(request)
            head = connection.recv(64)
        except ConnectionError:
            head = b""  # it was refused before it was read
        return int(head.split(b" ")[1]) if head.startswith(b"HTTP/1.1 ") else 0


def main() -> int:
    """Sends the named request."""
    logging.raiseExceptions = False
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    threading.Thread(target=_serve, args=(listening,), daemon=True).start()
    honest = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    while _send(port, honest) != 200:
        time.sleep(0.1)
    while sys.argv[1] in ACCEPTED and _send(port, _check("x = 1")) != 200:
        time.sleep(0.1)  # the child processes that check are not there yet
    status = _send(port, {**REFUSED, **ACCEPTED}[sys.argv[1]])
    if _send(port, honest) != 200:
        print("the server no longer answers", file=sys.stderr)
        return 3
    if 400 <= status < 500 or status == 0:
        say(f"mathderive: refused with status {status}")
        return 2
    return 0 if status == 200 else 3


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # threads of the server would delay the end by seconds
