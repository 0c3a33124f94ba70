"""A chat endpoint on loopback that echoes prompts and fails on demand."""

import json
import sys
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.running_server import running

KEY = "sk-secret-of-this-test"

Fault = int | tuple[int, str | bytes] | bytes | dict[str, Any]
"""A fault: a status, perhaps with an error code or a body; the body of a success; or changes to the answer's choice."""

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


class ChatServer(ThreadingHTTPServer):
    """Answers with one of `faults` per request, the last one first, and with completions after that.

    Attributes:
        requests: the bodies of all requests, each with its `headers` and `path`.
        faults: the faults still to come.
        billed: number of completions, including those that never arrived.
        delay: seconds that each response takes.
        usage: the `usage` of every completion, or a function of the prompt; `USAGE` counts the tokens of every choice.
        accepts: the largest `n` that is not refused.
        gives: the largest number of choices, whatever `n` is.
        choices: number of choices of all completions.
        headers: additional headers of every response.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.billed = 0
        self.delay = 0.0
        self.usage: object = USAGE
        self.accepts = self.gives = 128
        self.choices = 0
        self.headers: dict[str, str] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # the client was killed
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def serving() -> AbstractContextManager[ChatServer]:
    """A running server for the duration of a block."""
    return running(ChatServer())


def answer_to(prompt: str, seed: int | None = None, index: int = 0) -> str:
    # The first equation cannot be read, so no answer is verified, although the prompt holds what it asks for.
    return f"1 = ) answer to {prompt}" + (f", seed {seed}, choice {index}" if seed is not None else "")


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({**body, "headers": self.headers, "path": self.path})
        fault: Fault = self.server.faults.pop() if self.server.faults else {}
        if body.get("n", 1) > self.server.accepts:
            fault = 400
        time.sleep(self.server.delay)
        if isinstance(fault, int | tuple):
            # Some endpoints repeat the key in their error messages.
            status, code = fault if isinstance(fault, tuple) else (fault, KEY)
            error = {"error": {"message": f"refused {KEY}", "code": code}}
            self._send(status, code if isinstance(code, bytes) else json.dumps(error).encode())
            return
        self.server.billed += 1
        self._send(200, fault if isinstance(fault, bytes) else self._completion(body, fault))

    def _completion(self, body: dict[str, Any], changes: dict[str, Any]) -> bytes:
        prompt, seed = body["messages"][0]["content"], body.get("seed")
        choices = []
        for index in range(min(body.get("n", 1), self.server.gives)):
            message = {"role": "assistant", "content": answer_to(prompt, seed, index), "refusal": None}
            choices.append({"index": index, "finish_reason": "stop", "message": message})
        choices[0] |= changes
        self.server.choices += len(choices)
        usage = self.server.usage
        if callable(usage):
            usage = usage(prompt)
        if usage is USAGE:
            usage = {**USAGE, "completion_tokens": len(choices) * USAGE["completion_tokens"]}
        fields = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
        return json.dumps({**fields, "choices": choices, "usage": usage}).encode()

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass
