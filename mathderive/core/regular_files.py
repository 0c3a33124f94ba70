"""Files from outside, read within bounds: a pipe, a device or an endless file is refused before it is read."""

import os
import stat
from pathlib import Path

from mathderive.core.errors import InputError


def read_regular_file(path: Path, max_bytes: int, kind: str, example: str, place: str | None = None) -> bytes:
    """Reads a whole file whose size is bounded, without waiting for a pipe or a device.

    Args:
        max_bytes: the largest size that is read.
        kind: a name for the file in errors, such as `config file`.
        example: a description of a right file, which ends the errors.
        place: the beginning of the errors; by default the path.

    Raises:
        InputError: the file is missing, cannot be read, is no regular file, or is larger than `max_bytes`.
    """
    place = str(path) if place is None else place
    try:
        # O_NONBLOCK: opening a named pipe, or reading some files of the kernel, would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError
            if not stat.S_ISREG(mode):
                raise InputError(f"{place}: not a regular file; expected {example}")
            with os.fdopen(descriptor, "rb", closefd=False) as stream:
                content = stream.read(max_bytes + 1)
        finally:
            os.close(descriptor)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise InputError(f"{place}: no such {kind}; expected {example}") from None
    except OSError as error:
        raise InputError(f"{place}: {error.strerror}; expected {example}") from None
    except ValueError:  # a NUL character
        raise InputError(f"{place}: names no file; expected {example}") from None
    if len(content) > max_bytes:
        raise InputError(f"{place}: larger than {max_bytes} bytes; expected {example}")
    return content
