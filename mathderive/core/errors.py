"""The exceptions that the command line prints as one line."""

import errno
import os
import signal
import traceback

from mathderive.core.extras import missing_library

MAX_MESSAGE = 2_000
"""Maximum number of characters of an error's line; the middle of a longer one is left out."""

_MACHINE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)
"""Error numbers that the machine gives where a disk is full or a file may not be written."""


class InputError(Exception):
    """An input is wrong: a config key, a file, a checkpoint, the environment. The exit code is 2.

    The message is one line that names the file, the key and the expected value. What the message quotes may come from
    anywhere, so characters that cannot be printed are escaped, and a long message is shortened.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        if len(line) > MAX_MESSAGE:
            line = f"{line[: MAX_MESSAGE // 2]} ... {line[-MAX_MESSAGE // 2 :]}"
        if not line.isprintable():
            line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
        super().__init__(line)


class Terminated(Exception):  # noqa: N818 - not an error
    """A signal ended the training, with a checkpoint; `exit_code` is a shell's code for a process ended by a signal."""

    def __init__(self, number: int, step: int) -> None:
        name = signal.Signals(number).name
        super().__init__(
            f"{name}: stopped after step {step}, whose checkpoint is written; the same command goes on from there"
        )
        self.exit_code = 128 + number


def is_rust_panic(error: BaseException) -> bool:
    """Whether a library in Rust met a fault of its own. Its exception is no `Exception`; no module has the class."""
    return (type(error).__module__, type(error).__name__) == ("pyo3_runtime", "PanicException")


def ending_of(error: Exception) -> tuple[str, int]:
    """The line and the exit code that a program ends with.

    Raises:
        Exception: the error itself, if it is a bug, so that its traceback is shown.
    """
    if isinstance(error, Terminated):
        return str(error), error.exit_code
    if isinstance(error, InputError):
        return str(error), 2
    message = missing_library(error) or missing_accelerator(error) or machine_fault(error)
    if message is None:
        raise error
    return message, 2


def missing_accelerator(error: BaseException) -> str | None:
    """Names the accelerator that JAX was told to use and does not find; None for any other error."""
    if not isinstance(error, RuntimeError | AssertionError) or not _is_of_backends(error):
        return None
    reason = " ".join(str(error).split()).partition(" (set JAX_PLATFORMS")[0] or "JAX has no such backend here"
    wanted = os.environ.get("JAX_PLATFORMS", "")
    return f"JAX_PLATFORMS={wanted}: {reason}; expected an accelerator of this machine and this installation, or cpu"


def _is_of_backends(error: BaseException) -> bool:
    """Whether JAX's code that starts backends raised an error; where a plugin is missing it is a failed assertion."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__") == "jax._src.xla_bridge"


def machine_fault(error: BaseException | None) -> str | None:
    """Names the machine's fault behind an error, which a library may have wrapped; None for any other error."""
    while error is not None:
        fault = _fault(error)
        if fault is not None:
            return f"{fault}; what was finished is intact, and the same command goes on from there"
        error = error.__cause__ or error.__context__
    return None


def _fault(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in _MACHINE_FAULTS:
        return f"{error.filename or 'file'}: {os.strerror(error.errno)}"
    if any(os.strerror(number) in str(error) for number in _MACHINE_FAULTS):
        return " ".join(str(error).split())[:300]
    return None
