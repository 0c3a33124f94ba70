"""A model folder as a few files of bounded size, for machines from which only small files come back."""

import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path

from mathderive.core.errors import InputError
from mathderive.core.files import read_json, write_json

PART_BYTES = 15 * 2**20
"""Maximum bytes of a part."""

LIST = "parts.json"
"""The file that lists the parts; it is written last."""


def pack(folder: Path, output: Path, part_bytes: int = PART_BYTES) -> list[str]:
    """Writes the folder, of its checkpoints the newest alone, as parts in `output`; returns their names.

    Parts of an earlier call stay until the new ones are complete.
    """
    steps = sorted((path for path in folder.glob("orbax/*") if path.name.isdigit()), key=lambda path: int(path.name))
    older = {path.relative_to(folder.parent).as_posix() for path in steps[:-1]}
    earlier = set(output.glob("*.part"))
    parts: list[dict[str, str]] = []
    with tempfile.TemporaryFile() as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(folder, folder.name, filter=lambda entry: None if entry.name in older else entry)
        archive.seek(0)
        while content := archive.read(part_bytes):
            digest = hashlib.sha256(content).hexdigest()
            parts.append({"name": f"{len(parts):02}-{digest[:12]}.part", "sha256": digest})
            (output / parts[-1]["name"]).write_bytes(content)
    write_json(output / LIST, parts)
    names = [part["name"] for part in parts]
    for path in earlier - {output / name for name in names}:
        path.unlink()
    return names


def unpack(parts: Path, folder: Path) -> None:
    """Makes the folder from the parts that `pack` wrote.

    Raises:
        InputError: a part is missing or damaged.
    """
    expected = f"the parts that {LIST} lists"
    with tempfile.TemporaryDirectory(dir=folder.parent) as place, tempfile.TemporaryFile() as archive:
        for part in read_json(parts / LIST, expected):
            path = parts / str(part["name"])
            content = path.read_bytes() if path.is_file() else b""
            if hashlib.sha256(content).hexdigest() != part["sha256"]:
                raise InputError(f"{path}: missing or damaged; expected {expected}")
            archive.write(content)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(place, filter="data")
        (only,) = Path(place).iterdir()
        shutil.move(only, folder)
