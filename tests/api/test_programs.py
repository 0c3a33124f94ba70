"""The checker in every kind of program: each one a real process, none with an `if __name__ == "__main__"` guard."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BEGINNING = r"""
import mathderive
P = r"Given x = a b, then obtain x + b = a b + b"
GOOD = r"x = a b and x + b = a b + b"
BAD = r"x = a b and x + b = a b + a"
"""


def environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}


def run(folder: Path, code: str, *flags: str) -> str:
    """Runs a script from its own folder; returns what it prints, and fails if it writes to standard error."""
    script = folder / "program.py"
    script.write_text(BEGINNING + code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, *flags, script],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-3000:]
    return done.stdout


def test_importing_loads_no_library_and_takes_a_moment() -> None:
    code = """
import sys, time
before = set(sys.modules)
started = time.process_time()
import mathderive
seconds = time.process_time() - started
loaded = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
assert loaded == {"mathderive"}, loaded
assert seconds < 0.2, seconds
assert set(mathderive.__all__) <= set(dir(mathderive))
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), check=True)


def test_checking_loads_no_network_library() -> None:
    code = (
        BEGINNING + "mathderive.check(P, GOOD); import sys; assert not {'jax', 'tensorflow_datasets'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), check=True)


def test_a_plain_script(tmp_path: Path) -> None:
    code = "print(mathderive.check(P, GOOD).verified, mathderive.check(P, BAD).verified)"
    assert run(tmp_path, code, "-X", "dev", "-W", "error") == "True False\n"


def test_a_program_from_standard_input(tmp_path: Path) -> None:
    code = BEGINNING + "print(mathderive.check(P, GOOD).verified, mathderive.check(P, BAD).verified)"
    done = subprocess.run(
        [sys.executable, "-"],
        input=code,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("True False\n", "")


def test_files_of_the_current_folder_take_no_module_s_place(tmp_path: Path) -> None:
    for name in ("json", "sympy", "mathderive", "runpy"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong file')", encoding="utf-8")
    (tmp_path / "scripts").mkdir()
    code = "import os; os.chdir('..'); print(mathderive.check(P, GOOD).verified)"
    assert run(tmp_path / "scripts", code) == "True\n"


def test_threads_share_a_checker(tmp_path: Path) -> None:
    code = """
from threading import Thread
found = []
with mathderive.Checker(2) as checker:
    def work(good):
        found.extend((good, checker.check(P, GOOD if good else BAD).verified) for _ in range(10))
    threads = [Thread(target=work, args=[number % 2 == 0]) for number in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
print(len(found), all(good == verified for good, verified in found))
"""
    assert run(tmp_path, code) == "80 True\n"


def test_asyncio_with_and_without_threads(tmp_path: Path) -> None:
    code = """
import asyncio
async def main():
    print(mathderive.check(P, GOOD).verified)
    tasks = [asyncio.to_thread(mathderive.check, P, text) for text in (GOOD, BAD) * 5]
    print([verdict.verified for verdict in await asyncio.gather(*tasks)] == [True, False] * 5)
asyncio.run(main())
"""
    assert run(tmp_path, code) == "True\nTrue\n"


@pytest.mark.parametrize("used_before", [False, True], ids=["unused", "used before"])
def test_daemonic_forked_processes(tmp_path: Path, used_before: bool) -> None:
    """Forks of a process with a checker get children of their own, whose answers do not mix."""
    code = f"""
import multiprocessing
checker = mathderive.Checker()
if {used_before}:
    assert checker.check(P, GOOD).verified and mathderive.check(P, GOOD).verified
def work(number, queue):
    texts = [GOOD, BAD] * 5
    verdicts = [(checker if number else mathderive).check(P, text).verified for text in texts]
    queue.put(verdicts == [True, False] * 5)
context = multiprocessing.get_context("fork")
queue = context.Queue()
processes = [context.Process(target=work, args=(number, queue), daemon=True) for number in range(2)]
[process.start() for process in processes]
print(checker.check(P, GOOD).verified, checker.check(P, BAD).verified)
print([queue.get(timeout=100) for _ in processes])
[process.join() for process in processes]
print(checker.check(P, GOOD).verified, checker.check(P, BAD).verified)
"""
    assert run(tmp_path, code) == "True False\n[True, True]\nTrue False\n"


def test_a_daemonic_spawned_process(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(
        f"{BEGINNING}\ndef work(queue):\n    queue.put([mathderive.check(P, text).verified for text in (GOOD, BAD)])\n",
        encoding="utf-8",
    )
    # `multiprocessing` itself needs the guard here.
    code = """
import multiprocessing, work
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=work.work, args=(queue,), daemon=True)
    process.start()
    print(queue.get(timeout=100))
    process.join()
"""
    assert run(tmp_path, code) == "[True, False]\n"


def test_generating_with_several_processes(tmp_path: Path) -> None:
    assert run(tmp_path, "print(len(mathderive.generate(4, processes=2)))", "-X", "dev", "-W", "error") == "4\n"


def test_the_states_of_a_search(tmp_path: Path) -> None:
    code = """
from mathderive.checker.supervised_states import SupervisedStates
with SupervisedStates(seed="secret") as states:
    state = states.start(P)
    print([state.push(text).verdict.verified_so_far for text in ("x = a b", "x = b")])
"""
    assert run(tmp_path, code) == "[True, False]\n"


def test_a_program_that_is_not_told_how_its_children_end(tmp_path: Path) -> None:
    code = r"""
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from mathderive.checker.supervision import SupervisedChecker
from mathderive.core.workers import Limits
print(mathderive.check(P, GOOD).verified)
with SupervisedChecker(Limits(cpu_seconds=0.0001)) as checker:
    print({step.truth for step in checker.check(P, GOOD).steps})
"""
    assert run(tmp_path, code) == "True\n{'undecided'}\n"


@pytest.mark.slow
def test_an_interrupted_check_leaves_no_answer_for_the_next_one(tmp_path: Path) -> None:
    code = r"""
import os, signal, threading
assert mathderive.check(P, GOOD).verified
for delay in (0.0, 0.002, 0.01, 0.05):
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        for _ in range(100):
            mathderive.check(P, GOOD)
        print("not interrupted")
    except KeyboardInterrupt:
        pass
    print(mathderive.check(P, BAD).verified, mathderive.check(P, GOOD).verified)
"""
    assert run(tmp_path, code) == "False True\n" * 4


def test_a_child_killed_from_outside_is_replaced(tmp_path: Path) -> None:
    code = r"""
import os, pathlib, signal
def children():
    return [int(one) for path in pathlib.Path("/proc/self/task").glob("*/children") for one in path.read_text().split()]
print(mathderive.check(P, GOOD).verified)
(child,) = children()
secrets = pathlib.Path(f"/proc/{child}/cmdline").read_bytes() + pathlib.Path(f"/proc/{child}/environ").read_bytes()
os.kill(child, signal.SIGKILL)
try:
    print(mathderive.check(P, GOOD))
except mathderive.InputError as error:
    print("killed from outside" in str(error))
print(mathderive.check(P, GOOD).verified)
with mathderive.Checker(key="only-I-know") as checker:
    checker.check(P, GOOD)
    assert len(children()) == 2
    for child in children():
        for name in ("cmdline", "environ"):
            assert b"only-I-know" not in pathlib.Path(f"/proc/{child}/{name}").read_bytes()
assert len(children()) == 1, "no zombie is left"
"""
    assert run(tmp_path, code) == "True\nTrue\nTrue\n"


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in the middle of a check"])
def test_children_end_with_a_killed_program(tmp_path: Path, busy: bool) -> None:
    code = r"""
import pathlib, time
mathderive.check(P, GOOD)
children = [one for path in pathlib.Path("/proc/self/task").glob("*/children") for one in path.read_text().split()]
print(*children, flush=True)
while BUSY:
    mathderive.check(P, " and ".join([GOOD] * 100))
time.sleep(600)
"""
    script = tmp_path / "program.py"
    script.write_text(BEGINNING + code.replace("BUSY", str(busy)), encoding="utf-8")
    with subprocess.Popen([sys.executable, script], env=environment(), stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        (child,) = map(int, program.stdout.readline().split())
        time.sleep(0.3)
        program.kill()
    killed = time.monotonic()
    while is_alive(child) and time.monotonic() < killed + 2.0:
        time.sleep(0.01)
    left = is_alive(child)
    if left:
        os.kill(child, signal.SIGKILL)
    assert not left


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
