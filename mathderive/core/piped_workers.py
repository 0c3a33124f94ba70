"""Worker processes for any program that imports this package: `python -m mathderive.core.worker_main`, over pipes.

`multiprocessing` imports the main module anew in each child. That fails in a script without an `if __name__ ==
"__main__"` guard and in a program from standard input, and daemonic processes may have no such children at all. The
children here know nothing of the main module. Items, marks and results are lines of JSON, so that neither side trusts
the other's bytes as code. A line holds the number of its item: an answer is never taken for that to another item.
"""

import io
import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

from pydantic import TypeAdapter

from mathderive.core.errors import InputError
from mathderive.core.orphans import kill_with_parent
from mathderive.core.worker_loop import DEFAULT_LIMITS, Limits
from mathderive.core.workers import ItemT, ResultT, WorkerProcess

MODULE = "mathderive.core.worker_main"
"""The module that a child runs."""

_ANYTHING = TypeAdapter[Any](Any)

_ROOT = str(Path(__file__).parents[2])
"""The folder that this package is imported from."""


class Signature(NamedTuple):
    """The types that a worker's function takes and returns; the last argument is the item, the others are fixed."""

    fixed: tuple[TypeAdapter[Any], ...]
    item: TypeAdapter[Any]
    result: TypeAdapter[Any]


@lru_cache
def signature(function: Callable[..., Any]) -> Signature:
    """Reads the types of a function's arguments and result from its annotations."""
    hints = get_type_hints(function)
    result = TypeAdapter[Any](hints.pop("return"))
    *fixed, item = map(TypeAdapter[Any], hints.values())
    return Signature(tuple(fixed), item, result)


class PipedWorker(WorkerProcess[ItemT, ResultT]):
    """A `WorkerProcess` whose child is started as a module of this package.

    Args:
        function: an annotated function at the top of an importable module, or its `functools.partial` with all
            arguments but the last one, by position. `pydantic` turns arguments and results into JSON and back.
        limits: the limits on each item.
        marks: the type of what the function marks.
    """

    def __init__(
        self, function: Callable[[ItemT], ResultT], limits: Limits = DEFAULT_LIMITS, marks: type[Any] = object
    ) -> None:
        super().__init__(function, limits)
        self._mark_type = TypeAdapter[Any](marks)

    def _start_child(self) -> "PipedChild":
        return PipedChild(self._function, self._limits, self._mark_type)


class PipedChild:
    """A child that is connected by its standard input and output."""

    def __init__(self, function: Callable[..., Any], limits: Limits, marks: TypeAdapter[Any]) -> None:
        self._fixed: tuple[Any, ...] = ()
        if isinstance(function, partial):
            assert not function.keywords
            self._fixed = function.args
            function = function.func
        self._answers = {"result": signature(function).result, "mark": marks, "failed": TypeAdapter(str)}
        self._number = 0
        """The number of the last item; line 0 holds the fixed arguments."""
        watched, held = os.pipe()
        try:
            self._process = _start(_command(function, limits, watched), watched)
            self.number = self._process.pid
            kill_with_parent(watched, self.number)
        except BaseException:
            os.close(held)
            raise
        finally:
            os.close(watched)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._writing, self._reading = self._process.stdin, io.BufferedReader(self._process.stdout)  # type: ignore[type-var]
        # The child ends with this object and with this process, and leaves no zombie.
        self._end = weakref.finalize(self, _end, self._process, held, os.getpid())

    def send(self, item: Any) -> None:
        if not self._number:
            self._write(to_line(0, self._fixed))
        self._number += 1
        self._write(to_line(self._number, item))

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[self._writing.write(rest) :]

    def receive(self) -> tuple[str, Any]:
        line = self._reading.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        number, kind, content = json.loads(line)
        if number != self._number:
            raise RuntimeError(f"a worker process answered item {number} instead of {self._number}")
        return kind, self._answers[kind].validate_python(content, strict=False)

    def kill(self) -> None:
        self._process.kill()

    def collect(self) -> int:
        code = self._process.wait()
        self._end()
        return code


def to_line(*values: Any) -> bytes:
    """Writes values as a JSON list in one line; half surrogate pairs pass as they are."""
    return json.dumps(_ANYTHING.dump_python(values, mode="json")).encode("ascii") + b"\n"


def _command(function: Callable[..., Any], limits: Limits, watched: int) -> list[str]:
    if not sys.executable:
        raise InputError("sys.executable is empty; expected the Python interpreter that starts worker processes")
    numbers = map(str, (limits.memory_bytes, limits.cpu_seconds, watched))
    # Without -P, a file of the current folder could take the place of a module.
    return [sys.executable, "-P", "-m", MODULE, function.__module__, function.__qualname__, *numbers]


def _start(command: list[str], watched: int) -> "subprocess.Popen[bytes]":
    # The child finds modules where this process does.
    places = [str(Path(place).absolute()) for place in sys.path if place and os.pathsep not in place]
    if _ROOT not in places:
        places.insert(0, _ROOT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    # The child ignores Ctrl-C, but not before it has started.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Unbuffered, because a fork of this process would write what a buffer holds once more.
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=[watched],
            env=environment,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _end(process: "subprocess.Popen[bytes]", held: int, owner: int) -> None:
    """Ends a child and frees what belongs to it; a fork of the child's owner only frees its copies."""
    if os.getpid() == owner:
        process.kill()
        process.wait()
    else:
        process.returncode = 0  # it is no child of this process, so nothing is known of it
    os.close(held)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
