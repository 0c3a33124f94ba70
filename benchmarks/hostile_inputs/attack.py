"""A hostile input as `attacks_on_inputs.py` runs it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

MATHDERIVE = ("-c", "import sys; from mathderive.cli.main import main; sys.exit(main(sys.argv[1:]))")
"""The arguments of Python that run the command `mathderive`."""


@dataclass(frozen=True)
class Attack:
    """One hostile input.

    Attributes:
        name: a name that is unique within its kind.
        prepare: writes the files of the input into an empty folder.
        arguments: the command line that is run in that folder: options of Python, such as `-m mathderive data`.
        may_succeed: whether the command may also accept the input; otherwise only a refusal is right.
        right_codes: the exit codes of a command that accepts the input.
    """

    name: str
    prepare: Callable[[Path], None]
    arguments: tuple[str | bytes, ...]
    may_succeed: bool = field(default=False, kw_only=True)
    right_codes: tuple[int, ...] = field(default=(0,), kw_only=True)
