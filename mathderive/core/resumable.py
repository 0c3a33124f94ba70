"""Files of lines that a kill may interrupt at any moment: whole lines are kept, a half-written one is dropped."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from mathderive.core.errors import InputError
from mathderive.core.files import write_text

T = TypeVar("T")


class ResumableFile(Generic[T]):
    """A text file with one item a line, to which finished work is appended.

    Args:
        path: the file.
        to_line: an item's line, newline included.
        parse: an item from its line; raises `InputError` or `ValueError` for a damaged one.
    """

    def __init__(self, path: Path, to_line: Callable[[T], str], parse: Callable[[str], T]) -> None:
        self.path = path
        self._to_line, self._parse = to_line, parse

    def read(self) -> Iterator[T]:
        """Yields the items up to the first line that is damaged or was not written to its end."""
        lines = self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []
        for line in lines:
            if not line.endswith(b"\n"):
                return
            try:
                yield self._parse(line.decode("utf-8"))
            except (InputError, ValueError):  # UnicodeDecodeError is a ValueError
                return

    @contextmanager
    def resume(self, kept: Iterable[T]) -> Iterator[Callable[[Iterable[T]], None]]:
        """Opens the file for more items, after reducing it to those that are kept.

        Yields:
            A function that appends items together; they are on the disk when it returns.
        """
        write_text(self.path, "".join(map(self._to_line, kept)))
        with self.path.open("a", encoding="utf-8", newline="") as stream:

            def append(items: Iterable[T]) -> None:
                stream.write("".join(map(self._to_line, items)))
                stream.flush()
                os.fsync(stream.fileno())

            yield append
