"""Progress of long work: a bar on a terminal, else a line now and then, so that a log shows it too."""

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


class ProgressCallback(Protocol):
    """Tells how far some work is: what is counted, how many are done, how many are wanted, what else to show."""

    def __call__(self, what: str, done: int, wanted: int, note: str = "") -> None: ...


def say(message: str) -> None:
    """Prints one line to standard error, where progress goes; standard output is for results."""
    print(message, file=sys.stderr, flush=True)


@contextmanager
def progress(stage: str) -> Iterator[ProgressCallback]:
    """Shows the progress of `stage` while the block runs."""
    if sys.stderr.isatty():
        with _bars(stage) as report:
            yield report
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

        def report(what: str, done: int, wanted: int, note: str = "") -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(f"{stage}: {what}", total=wanted, note=note)
            bars.update(tasks[what], completed=done, total=wanted, note=note)

        yield report


class _Lines:
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
        """Shows the newest state if it was not shown yet."""
        if self._last and self._pending:
            what, done, wanted, note = self._last
            seconds = time.monotonic() - self._started
            say(f"{self._stage}: {what} {done}/{wanted}, {seconds:.0f} s" + (f", {note}" if note else ""))
            self._shown, self._pending = time.monotonic(), False
