"""The export of a dataset's folder to a new folder, which appears whole or not at all."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

from mathderive.core.checksums import write_checksums
from mathderive.core.errors import InputError
from mathderive.core.files import new_folder, write_json, write_text
from mathderive.core.progress import ProgressCallback
from mathderive.records import Example, to_line
from tfds_builders.example_features import iterate_examples
from tfds_builders.export.card import write_card
from tfds_builders.export.croissant import croissant
from tfds_builders.export.formats import FORMATS, import_pyarrow, write_split
from tfds_builders.export.source import Source


def check_destination(folder: Path, format_name: str) -> None:
    """Raises what `export` would raise about its arguments, before the dataset is made.

    Raises:
        InputError: the folder exists and is not an empty folder, or the format needs a library that is not installed.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder}: exists already; expected a new or empty folder")
    if format_name == "parquet":
        import_pyarrow()


def export(source: Source, format_name: str, folder: Path, on_progress: ProgressCallback) -> None:
    """Writes a dataset to a new folder: `data/`, `README.md`, `croissant.json` and `SHA256SUMS`.

    Examples are read and written one by one, so memory does not grow with their number.

    Args:
        format_name: a key of `FORMATS`.
        folder: must be new or empty. It is written beside its place and renamed; a killed export leaves nothing there,
            and the next one removes what it left beside it.

    Raises:
        InputError: the folder is not new, or the dataset is damaged.
    """
    chosen = FORMATS[format_name]
    remove_leftovers(folder)
    digest = hashlib.sha256()
    files: dict[str, list[Path]] = {}
    done = 0

    def rows(split: str) -> Iterator[dict[str, Any]]:
        nonlocal done
        for example in _examples(source, split, digest):
            yield chosen.make_row(example, source.seed)
            done += 1
            on_progress("examples exported", done, sum(source.sizes.values()))

    with new_folder(folder) as place, _locked(place):
        (place / "data").mkdir()
        # The content hash takes the splits in this order.
        for split in sorted(source.sizes):
            files[split] = write_split(place / "data", split, source.sizes[split], rows(split), chosen)
        if digest.hexdigest() != source.content_hash:
            raise InputError(f"{source.folder}: damaged: its examples do not have the content hash of its metadata")
        write_text(place / "README.md", write_card(source, chosen, folder.name))
        write_json(place / "croissant.json", croissant(source, chosen, place, files, folder.name))
        write_checksums(place, [path for path in place.rglob("*") if path.is_file()])


def _examples(source: Source, split: str, digest: Any) -> Iterator[Example]:
    """Yields a split's examples, and adds them to the content hash."""
    digest.update(f"split {split}\n".encode())
    for example in iterate_examples(source.folder, split):
        digest.update(to_line(example).encode())
        yield example


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Marks an unfinished folder as that of a living process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes the unfinished folders that killed exports to this folder left beside it."""
    for leftover in folder.parent.glob(f".{escape(folder.name)}.????????.tmp"):
        descriptor = os.open(leftover, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(leftover, ignore_errors=True)
        except BlockingIOError:
            pass  # another process is writing it
        finally:
            os.close(descriptor)
