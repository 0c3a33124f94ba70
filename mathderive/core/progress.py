"""Progress of long work: a bar on a terminal, and elsewhere a line every few seconds, for logs."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

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
    """Prints one line to standard error, like progress; standard output is for results."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(stage: str) -> Iterator[ProgressCallback]:
    """Shows the progress of `stage` while the block runs."""
    if sys.stderr.isatty():
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
        self._last, self._pending = (what, done, wanted, note), True
        if time.monotonic() - self._shown >= SECONDS_BETWEEN_LINES:
            self.finish()

    def finish(self) -> None:
        """Prints the newest state unless it was printed already."""
        if self._last and self._pending:
            what, done, wanted, note = self._last
            seconds = time.monotonic() - self._started
            say(f"{self._stage}: {what} {done}/{wanted}, {seconds:.0f} s" + (f", {note}" if note else ""))
            self._shown, self._pending = time.monotonic(), False
