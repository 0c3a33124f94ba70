"""Atomic file writes: a file is written beside its place, flushed, and renamed into it, so it is whole or absent."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from mathderive.core.errors import InputError
from mathderive.core.regular_files import read_regular_file

MAX_JSON_BYTES = 2**24
"""Maximum size of a JSON file; a recipe of ten thousand shards has a tenth of it."""

_UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
"""The names of files and folders before they are renamed."""


@contextmanager
def existing_folder(path: Path) -> Iterator[None]:
    """Makes a folder and its parents if needed; if the block raises, those that it made and that are empty are removed.

    Raises:
        OSError: the folder cannot be made.
    """
    missing = [place for place in (path, *path.parents) if not place.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for place in missing:
            with suppress(OSError):  # not empty, or never made
                place.rmdir()
        raise


@contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a file that replaces `path` when the block ends, and leaves no trace if the block raises.

    Args:
        path: the file to write; its folder is made if needed.
        mode: `"w"` (UTF-8, newlines kept) or `"wb"`.
    """
    with existing_folder(path.parent):
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        temporary = Path(name)
        try:
            encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
            with os.fdopen(descriptor, mode, encoding=encoding, newline=newline) as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o666 & ~_umask())  # mkstemp's 0600 would hide a report from the user's group
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yields a folder to fill, which becomes `path` when the block ends, and leaves no trace if the block raises.

    A killed process leaves a hidden folder beside `path`, and nothing at `path`.

    Raises:
        InputError: `path` exists and is not an empty folder.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InputError(f"{path}: exists already; expected a new or empty folder")
    with ExitStack() as stack:
        try:
            stack.enter_context(existing_folder(path.parent))
        except (FileExistsError, NotADirectoryError):
            raise InputError(f"{path.parent}: expected a folder, to make {path.name} in") from None
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        try:
            yield temporary
            for file in temporary.rglob("*"):
                if file.is_file():
                    with file.open("rb") as stream:
                        os.fsync(stream.fileno())
            temporary.chmod(0o777 & ~_umask())  # mkdtemp's 0700 would hide it from the user's group
            temporary.replace(path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise


def remove_unfinished(folder: Path, lock: str) -> None:
    """Removes the files and folders below a folder that a killed process left beside those that it was writing.

    Args:
        folder: no other process may be writing in it.
        lock: the name of a file; folders below that have it belong to other processes and are left alone.
    """
    for path in sorted(folder.rglob(".*.tmp")):
        others = (parent for parent in path.parents if folder in parent.parents)
        if _UNFINISHED.fullmatch(path.name) is None or any((parent / lock).exists() for parent in others):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by `text` in one step."""
    with replacing(path) as stream:
        stream.write(text)


def write_json(path: Path, value: Any) -> None:
    """Replaces `path` by `value` as indented JSON, keys in the order given."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, expected: str, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Reads a JSON file.

    Raises:
        InputError: it is missing, no regular file, larger than `max_bytes`, not UTF-8 or not JSON, or it has half a
            surrogate pair in a text; the message ends with `expected`.
    """
    content = read_regular_file(path, max_bytes, expected)
    try:
        tree = json.loads(content.decode("utf-8"))
        # A lone surrogate can only come from an escape. It would fail later, wherever the text is written or printed.
        if b"\\ud" in content.lower():
            json.dumps(tree, ensure_ascii=False).encode()
        return tree
    except (ValueError, RecursionError) as error:  # a number of thousands of digits is a plain ValueError
        raise InputError(f"{path}: not valid JSON ({str(error)[:200]}); expected {expected}") from None


def sha256(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
