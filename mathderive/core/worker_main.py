"""The child of a `PipedWorker`: `python -m mathderive.core.worker_main MODULE FUNCTION MEMORY SECONDS DESCRIPTOR`."""

import json
import os
import sys
from importlib import import_module
from typing import IO, Any

from mathderive.core.orphans import end_with_writer
from mathderive.core.piped_workers import Signature, signature, to_line
from mathderive.core.worker_loop import Limits, answer_items, limit_memory


class _Lines:
    """The child's ends of the pipes."""

    def __init__(self, reading: IO[bytes], writing: IO[bytes], types: Signature) -> None:
        self._reading, self._writing, self._types = reading, writing, types
        self._number = 0
        self._fixed: list[Any] | None = None

    def receive(self) -> list[Any]:
        """Waits for the next item; returns the arguments of the function."""
        if self._fixed is None:
            # Only now, because extensions that are loaded by now may know their values.
            fixed = zip(self._types.fixed, self._read(), strict=True)
            self._fixed = [kind.validate_python(value, strict=False) for kind, value in fixed]
        return [*self._fixed, self._types.item.validate_python(self._read(), strict=False)]

    def _read(self) -> Any:
        line = self._reading.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        self._number, content = json.loads(line)
        return content

    def send(self, kind: str, content: Any) -> None:
        self._writing.write(to_line(self._number, kind, content))
        self._writing.flush()


def main(module: str, name: str, memory_bytes: str, cpu_seconds: str, watched: str) -> None:
    """Answers items from standard input on standard output.

    Args:
        watched: the descriptor of a pipe's reading end; the parent holds the other one as long as it lives.
    """
    limits = Limits(int(memory_bytes), float(cpu_seconds))
    limit_memory(limits)
    end_with_writer(int(watched))
    # What the function prints may not come between the lines, and it may not read them.
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    function = getattr(import_module(module), name)
    lines = _Lines(reading, writing, signature(function))
    answer_items(lambda arguments: function(*arguments), limits, lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
