"""Reading files that come from elsewhere: kind and size are checked before anything is read."""

import os
import stat
from pathlib import Path

from mathderive.core.errors import InputError

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def check_regular_file(path: Path, max_bytes: int, expected: str, kind: str = "file", place: str | None = None) -> int:
    """Checks that the path leads to a regular file of at most `max_bytes`, without opening it; returns its size.

    Args:
        expected: a description of the right content, which ends the errors.
        kind: the kind of file in errors, such as `config file`.
        place: the beginning of the errors; by default the path.

    Raises:
        InputError: it does not, or it is missing; the message names `expected`.
    """
    place = place or str(path)
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{place}: no such {kind}; expected {expected}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{place[:200]!r}: cannot be read ({_reason(error)}); expected {expected}") from None
    if not stat.S_ISREG(found.st_mode):
        actual = _KINDS.get(stat.S_IFMT(found.st_mode), "another kind of file")
        raise InputError(f"{place}: expected a regular file with {expected}, found {actual}")
    if found.st_size > max_bytes:
        raise InputError(f"{place}: it has {found.st_size} bytes; expected at most {max_bytes}, for {expected}")
    return found.st_size


def read_regular_file(path: Path, max_bytes: int, expected: str, kind: str = "file", place: str | None = None) -> bytes:
    """Returns the content of a regular file of at most `max_bytes`.

    Raises:
        InputError: as `check_regular_file`, or the file cannot be opened.
    """
    check_regular_file(path, max_bytes, expected, kind, place)
    try:
        # If a pipe takes the file's place after the check, opening it does not wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            content = stream.read(max_bytes + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({_reason(error)}); expected {expected}") from None
    if len(content) > max_bytes:
        raise InputError(f"{path}: it has more than {max_bytes} bytes; expected {expected}")
    return content


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
