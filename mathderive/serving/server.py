"""`mathderive serve`: runs the application on a socket until a signal ends it."""

import ipaddress
import signal
import socket
import sys
import time

import uvicorn

from mathderive.config.schema import DecodingSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.predictors.t5 import T5Model
from mathderive.serving.app import make_app
from mathderive.serving.chat import ServerSettings
from mathderive.serving.connections import BoundedConnection, end_slow_ones

_SECONDS_TO_FINISH = 30
"""Maximum seconds for requests in progress after the signal to end."""

_SWITCH_SECONDS = 0.001
"""Seconds after which a thread gives way to another one; Python's default is five times as long."""

_TICKS_PER_SECOND = 10
"""Number of uvicorn's ticks in a second."""


def serve(
    name: str,
    checkpoint: str,
    decoding: DecodingSettings,
    host: str,
    port: int,
    waiting: int,
    key: str | None,
    check_processes: int,
) -> None:
    """Answers requests until SIGTERM or Ctrl-C; prints the server's address once it listens.

    Args:
        name: the model's name in the protocol.
        checkpoint: a model folder of this package, a Hugging Face folder or id.
        decoding: the decoding settings of the predictor `t5`; requests are answered in batches of its `batch_size`.
        host: the address to listen at.
        port: the port to listen at; 0 chooses a free one.
        waiting: maximum number of requests in the queue.
        key: the key that clients must send; null admits everybody.
        check_processes: number of derivations that are checked at once, at least 2.

    Raises:
        InputError: the checkpoint cannot be used, or the server cannot listen at the address.
    """
    listening = _listen(host, port)
    with listening:
        if key is None and not _is_loopback(listening):
            say("serve: anybody who reaches this address may ask: there is no API key")
        model = T5Model(name, checkpoint, decoding)
        settings = ServerSettings(
            batch_size=decoding.batch_size,
            waiting=waiting,
            max_prompt_tokens=decoding.max_source_length,
            max_answer_tokens=decoding.max_target_length,
            key=key,
            is_greedy=decoding.search.num_beams == 1,
            check_processes=check_processes,
        )
        app = make_app(model, settings)
        config = uvicorn.Config(
            app,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=_SECONDS_TO_FINISH,
            server_header=False,
            http=BoundedConnection,
            ws="none",
        )
        # uvicorn handles these signals and then raises them again for earlier handlers, which must do nothing.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        say("serve: compiles the model's programs for short answers, which takes up to a minute")
        # While the model's threads trace a new shape, the thread that serves connections waits for them this long.
        sys.setswitchinterval(_SWITCH_SECONDS)
        _Server(config).run([listening])


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        started = time.monotonic()
        await super().startup(sockets)
        if self.started:
            say(f"serve: ready after {time.monotonic() - started:.0f} s")
        for listening in sockets or ():
            host, port = listening.getsockname()[:2]
            print(f"http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_SECOND == 0:
            end_slow_ones(self.server_state.connections)
        return await super().on_tick(counter)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"serve: {host}:{port}: {reason}; expected an address of this machine and a free port"
        ) from None


def _is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback
