"""Supervised workers: results do not depend on their number, and an item that ends its process is lost alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Timer

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.core.piped_workers import PipedWorker
from mathderive.core.workers import MOST_LOST_IN_A_ROW, Limits, WorkerProcess, run_in_workers

TIGHT = Limits(memory_bytes=2**29, cpu_seconds=1.0)


def square(marks: Path, number: int) -> int:
    (marks / f"{number}-{os.getpid()}").touch()
    return number**2


def behave(what: str) -> str:
    """Fills the memory, loops in Python or in C, crashes, fails, or returns its process's id, as asked."""
    if what == "fills":
        hoard = []
        while True:
            hoard.append(bytearray(10**7))
    if what == "loops":
        while True:
            pass
    if what == "loops in C":
        pow(3, 10**9)
    if what == "crashes":
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "aborts":
        os.abort()
    if what == "divides by zero":
        os.kill(os.getpid(), signal.SIGFPE)
    if what == "sleeps":
        time.sleep(3)
    if what == "fails":
        raise ZeroDivisionError("on purpose")
    if what.startswith("killed by "):
        os.kill(os.getpid(), int(what.removeprefix("killed by ")))
    return str(os.getpid())


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def run_chunk(worker: WorkerProcess[int, int], chunk: range) -> list[int]:
    return worker.run(chunk).results


MakeWorker = Callable[..., WorkerProcess[str, str]]


@pytest.fixture(params=[WorkerProcess, PipedWorker])
def make_worker(request: pytest.FixtureRequest) -> MakeWorker:
    """Starts children by `multiprocessing`, or as modules with pipes; both behave alike."""
    make: MakeWorker = request.param
    return make


CHUNKS = [range(start, start + 3) for start in range(0, 30, 3)]


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order(marks: Path, workers: int) -> None:
    chunks = list(run_in_workers(partial(square, marks), run_chunk, CHUNKS, workers))
    assert [result for chunk in chunks for result in chunk] == [number**2 for number in range(30)]
    processes = {path.name.partition("-")[2] for path in marks.iterdir()}
    assert len(processes) == workers
    assert str(os.getpid()) not in processes


def test_an_endless_source_is_read_a_little_ahead(marks: Path) -> None:
    def endless() -> Iterator[range]:
        start = 0
        while True:
            yield range(start, start + 1)
            start += 1

    chunks = run_in_workers(partial(square, marks), run_chunk, endless(), 1)
    for _ in range(3):
        next(chunks)
    chunks.close()
    assert len(list(marks.iterdir())) <= 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("deed", "cause"),
    [
        ("fills", "GB of memory"),
        ("loops", "s of CPU time"),
        ("loops in C", "s of CPU time"),
        ("crashes", "segmentation fault"),
        ("aborts", "aborted"),
        ("divides by zero", "an arithmetic fault"),
    ],
)
def test_an_item_that_ends_its_process_is_lost_alone(make_worker: MakeWorker, deed: str, cause: str) -> None:
    worker = make_worker(behave, TIGHT)
    outcome = worker.run(["is good", deed, "is good", "is good"])
    worker.stop()
    assert list(outcome.lost) == [1]
    assert cause in outcome.lost[1]
    first, second, third = outcome.results
    assert first != second == third  # a fresh process after the loss, and one only


def test_the_limit_counts_cpu_time_not_the_clock(make_worker: MakeWorker) -> None:
    worker = make_worker(behave, TIGHT)
    assert not worker.run(["sleeps"]).lost
    worker.stop()


def fill(marks: Path, size: int) -> int:
    """Allocates megabytes and keeps them, like a cache; notes each attempt."""
    KEPT.append(bytearray(size * 10**6))
    (marks / f"{size}-{time.monotonic_ns()}").touch()
    return size


KEPT: list[bytearray] = []


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(100, 300), min_size=3, max_size=6))
def test_what_earlier_items_left_in_memory_loses_nothing(marks: Path, sizes: list[int]) -> None:
    """Each item fits into the memory alone; together they do not."""
    worker = WorkerProcess(partial(fill, marks), TIGHT)
    outcome = worker.run(sizes)
    worker.stop()
    assert outcome.results == sizes
    assert not outcome.lost


