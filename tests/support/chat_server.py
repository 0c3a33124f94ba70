"""A chat endpoint on loopback that says back what it was asked, and fails where it is told to."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-secret-of-this-test"

Fault = int | tuple[int, str] | bytes | dict[str, Any]
"""An error's status, with a code perhaps, the bytes of an answer, or what is otherwise in its choice."""

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


class ChatServer(ThreadingHTTPServer):
    """Hands out the faults it was given, one a request and the last first, then answers.

    Attributes:
        requests: the bodies, with the headers that came along.
        billed: completions, whatever became of them on their way.
        delay: seconds that each takes.
        headers: of every response, beside its own.
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
        self.headers: dict[str, str] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@contextmanager
def serving() -> Iterator[ChatServer]:
    """A server at work while the block runs."""
    with ChatServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer_to(prompt: str) -> str:
    return f"answer to {prompt}"


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({**body, "headers": self.headers})
        fault = self.server.faults.pop() if self.server.faults else {}
        time.sleep(self.server.delay)
        if isinstance(fault, int | tuple):
            # Endpoints have been seen to repeat the key in their complaints.
            status, code = fault if isinstance(fault, tuple) else (fault, KEY)
            self._send(status, json.dumps({"error": {"message": f"refused {KEY}", "code": code}}).encode())
            return
        self.server.billed += 1
        self._send(200, fault if isinstance(fault, bytes) else self._completion(body, fault))

    def _completion(self, body: dict[str, Any], changes: dict[str, Any]) -> bytes:
        message = {"role": "assistant", "content": answer_to(body["messages"][0]["content"]), "refusal": None}
        choice = {"index": 0, "finish_reason": "stop", "message": message, **changes}
        fields = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"]}
        return json.dumps({**fields, "choices": [choice], "usage": self.server.usage}).encode()

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
