"""A file of lines that a kill interrupts keeps its whole lines and drops the rest."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mathderive.core.resumable import ResumableFile


def numbers(path: Path) -> ResumableFile[int]:
    return ResumableFile(path, lambda number: f"{number}\n", int)


def append(path: Path, *items: int) -> None:
    file = numbers(path)
    with file.resume(list(file.read())) as write:
        write(items)


def test_items_are_appended_to_those_that_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "new" / "numbers"
    assert list(numbers(path).read()) == []
    append(path, 1, 2)
    append(path, 3)
    assert list(numbers(path).read()) == [1, 2, 3]
    with numbers(path).resume([2]) as write:
        write([4])
    assert path.read_text() == "2\n4\n"


@pytest.mark.parametrize("torn", [b"3", b"x\n", b"\xff\n", b"x\n3\n"])
def test_a_damaged_line_and_all_after_it_are_dropped(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(b"1\n2\n" + torn)
    append(path, 4)
    assert path.read_bytes() == b"1\n2\n4\n"


def test_a_line_is_on_the_disk_when_append_returns(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    with numbers(path).resume([]) as write:
        write([1])
        assert path.read_bytes() == b"1\n"


def test_a_killed_process_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    code = (
        "import itertools, pathlib, sys\n"
        "from mathderive.core.resumable import ResumableFile\n"
        "file = ResumableFile(pathlib.Path(sys.argv[1]), lambda number: f'{number}\\n', int)\n"
        "with file.resume([]) as append:\n"
        "    for number in itertools.count():\n"
        "        append([number])\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)])
    while not (path.exists() and path.stat().st_size > 200):
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    found = list(numbers(path).read())
    assert len(found) > 50
    assert found == list(range(len(found)))