@pytest.mark.slow
def test_a_machine_on_which_everything_dies_loses_nothing() -> None:
    worker = WorkerProcess(behave, TIGHT)
    assert len(worker.run(["aborts"] * (MOST_LOST_IN_A_ROW - 1) + ["is good"]).lost) == MOST_LOST_IN_A_ROW - 1
    with pytest.raises(InputError, match="none is taken for lost"):
        worker.run(["aborts"] * MOST_LOST_IN_A_ROW)
    worker.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_killed_from_outside_is_one_line_and_no_loss(make_worker: MakeWorker, number: int) -> None:
    with pytest.raises(InputError, match="killed from outside"):
        make_worker(behave).run(["is good", f"killed by {int(number)}"])


def test_a_worker_that_is_interrupted_or_stopped_says_so(make_worker: MakeWorker) -> None:
    worker = make_worker(behave)
    for end in (worker.interrupt, worker.stop):
        assert len(worker.run(["is good"]).results) == 1
        timer = Timer(0.3, end)
        timer.start()
        with pytest.raises(InputError, match="^the work was stopped$"):
            worker.run(["sleeps"])
        timer.join()


def test_an_interrupt_between_two_items_harms_none(make_worker: MakeWorker) -> None:
    worker = make_worker(behave)
    worker.interrupt()
    for _ in range(2):
        assert len(worker.run(["is good"]).results) == 1
        worker.interrupt()
    assert worker.run(["is good", "is good"]).lost == {}
    worker.stop()


def test_a_fault_of_the_function_shows_its_traceback(make_worker: MakeWorker) -> None:
    worker = make_worker(behave)
    with pytest.raises(RuntimeError, match="ZeroDivisionError: on purpose"):
        worker.run(["fails"])
    worker.stop()


SECONDS_TO_END = 1.0
"""The time in which every child of a killed process ends, on a busy machine."""

PARENT = """
import sys
from orphan_work import work
if __name__ == "__main__":
    {start}
"""

WORKERS = """
    from mathderive.core.workers import run_in_workers
    list(run_in_workers(work, lambda worker, chunk: worker.run([chunk]), [1, 2], 2))
"""

POOL = """
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    from mathderive.pipeline.token_shards import _begin_worker
    with ProcessPoolExecutor(2, get_context("spawn"), _begin_worker) as pool:
        list(pool.map(work, [1, 2]))
"""

SLEEPS = "time.sleep(600)"
LOOPS_IN_C = "pow(3, 10**10)"


@pytest.mark.parametrize(
    ("start", "imported", "work"),
    [
        (WORKERS, "", SLEEPS),
        (WORKERS, "", LOOPS_IN_C),
        (WORKERS, f"if __name__ != '__main__' and 'spawn_main' in sys.orig_argv[-2]: begun(); {LOOPS_IN_C}", SLEEPS),
        (POOL, "", SLEEPS),
        (POOL, "", LOOPS_IN_C),
        (POOL, "", "None"),
    ],
    ids=["asleep", "in C code", "while importing", "pool asleep", "pool in C code", "pool idle"],
)
def test_children_end_at_once_with_a_killed_parent(tmp_path: Path, start: str, imported: str, work: str) -> None:
    (tmp_path / "orphan_work.py").write_text(
        "import os, pathlib, sys, time\n"
        "def begun():\n"
        f"    (pathlib.Path({str(tmp_path)!r}) / f'pid-{{os.getpid()}}').touch()\n"
        "def work(chunk):\n"
        f"    begun()\n    {work}\n"
        f"{imported}\n",
        encoding="utf-8",
    )
    if work == "None":
        start += "        time.sleep(600)\n"
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(start=start).replace("import sys", "import time"), encoding="utf-8")
    parent = subprocess.Popen([sys.executable, script], env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"})
    deadline = time.monotonic() + 60
    expected = 1 if work == "None" else 2  # a quick worker may do all the work
    while len(list(tmp_path.glob("pid-*"))) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
    children = _children(parent.pid)
    assert len(children) >= expected + 1, "the workers and the resource tracker"
    parent.kill()
    parent.wait()
    killed = time.monotonic()
    while any(map(_alive, children)) and time.monotonic() < killed + SECONDS_TO_END:
        time.sleep(0.01)
    left = [pid for pid in children if _alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left


def _children(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in children for child in path.read_text(encoding="ascii").split()]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
