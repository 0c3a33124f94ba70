"""A real server of a checkpoint in its own process, started by `mathderive serve`."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.command import start

KEY = "mk-key-of-these-tests"
TOKENS = 64
"""Default maximum tokens of a prompt and of an answer."""


class Served(NamedTuple):
    url: str
    checkpoint: Path
    process_id: int

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {KEY}"}


@contextmanager
def serving(checkpoint: Path, *arguments: str | Path, tokens: int = TOKENS) -> Iterator[Served]:
    """Serves the checkpoint while the block runs, and checks that the server ends cleanly.

    Args:
        checkpoint: the folder of the checkpoint.
        arguments: further arguments of `mathderive serve`.
        tokens: maximum tokens of a prompt and of an answer.
    """
    lengths = [f"decoding.max_{side}_length={tokens}" for side in ("source", "target")]
    given = ["serve", "--port", "0", "--checkpoint", checkpoint, *arguments, *lengths]
    process = start(*given, cwd=checkpoint, MATHDERIVE_API_KEY=KEY)
    assert process.stdout is not None
    assert process.stderr is not None
    complaints: list[str] = []
    reader = threading.Thread(target=lambda: complaints.extend(process.stderr or ()))
    reader.start()
    try:
        url = process.stdout.readline().strip()
        assert url, complaints
        yield Served(url, checkpoint, process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        process.stderr.close()
    # The server says that it compiles, and when it is ready.
    assert [line.startswith("serve: ") for line in complaints] == [True] * 2, "".join(complaints[-40:])
