"""Does any input crash, hang or fill the memory? Hostile inputs of several kinds, each run in a process of its own.

    python benchmarks/attacks_on_inputs.py [--kind configs] [--workers 2] [--name TEXT]

Each module of `benchmarks/hostile_inputs` that is listed in KINDS makes the inputs of one kind. An input's command runs
in an empty folder, with a limit of time and of memory. A right end is a refusal: exit code 2 and one line that begins
with `mathderive: `, no traceback. A table shows for each kind the inputs tried, refused in one line, accepted where
they may be, crashed (anything else, such as a traceback) and hung, and the peak memory of one command. Inputs that
crashed or hung are listed. The exit code is 1 if there are any.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the inputs are in benchmarks/hostile_inputs

from benchmarks.hostile_inputs import (  # noqa: E402
    checkpoints,
    configs,
    endpoint_answers,
    http_requests,
    ledgers,
    result_files,
    texts,
)
from benchmarks.hostile_inputs.attack import Attack  # noqa: E402
from mathderive.core.progress import progress  # noqa: E402

KINDS: Mapping[str, Callable[[], Iterator[Attack]]] = {
    "configs": configs.attacks,
    "ledgers": ledgers.attacks,
    "checkpoints": checkpoints.attacks,
    "results": result_files.attacks,
    "texts": texts.attacks,
    "endpoints": endpoint_answers.attacks,
    "requests": http_requests.attacks,
}
"""The function that yields the inputs of each kind."""

MAX_SECONDS = 10.0
"""CPU time, in seconds, after which a command counts as hung; a start alone takes 1 to 2 seconds."""

MAX_WAIT = 60.0
"""Time by the clock, in seconds, after which a command counts as hung; a command that waits uses no CPU time."""

MAX_MEMORY = 4 * 2**30
"""Address space of a command in bytes; a command that needs more crashes."""

OUTCOMES = ("refused", "accepted", "crashed", "hung")


@dataclass(frozen=True)
class Result:
    """The end of one command.

    Attributes:
        outcome: one of `OUTCOMES`.
        peak_bytes: the most memory that the command held at a time.
        output: the end of its standard error.
    """

    attack: Attack
    outcome: str
    peak_bytes: int
    output: str


def run_attack(attack: Attack) -> Result:
    """Runs one command to its end or limit."""
    with tempfile.TemporaryDirectory(prefix="mathderive-attack-") as name:
        folder = Path(name)
        attack.prepare(folder)
        with (folder / ".stderr").open("w+b") as stderr:
            process = subprocess.Popen(
                [sys.executable, *attack.arguments],
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_limit,
            )
            status, usage = _wait(process)
            stderr.seek(0)
            text = stderr.read(2**20).decode("utf-8", "replace")
        hung = usage.ru_utime + usage.ru_stime >= MAX_SECONDS or status == -signal.SIGKILL
        outcome = "hung" if hung else _judge(attack, status, text)
        return Result(attack, outcome, usage.ru_maxrss * 1024, text[-500:])


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(MAX_SECONDS), int(MAX_SECONDS) + 1))


def _wait(process: "subprocess.Popen[bytes]") -> tuple[int, resource.struct_rusage]:
    """Returns the exit code, as `Popen.returncode`, and what the process used."""
    deadline = time.monotonic() + MAX_WAIT
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.02)


def _judge(attack: Attack, status: int, text: str) -> str:
    complaints = [line for line in text.splitlines() if line.startswith("mathderive: ")]
    if status == 2 and len(complaints) == 1 and complaints[0].isprintable() and "Traceback" not in text:
        return "refused"
    is_accepted = attack.may_succeed and status in attack.right_codes and "Traceback" not in text
    return "accepted" if is_accepted else "crashed"


def main() -> int:
    """Runs the inputs, prints the table, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind; repeatable")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="commands run at a time")
    parser.add_argument("--name", default="", help="only inputs with this text in their names")
    options = parser.parse_args()
    wrong = 0
    print(f"{'kind':12}{'tried':>8}{''.join(f'{outcome:>10}' for outcome in OUTCOMES)}{'peak MB':>10}")
    for kind in options.kind or KINDS:
        attacks = [attack for attack in KINDS[kind]() if options.name in attack.name]
        results = []
        with ThreadPoolExecutor(options.workers) as threads, progress(kind) as on_progress:
            for result in threads.map(run_attack, attacks):
                results.append(result)
                on_progress("inputs", len(results), len(attacks))
        counts = Counter(result.outcome for result in results)
        peak = max((result.peak_bytes for result in results), default=0) / 1e6
        numbers = "".join(f"{counts[outcome]:>10}" for outcome in OUTCOMES)
        print(f"{kind:12}{len(results):>8}{numbers}{peak:>10.0f}")
        for result in results:
            if result.outcome in ("crashed", "hung"):
                wrong += 1
                print(f"  {result.outcome}: {result.attack.name}: {result.output!a}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
