"""Tables of finished text. The page, `tables.md` and the terminal each write them in their own way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.records import EvaluationSet
from mathderive.report.numbers import DASH
from mathderive.report.plain import visible
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES


@dataclass(frozen=True)
class TextTable:
    """One table.

    Attributes:
        title: the heading.
        key: an explanation of the numbers; empty where the explanation is elsewhere.
        head: the names of the columns.
        rows: the cells of each row.
        labels: the number of columns, from the left, that name what a row is about.
    """

    title: str
    key: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    labels: int = 2

    def markdown(self, level: int = 3) -> str:
        """Returns the title as a heading of this level, the key and the table."""
        ruler = ["---"] * self.labels + ["---:"] * (len(self.head) - self.labels)
        rows = [[*map(escaped, row[: self.labels]), *row[self.labels :]] for row in self.rows]
        lines = [f"| {' | '.join(line)} |" for line in (self.head, ruler, *rows)]
        parts = [f"{'#' * level} {self.title}", self.key, "\n".join(lines)]
        return "\n\n".join(part for part in parts if part)

    def plain(self) -> str:
        """Returns the title and the table in columns, for a terminal."""
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


@dataclass(frozen=True)
class GridRow:
    """A row of a table with groups of columns: a model, and the cells of each group."""

    model: str
    groups: Sequence[Sequence[str]]


def set_name(name: EvaluationSet | None) -> str:
    """Returns the title of a set; None is all sets together."""
    return "All sets" if name is None else SET_TITLES[name]


def has_dash(rows: Sequence[GridRow]) -> bool:
    """Returns whether some cell was not computed."""
    return any(cell == DASH for row in rows for group in row.groups for cell in group)


def escaped(text: str) -> str:
    """Escapes a name, so that Markdown shows it literally and on one line."""
    return re.sub(r"([\\`*_\[\]<>|&])", r"\\\1", " ".join(text.split()))
