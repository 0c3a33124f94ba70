"""A table of finished text, which the page, `tables.md` and the terminal each write in their own way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.report.plain import visible


@dataclass(frozen=True)
class TextTable:
    """One table.

    Attributes:
        title: its heading.
        key: what its numbers are; empty where that is said elsewhere.
        head: the columns' names, `labels` of them of text that says what a row is about.
    """

    title: str
    key: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 2

    def markdown(self, level: int = 3) -> str:
        """Title, as a heading of this level, key and table."""
        ruler = ["---"] * self.labels + ["---:"] * (len(self.head) - self.labels)
        rows = [[*map(escaped, row[: self.labels]), *row[self.labels :]] for row in self.rows]
        lines = [f"| {' | '.join(line)} |" for line in (self.head, ruler, *rows)]
        parts = [f"{'#' * level} {self.title}", self.key, "\n".join(lines)]
        return "\n\n".join(part for part in parts if part)

    def plain(self) -> str:
        """Title and table in columns, for a terminal."""
        rows = [self.head, *([visible(" ".join(cell.split())) for cell in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) if place < self.labels else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([self.title, *(f"  {line}" for line in lines)])


def escaped(text: str) -> str:
    """A name as Markdown shows it literally, on one line."""
    return re.sub(r"([\\`*_\[\]<>|&])", r"\\\1", " ".join(text.split()))
