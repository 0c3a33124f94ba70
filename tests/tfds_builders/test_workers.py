"""Chunks computed by processes: the same records for any number of workers, and none computed twice."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from mathderive.errors import InputError
from mathderive.records import StepRecord
from tfds_builders.derivations.workers import compute_chunks


def squares(marks: Path, chunk: range) -> list[StepRecord]:
    (marks / f"{chunk.start}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return [StepRecord(annotation=[number], srepr=str(number**2)) for number in chunk]


def die(chunk: range) -> list[StepRecord]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


CHUNKS = [range(start, start + 3) for start in range(0, 30, 3)]


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_records_come_in_order_and_are_kept(tmp_path: Path, marks: Path, workers: int) -> None:
    compute = partial(squares, marks)
    for _ in range(2):
        chunks = list(compute_chunks(compute, CHUNKS, StepRecord, tmp_path / "chunks", workers))
        assert [record.srepr for chunk in chunks for record in chunk] == [str(number**2) for number in range(30)]
    assert len(list(marks.iterdir())) == len(CHUNKS)


def test_an_endless_source_is_read_a_little_ahead(tmp_path: Path, marks: Path) -> None:
    def endless():
        start = 0
        while True:
            yield range(start, start + 1)
            start += 1

    chunks = compute_chunks(partial(squares, marks), endless(), StepRecord, tmp_path / "chunks", 1)
    for _ in range(3):
        next(chunks)
    chunks.close()
    assert len(list(marks.iterdir())) <= 6


def test_a_killed_worker_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a generating process was killed"):
        list(compute_chunks(die, CHUNKS, StepRecord, tmp_path / "chunks", 1))


ORPHANS = """
import sys
sys.path[:0] = [{tests!r}]
from test_workers_child import wait
from mathderive.records import StepRecord
from pathlib import Path
from tfds_builders.derivations.workers import compute_chunks
if __name__ == "__main__":
    list(compute_chunks(wait, [1, 2], StepRecord, Path({folder!r}), 2))
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    (tmp_path / "test_workers_child.py").write_text(
        "import os, pathlib, time\n"
        "def wait(chunk):\n"
        f"    (pathlib.Path({str(tmp_path)!r}) / f'pid-{{os.getpid()}}').touch()\n"
        "    time.sleep(600)\n"
        "    return []\n",
        encoding="utf-8",
    )
    script.write_text(ORPHANS.format(tests=str(tmp_path), folder=str(tmp_path / "chunks")), encoding="utf-8")
    parent = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"})
    deadline = time.monotonic() + 60
    while len(pids := [int(path.name[4:]) for path in tmp_path.glob("pid-*")]) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(pids) == 2
    parent.kill()
    parent.wait()
    while any(map(_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(_alive, pids))


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
