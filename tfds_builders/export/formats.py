"""The formats of an export, and the files that hold their rows."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from mathderive.core.errors import InputError
from mathderive.records import Example
from tfds_builders.export.rows import (
    COLUMNS,
    MESSAGE_COLUMNS,
    RL_COLUMNS,
    Column,
    Row,
    full_row,
    message_row,
    rl_row,
)

ROWS_PER_FILE = 50_000
"""Maximum number of rows of a file; a row of the full format has 3 kB as JSON."""

ROWS_PER_GROUP = 1_000
"""Number of rows that are held in memory for a row group of Parquet."""


@dataclass(frozen=True)
class Format:
    """A format of an export.

    Attributes:
        columns: its columns by name, in order.
        make_row: makes the row of an example, given the seed of the dataset.
        suffix: the ending of its files.
        media_type: the media type of its files.
        write: writes rows to a new file, one by one.
    """

    columns: Mapping[str, Column]
    make_row: Callable[[Example, int], Row]
    suffix: str
    media_type: str
    write: Callable[[Path, Iterable[Row], Mapping[str, Column]], None]


def write_jsonl(path: Path, rows: Iterable[Row], columns: Mapping[str, Column]) -> None:
    """Writes one JSON object a line."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_parquet(path: Path, rows: Iterable[Row], columns: Mapping[str, Column]) -> None:
    """Writes a Parquet file, a row group at a time.

    Raises:
        InputError: pyarrow is not installed.
    """
    pyarrow, parquet = import_pyarrow()
    schema = pyarrow.schema([(name, _arrow_type(pyarrow, column)) for name, column in columns.items()])
    remaining = iter(rows)
    with parquet.ParquetWriter(path, schema) as writer:
        while (group := pyarrow.Table.from_pylist(list(islice(remaining, ROWS_PER_GROUP)), schema)).num_rows:
            writer.write_table(group)


def import_pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        InputError: they are not installed.
    """
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise InputError(
            f"--format parquet: pyarrow cannot be imported ({error}); expected `pip install 'mathderive[export]'`, "
            "or --format jsonl"
        ) from None


def _arrow_type(pyarrow: Any, column: Column) -> Any:
    if column.parts is None:
        kind = {"text": pyarrow.string(), "integer": pyarrow.int64()}[str(column.kind)]
    else:
        kind = pyarrow.struct([(name, _arrow_type(pyarrow, part)) for name, part in column.parts.items()])
    return pyarrow.list_(kind) if column.is_list else kind


_JSON_LINES = ("jsonl", "application/jsonlines", write_jsonl)

FORMATS: Mapping[str, Format] = {
    "jsonl": Format(COLUMNS, full_row, *_JSON_LINES),
    "parquet": Format(COLUMNS, full_row, "parquet", "application/x-parquet", write_parquet),
    "messages": Format(MESSAGE_COLUMNS, message_row, *_JSON_LINES),
    "rl": Format(RL_COLUMNS, rl_row, *_JSON_LINES),
}
"""The formats by their names on the command line."""


def write_split(folder: Path, split: str, size: int, rows: Iterable[Row], chosen: Format) -> list[Path]:
    """Writes the rows of a split to files of at most `ROWS_PER_FILE` rows, named `SPLIT-NUMBER-of-COUNT`.

    Args:
        size: the number of rows.

    Returns:
        The files.
    """
    count = -(-size // ROWS_PER_FILE)
    paths = [folder / f"{split}-{number:05d}-of-{count:05d}.{chosen.suffix}" for number in range(count)]
    remaining = iter(rows)
    for path in paths:
        chosen.write(path, islice(remaining, ROWS_PER_FILE), chosen.columns)
    if next(remaining, None) is not None:
        raise InputError(f"split {split}: more than {size} examples; expected as many as its metadata say")
    return paths
