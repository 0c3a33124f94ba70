"""Checksums of a folder's files notice damage and lead nowhere else."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mathderive.core.checksums import CHECKSUMS, verify_checksums, write_checksums
from mathderive.core.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    paths = [tmp_path / "one", tmp_path / "inner" / "two"]
    for path in paths:
        path.write_bytes(bytes(range(256)))
    write_checksums(tmp_path, paths)
    return tmp_path


def test_whole_files_pass(folder: Path) -> None:
    verify_checksums(folder)
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "--check", "--quiet", CHECKSUMS], cwd=folder, check=True)


def test_a_folder_without_checksums_passes(tmp_path: Path) -> None:
    verify_checksums(tmp_path)


@pytest.mark.parametrize("position", [0, 100, 255])
def test_a_flipped_bit_is_named(folder: Path, position: int) -> None:
    path = folder / "inner" / "two"
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="inner/two: damaged, or edited by hand: its SHA-256 is not"):
        verify_checksums(folder)
    verify_checksums(folder, lambda name: name == "one")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "one").unlink()
    with pytest.raises(InputError, match="one: no such file"):
        verify_checksums(folder)


@pytest.mark.parametrize(
    "line", ["", "0" * 64, f"{'0' * 63}  one", f"{'0' * 64}  ../one", f"{'0' * 64}  /etc/passwd", f"{'0' * 64}  a\0b"]
)
def test_damaged_checksums_are_named(folder: Path, line: str) -> None:
    (folder / CHECKSUMS).write_text(f"{line}\n")
    with pytest.raises(InputError, match="SHA256SUMS, line 1: damaged"):
        verify_checksums(folder)
