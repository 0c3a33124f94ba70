"""Commands of the pipeline that are killed: where a kill hit, and which processes it left."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS_TO_END = 2.0
"""The time in which every process of a killed command ends."""

MAX_SECONDS = 600.0
"""The time after which a command counts as hung."""

STARTING = "start"
"""The name of the time before the first stage begins."""

_MARK = "MATHDERIVE_KILLED_COMMAND"
"""The environment variable by which the processes of a command are found."""

_HOOK = Path(__file__).with_name("at_file_operation")
_BEGINS = re.compile(r"^(\S+): (?:begins|goes on from where it was)$")


@dataclass(frozen=True)
class KillPlan:
    """When to kill a command: some seconds after a stage has begun, or immediately before a file operation.

    Attributes:
        stage: the stage's name, or `STARTING`.
        seconds: seconds after it has begun.
        operation: the number of the file operation in the whole command; 0 for none.
    """

    stage: str = STARTING
    seconds: float = float("inf")
    operation: int = 0


NEVER = KillPlan()


@dataclass(frozen=True)
class Ending:
    """The end of a command.

    Attributes:
        code: its exit code, negative for a signal.
        stage: the stage that had begun last.
        seconds: the seconds of each stage that it worked on.
        operations: the number of file operations, if the command ended by itself.
        left: descriptions of the processes that were alive `SECONDS_TO_END` after its end; they were then killed.
        output: the end of what it printed.
    """

    code: int
    stage: str
    seconds: Mapping[str, float]
    operations: int
    left: Sequence[str]
    output: str

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def run_command(arguments: Sequence[str], place: Path, environment: Mapping[str, str], plan: KillPlan) -> Ending:
    """Runs `mathderive` in a folder until it ends or is killed; only its main process is killed."""
    log, count = place / "log", place / "operations"
    count.unlink(missing_ok=True)
    mark = uuid.uuid4().hex
    changes = {
        _MARK: mark,
        "PYTHONPATH": str(_HOOK),
        "KILL_AT_FILE_OPERATION": f"{plan.operation} {count}",
        "TMPDIR": str(place / "tmp"),
    }
    with log.open("w+b") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mathderive", *arguments],
            cwd=place,
            env={**os.environ, **environment, **changes},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        begun = _kill_as_planned(process, log, plan)
        left = _processes_left(process.pid, mark)
    ends = [*list(begun.values())[1:], time.monotonic()]
    return Ending(
        code=process.returncode,
        stage=list(begun)[-1],
        seconds={stage: end - start for (stage, start), end in zip(begun.items(), ends, strict=True)},
        operations=int(count.read_text()) if count.exists() else 0,
        left=left,
        output=log.read_bytes()[-3000:].decode("utf-8", "replace"),
    )


def _kill_as_planned(process: "subprocess.Popen[bytes]", log: Path, plan: KillPlan) -> dict[str, float]:
    """Waits until the process has ended, and kills it when it is time; returns when each stage began."""
    begun = {STARTING: time.monotonic()}
    with log.open("rb") as stream:
        rest = b""
        while process.poll() is None:
            *lines, rest = (rest + stream.read()).split(b"\n")
            for line in lines:
                if match := _BEGINS.match(line.decode("utf-8", "replace")):
                    begun[match[1]] = time.monotonic()
            now = time.monotonic()
            if now - begun.get(plan.stage, now) > plan.seconds or now - begun[STARTING] > MAX_SECONDS:
                process.kill()
            time.sleep(0.005)
    return begun


def _processes_left(session: int, mark: str) -> list[str]:
    """Waits for the processes of a command to end; describes those that do not in time, and kills them."""
    deadline = time.monotonic() + SECONDS_TO_END
    while (alive := _alive(session, mark)) and time.monotonic() < deadline:
        time.sleep(0.02)
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return list(alive.values())


def _alive(session: int, mark: str) -> dict[int, str]:
    """The living processes of a session or with a mark in their environment, with their command lines."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            is_ours = int(status[3]) == session or mark.encode() in (folder / "environ").read_bytes()
            if is_ours and status[0] not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:300]
        except OSError:
            continue  # it has ended, or belongs to somebody else
    return found
