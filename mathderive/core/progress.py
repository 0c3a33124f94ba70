"""Progress of long work: a bar on a terminal, and elsewhere a line every few seconds, for logs."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

SECONDS_BETWEEN_LINES = 10.0
"""Minimum time between two lines of one stage, in seconds."""

COMPILING = "compiling"
"""The note of work that begins with the compilation of a program, which takes up to minutes."""

QUIET = "MATHDERIVE_QUIET"
"""The environment variable that silences progress and notes, also in the processes that this one starts."""


class ProgressCallback(Protocol):
    """A function that shows the progress of some work."""

    def __call__(self, what: str, done: int, wanted: int, note: str = "") -> None:
        """Shows progress.

        Args:
            what: the name of the items that are counted.
            done: the number of finished items.
            wanted: the number of items in all.
            note: further text to show.
        """
        ...


def ignore_progress(what: str, done: int, wanted: int, note: str = "") -> None:
    """Shows nothing; a `ProgressCallback`."""


def say(message: str) -> None:
    """Prints a note to standard error, like progress; standard output is for results."""
    if not os.environ.get(QUIET):
        print(message, file=sys.stderr, flush=True)


def has_colours(stream: IO[Any]) -> bool:
    """Whether a stream is a terminal that shows colours, and the user did not forbid them."""
    return _is_capable(stream) and not os.environ.get("NO_COLOR")


def _is_capable(stream: IO[Any]) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


@contextmanager
def progress(stage: str) -> Iterator[ProgressCallback]:
    """Shows the progress of `stage` while the block runs."""
    if os.environ.get(QUIET):
        yield ignore_progress
    elif _is_capable(sys.stderr):
        with _bars(stage) as on_progress:
            yield on_progress
    else:
        lines = _Lines(stage)
        yield lines
        lines.finish()


@contextmanager
def _bars(stage: str) -> Iterator[ProgressCallback]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def on_progress(what: str, done: int, wanted: int, note: str = "") -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{stage}: {what}", total=wanted, note=note)
            bars.update(tasks[what], completed=done, total=wanted, note=note)

        yield on_progress


class _Lines:
    """Prints progress line by line."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._started = self._shown = time.monotonic()
        self._last: tuple[str, int, int, str] | None = None
        self._pending = False

    def __call__(self, what: str, done: int, wanted: int, note: str = "") -> None:
        if self._last and self._last[0] != what:
            self.finish()
        # A note at the beginning says why nothing moves for a while.
        is_first_note = bool(note) and (self._last is None or self._last[0] != what)
        self._last, self._pending = (what, done, wanted, note), True
        if is_first_note or time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self.finish()

    def finish(self) -> None:
        """Prints the newest state unless it was printed already."""
        if self._last and self._pending:
            what, done, wanted, note = self._last
            seconds = time.monotonic() - self._started
            say(f"{self._stage}: {what} {done}/{wanted}, {seconds:.0f} s" + (f", {note}" if note else ""))
            self._shown, self._pending = time.monotonic(), False
