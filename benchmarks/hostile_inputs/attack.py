"""A hostile input as `attacks_on_inputs.py` runs it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Attack:
    """One hostile input.

    Attributes:
        name: a name that is unique within its kind.
        prepare: writes the files of the input into an empty folder.
        arguments: the command line that is run in that folder: options of Python, such as `-m mathderive data`.
        may_succeed: whether the command may also accept the input; otherwise only a refusal is right.
    """

    name: str
    prepare: Callable[[Path], None]
    arguments: tuple[str | bytes, ...]
    may_succeed: bool = field(default=False, kw_only=True)
