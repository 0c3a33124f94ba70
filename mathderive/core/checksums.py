"""Checksums of a folder's files, in `SHA256SUMS` beside them; the program `sha256sum --check` reads it as well."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from mathderive.core.errors import InputError
from mathderive.core.files import sha256, write_text
from mathderive.core.regular_files import check_regular_file, read_regular_file

CHECKSUMS = "SHA256SUMS"
"""The name of the file with the checksums."""

MAX_CHECKSUMS_BYTES = 2**22
"""Maximum size of the file with the checksums; one of a thousand files has a fortieth of it."""

_ANY_SIZE = 2**63
"""A size that no file exceeds."""

_LINE = re.compile(r"(?P<digest>[0-9a-f]{64})  (?P<name>[^\n]{1,300})")


def write_checksums(folder: Path, paths: Iterable[Path]) -> None:
    """Writes the checksums of these files, which lie in the folder or below it."""
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    write_text(folder / CHECKSUMS, "".join(f"{sha256(folder / name)}  {name}\n" for name in names))


def verify_checksums(folder: Path, is_wanted: Callable[[str], bool] = lambda name: True) -> None:
    """Compares files of a folder with their checksums; a folder of an earlier version has none and passes.

    Args:
        is_wanted: whether a file, given by its name relative to the folder, is compared.

    Raises:
        InputError: a file is missing or has another checksum, or the checksums themselves are damaged.
    """
    sums = folder / CHECKSUMS
    if not sums.exists():
        return
    content = read_regular_file(sums, MAX_CHECKSUMS_BYTES, "checksums")
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
        found = _LINE.fullmatch(line)
        if found is None or not _is_below(found["name"]):
            raise InputError(f"{sums}, line {number}: damaged; expected a SHA-256 and the name of a file beside it")
        if not is_wanted(found["name"]):
            continue
        path = folder / found["name"]
        check_regular_file(path, _ANY_SIZE, f"the file of {CHECKSUMS}")
        if sha256(path) != found["digest"]:
            raise InputError(
                f"{path}: damaged, or edited by hand: its SHA-256 is not the one in {CHECKSUMS};"
                f" expected the file as it was written, or no {CHECKSUMS}"
            )


def _is_below(name: str) -> bool:
    """Whether a relative name leads to a place below its folder."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name
