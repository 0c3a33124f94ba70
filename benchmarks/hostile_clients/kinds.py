"""The kinds of hostile clients: each one opens one connection and returns when it is over."""

import asyncio
import itertools
import json
import random
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

HOLD_SECONDS = 60.0
"""Maximum seconds for which a client holds its connection."""

CHAT, CHECK, TYPESET = "/v1/chat/completions", "/check", "/typeset"

_NUMBERS = itertools.count()


class Connection:
    """A connection of a hostile client."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket, self._loop = sock, asyncio.get_running_loop()

    async def send(self, content: bytes) -> None:
        await self._loop.sock_sendall(self._socket, content)

    async def trickle(self, content: bytes, pause: float) -> None:
        """Sends a byte at a time."""
        for byte in content:
            await self.send(bytes([byte]))
            await asyncio.sleep(pause)

    async def read(self) -> bytes:
        """The beginning of the response; empty if the server closed the connection."""
        return await self._loop.sock_recv(self._socket, 4096)

    async def read_all(self) -> bytes:
        """The whole response of a server that closes the connection after it."""
        content = b""
        while part := await self.read():
            content = (content + part)[:4096]
        return content

    async def hold(self) -> None:
        """Waits until the server closes the connection, which is seen when something is read."""
        await self.read_all()

    def reset(self) -> None:
        """Makes closing the connection abort it."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def connected(address: tuple[str, int], buffer: int | None = None) -> AsyncIterator[Connection]:
    """Opens a connection, perhaps with a small buffer for what is received."""
    with socket.socket() as sock:
        sock.setblocking(False)
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        await asyncio.get_running_loop().sock_connect(sock, address)
        yield Connection(sock)


def post(path: str, body: object, *, length: int | None = None) -> bytes:
    """A request; `length` is the length that it claims."""
    content = json.dumps(body).encode()
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: x",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content) if length is None else length}",
    )
    return "\r\n".join((*lines, "", "")).encode() + content


def chat(prompt: str, **more: object) -> bytes:
    """A chat completion of the greatest length."""
    return post(CHAT, {"model": "mini", "messages": [{"role": "user", "content": prompt}], "max_tokens": 10**6, **more})


def check(derivation: str) -> bytes:
    """A check of a derivation that the server has not seen."""
    return post(CHECK, {"prompt": f"Given x = {next(_NUMBERS)}, then obtain x = 1", "derivation": derivation})


def heavy_equation() -> str:
    """A short equation that takes the checker long."""
    first, second = random.randint(2, 99), random.randint(2, 99)
    return random.choice(
        (
            rf"\int \int e^{{{first} x y}} \sin{{({second} x y)}} dx dy = x",
            rf"x^{{x^{{x^{{{first}}}}}}} = \frac{{d^{{5}}}}{{d x^{{5}}}} x^{{x^{{{second} x}}}}",
            rf"\frac{{d^{{9}}}}{{d x^{{9}}}} \sin^{{9}}{{({first} x)}} e^{{x^{{2}}}} = {second}",
        )
    )


def long_prompt() -> str:
    """A prompt of nearly the greatest length."""
    equations = [rf"f_{{{random.randint(1, 9)}}} = \frac{{d}}{{d x}} \sin{{(x)}}" for _ in range(14)]
    return f"Given {' and '.join(equations)}, then obtain x = {random.randint(1, 99)}"


async def ask(address: tuple[str, int], request: bytes) -> str:
    """Sends a request and reads the response; returns its status."""
    async with connected(address) as connection:
        await connection.send(request)
        return (await connection.read_all())[9:12].decode() or "closed"


async def say_nothing(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        await connection.hold()
    return "closed"


async def trickle_head(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        await connection.trickle(b"GET /healthz HTTP/1.1\r\n" + b"X-Long: y\r\n" * 99, 0.5)
    return "sent"


async def trickle_body(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        await connection.send(post(CHAT, {}, length=10**5))
        await connection.trickle(b" " * 10**4, 0.5)
    return "sent"


async def send_half_a_head(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        await connection.send(b"POST /check HTTP/1.1\r\nHost: x\r\nContent-Le")
        await connection.hold()
    return "closed"


async def send_an_endless_head(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        while True:
            await connection.send(b"X-Long: " + b"y" * 10**5 + b"\r\n")


async def send_a_huge_body(address: tuple[str, int]) -> str:
    async with connected(address) as connection:
        await connection.send(post(CHECK, {}, length=2**30))
        while True:
            await connection.send(b" " * 10**5)


async def read_no_answers(address: tuple[str, int]) -> str:
    async with connected(address, buffer=1024) as connection:
        await connection.send(b"GET /page.js HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        await asyncio.sleep(HOLD_SECONDS)
    return "held"


async def stop_reading_a_stream(address: tuple[str, int]) -> str:
    async with connected(address, buffer=1024) as connection:
        await connection.send(chat(long_prompt(), stream=True))
        await connection.read()
        await asyncio.sleep(HOLD_SECONDS)
    return "held"


async def check_long_texts(address: tuple[str, int]) -> str:
    return await ask(address, check(" and ".join(heavy_equation() for _ in range(200))))


async def check_short_texts(address: tuple[str, int]) -> str:
    return await ask(address, check(heavy_equation()))


async def ask_long_questions(address: tuple[str, int]) -> str:
    return await ask(address, chat(long_prompt()))


async def ask_short_questions(address: tuple[str, int]) -> str:
    return await ask(address, chat(f"Given x = {random.randint(1, 99)} x, then obtain x"))


async def ask_for_samples(address: tuple[str, int]) -> str:
    count = random.choice((1, 2, 3, 8))
    return await ask(address, chat(long_prompt(), temperature=1, n=count, top_p=random.choice((0.9, 1))))


async def send_huge_prompts(address: tuple[str, int]) -> str:
    return await ask(address, chat("x " * 10**5))


async def typeset(address: tuple[str, int]) -> str:
    equations = [f"{heavy_equation()} + {random.randint(1, 10**6)} + " + "x + " * 450 for _ in range(64)]
    return await ask(address, post(TYPESET, {"equations": equations}))


async def cut_a_request(address: tuple[str, int]) -> str:
    request = random.choice((chat(long_prompt()), check(heavy_equation())))
    async with connected(address) as connection:
        await connection.send(request[: random.randrange(1, len(request))])
        await asyncio.sleep(random.random())
    return "cut"


async def abandon_a_request(address: tuple[str, int]) -> str:
    request = random.choice((chat(long_prompt(), stream=random.random() < 0.5), check(heavy_equation())))
    async with connected(address) as connection:
        await connection.send(request)
        await asyncio.sleep(random.random())
        connection.reset()
    return "abandoned"


KINDS: Mapping[str, Callable[[tuple[str, int]], Awaitable[str]]] = {
    function.__name__.replace("_", " "): function
    for function in (
        say_nothing,
        trickle_head,
        trickle_body,
        send_half_a_head,
        send_an_endless_head,
        send_a_huge_body,
        read_no_answers,
        stop_reading_a_stream,
        check_long_texts,
        check_short_texts,
        ask_long_questions,
        ask_short_questions,
        ask_for_samples,
        send_huge_prompts,
        typeset,
        cut_a_request,
        abandon_a_request,
    )
}
"""The function of each kind: it returns how its connection ended."""
