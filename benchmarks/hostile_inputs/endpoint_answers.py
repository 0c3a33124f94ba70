"""Hostile answers of chat endpoints: `python -m benchmarks.hostile_inputs.endpoint_answers NAME` gets one of them."""

import gzip
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks.hostile_inputs.attack import Attack
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.predictors.chat import ChatBaseline
from mathderive.predictors.settings import ChatSettings
from mathderive.records import Example

MESSAGE = {"role": "assistant", "content": "x = 1"}
COMPLETION = {
    "id": "a",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": MESSAGE}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


def _completion(**changes: object) -> bytes:
    return json.dumps({**COMPLETION, **changes}).encode()


def _choice(**changes: object) -> bytes:
    return _completion(choices=[{"index": 0, "finish_reason": "stop", "message": MESSAGE, **changes}])


def _response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join((f"HTTP/1.1 {status}", "Content-Type: application/json", *headers))
    return f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


ANSWERS: dict[str, bytes] = {
    "nothing": b"",
    "no HTTP": b"hello\r\n\r\n",
    "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10**6,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 10**5 + b"\r\n",
    "no JSON": _response(b"{"),
    "another form": _response(b"[]"),
    "deep": _response(b"[" * 10**5),
    "long number": _response(b'{"choices": ' + b"1" * 5_000 + b"}"),
    "gzip of 4 GB": _response(gzip.compress(bytes(2**22)) * 1_000, "Content-Encoding: gzip"),
    "no gzip": _response(b"x" * 100, "Content-Encoding: gzip"),
    "100 megabytes": _response(b" " * 10**8),
    "no choices": _response(_completion(choices=[])),
    "choices that are no list": _response(_completion(choices={"0": 1})),
    "content that is a list": _response(_choice(message={**MESSAGE, "content": [1]})),
    "content that is null": _response(_choice(message={**MESSAGE, "content": None})),
    "empty content": _response(_choice(message={**MESSAGE, "content": " \n"})),
    "finish reason error": _response(_choice(finish_reason="error")),
    "finish reason that is a list": _response(_choice(finish_reason=[])),
    "half a surrogate pair": _response(_choice(message={**MESSAGE, "content": "\ud800"})),
    "control characters": _response(_choice(message={**MESSAGE, "content": "\x1b[2J\x00\u202e"})),
    "a megabyte of text": _response(_choice(message={**MESSAGE, "content": "x = 1 and " * 10**5})),
    "usage beyond all numbers": _response(_completion(usage={"prompt_tokens": 10**400, "completion_tokens": 1})),
    "usage with unknown keys": _response(_completion(usage={"what": "ever"})),
    "usage that is a text": _response(_completion(usage="free")),
    "negative usage": _response(_completion(usage={"prompt_tokens": -5, "completion_tokens": -5})),
    "status 401 with a long body": _response(b"x" * 10**7, status="401 No"),
    "status 500 with the key": _response(b'{"error": {"message": "secret"}}', status="500 No"),
    "status 999": _response(b"{}", status="999 What"),
    "status 204": _response(b"", status="204 No Content"),
    "redirection to itself": _response(b"", "Location: /v1/chat/completions", status="307 Temporary Redirect"),
    "redirection to a file": _response(b"", "Location: file:///etc/passwd", status="302 Found"),
    "a body that is cut": _response(_completion())[:-20],
    "wrong length": _response(_completion()).replace(b"Content-Length: ", b"Content-Length: -"),
}
"""What the endpoint sends, by name."""


def attacks() -> Iterator[Attack]:
    """Yields every hostile answer; a run may also note it as failed."""
    for name in ANSWERS:
        yield Attack(name, lambda folder: None, ("-m", __name__, name), may_succeed=True)


def _answer_all(listening: socket.socket, answer: bytes) -> None:
    while True:
        connection, _ = listening.accept()
        with connection:
            try:
                connection.recv(2**16)
                connection.sendall(answer)
            except OSError:
                pass  # the client has read enough


def main() -> int:
    """Asks an endpoint that gives the named answer."""
    listening = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_answer_all, args=(listening, ANSWERS[sys.argv[1]]), daemon=True).start()
    settings = ChatSettings(
        kind="openai",
        name="m",
        model="m",
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1",
        few_shot=0,
        max_attempts=2,
        timeout_seconds=5.0,
    )
    example = Example(id="0-static", source_id="0", set="static", prompt="p", target="x = 1", steps=[])
    model = ChatBaseline(settings, "sk-secret", [], 0, Path("ledger.sqlite"))
    try:
        for predictions in model.predict([[example]]):
            print([prediction.error for prediction in predictions])
    except InputError as error:
        say(f"mathderive: {error}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
