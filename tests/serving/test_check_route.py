"""`POST /check` answers as the checker does, refuses what its queue cannot hold, and stops when its client is gone."""

import json
import socket
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from mathderive.checker.checker import check
from tests.serving.test_protocol import send
from tests.support.served import KEY, Served


def test_derivations_are_checked_as_by_the_checker(served: Served) -> None:
    prompt = r"Given f{(x)} = x^{2}, then obtain \frac{d}{d x} f{(x)} = 2 x"
    derivation = r"f{(x)} = x^{2} and \frac{d}{d x} f{(x)} = \frac{d}{d x} x^{2} and \frac{d}{d x} f{(x)} = 3 x"
    status, _, body = send(served, "POST", "/check", json.dumps({"prompt": prompt, "derivation": derivation}))
    assert status == 200
    answer, validity = json.loads(body), check(prompt, derivation, rules="textbook")
    assert answer.pop("labels") == [step.label.model_dump() for step in validity.steps]
    assert answer.pop("filled") is None
    assert answer == json.loads(validity.model_dump_json())
    asked = {"prompt": prompt, "derivation": derivation, "rules": "paper"}
    assert json.loads(send(served, "POST", "/check", json.dumps(asked))[2])["rules"] == "paper"
    assert send(served, "POST", "/check", json.dumps({**asked, "rules": "own"}))[0] == 400
    status, _, body = send(served, "POST", "/check", json.dumps({"prompt": "Prove it.", "derivation": derivation}))
    assert status == 400
    assert json.loads(body)["error"]["param"] == "prompt"
    assert "a prompt begins with" in json.loads(body)["error"]["message"]


def test_derivations_beyond_the_queue_are_refused(served: Served) -> None:
    steps = " and ".join([r"f{(x)} = x^{2}"] * 200 + [rf"\int x^{{{n}}} d x = x^{{{n + 1}}}" for n in range(9)])
    asked = json.dumps({"prompt": "Given f{(x)} = x^{2}, then obtain x = 1", "derivation": steps})
    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(lambda _: send(served, "POST", "/check", asked), range(24)))
    refused = [headers for status, headers, _ in answers if status == 429]
    assert {status for status, _, _ in answers} == {200, 429}
    assert all(int(headers["Retry-After"]) > 0 for headers in refused)
    assert send(served, "POST", "/check", asked)[0] == 200


def test_checks_of_clients_that_hang_up_end(served: Served) -> None:
    host, port = urllib.parse.urlsplit(served.url).netloc.split(":")
    slow = " and ".join(rf"\int \int \int e^{{{k} x y z}} d x d y d z = x" for k in range(2, 62))
    asked = {"prompt": "Given f{(x)} = x^{2}, then obtain x = 1", "derivation": slow}
    body = json.dumps(asked).encode()
    head = f"POST /check HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    for _ in range(16):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            time.sleep(0.05)  # the check begins
    deadline = time.monotonic() + 30  # the 16 checks would take 160 s
    short = json.dumps({**asked, "derivation": "f{(x)} = x^{2}"})
    while send(served, "POST", "/check", short)[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
