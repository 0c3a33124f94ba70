"""Does a run that is killed again and again end like one that is not? `kill -9` at random moments, in every stage.

    python benchmarks/kill_anywhere.py [--minutes 10] [--kills 8] [--seed 0] [--folder DIR] [--only COMMAND]

One run of every stage and every kind of predictor, and an evaluation of its checkpoint (`kill_anywhere.yaml`), ends
without interruption. After that, the same two commands run in fresh folders until the minutes are over. Each folder is
given up to `--kills` kills of the main process, and the same command goes on afterwards. Half of the kills come some
time after a stage has begun, with each stage as likely as any other. The other half come immediately before a file
operation of the process: there a file may be half written, or written and not yet renamed.

After a kill, every process of the command must end within 2 seconds. At the end, the folder must hold the same contents
as the uninterrupted one, and the same names: a further file or folder is one that the rerun does not use. The chat
endpoint answers on loopback. The last line of the output is a JSON object with the counts; the exit code is 1 if
anything is wrong. With the same seed, the same kills are planned, but the machine's speed decides where they hit.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the server and the made-up files are in tests/

from benchmarks.killed_runs.commands import NEVER, STARTING, KillPlan, run_command  # noqa: E402
from benchmarks.killed_runs.outputs import contents, names  # noqa: E402
from mathderive.core.progress import say  # noqa: E402
from tests.support.chat_server import ChatServer, serving  # noqa: E402
from tests.support.released_files import large_released_file  # noqa: E402
from tests.support.torch_bert import write_bleurt  # noqa: E402

CONFIG = Path(__file__).with_suffix(".yaml")
CHECKPOINT = f"runs/{CONFIG.stem}/checkpoints/t5"
SHOWN = 20
"""Number of differences of a run that are shown."""


@dataclass
class Tally:
    """Counts over all interrupted runs.

    Attributes:
        kills: the number of kills by the stage that had begun last.
        differences: names of contents that differ from the uninterrupted run's, or are missing.
        left: descriptions of processes that outlived a kill.
        stray: names of files and folders that the uninterrupted run does not have.
        failed: outputs of commands that ended with an error.
    """

    runs: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    at_file_operations: int = 0
    differences: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    stray: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, object]:
        return {
            "runs": self.runs,
            "kills": self.kills.total(),
            "at_file_operations": self.at_file_operations,
            "by_stage": dict(sorted(self.kills.items())),
            "differences": len(self.differences),
            "processes_left": len(self.left),
            "stray_files": len(self.stray),
            "failed": len(self.failed),
        }

    def is_clean(self) -> bool:
        return not (self.differences or self.left or self.stray or self.failed)


class Killer:
    """Runs the commands in folders of their own, and kills them."""

    def __init__(self, folder: Path, server: ChatServer, only: str | None, moments: random.Random) -> None:
        overrides = ["--config", str(CONFIG), f"predictors.2.base_url={server.url}"]
        evaluate = ["eval", "--checkpoint", CHECKPOINT, "--released", "released"]
        self._commands = [[*given, *overrides] for given in ([[only]] if only else [["all"], evaluate])]
        self._environment = {
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
            "JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "HF_HUB_OFFLINE": "1",
        }
        self._folder, self._moments = folder, moments
        self._seconds: list[Mapping[str, float]] = []
        self._operations: list[int] = []
        self._names: set[str] = set()
        self._contents: dict[str, bytes] = {}

    def run_uninterrupted(self) -> None:
        """Runs the commands without a kill; fills the cache of compiled code first."""
        for name in ("first", "uninterrupted"):
            place = self._prepare(name)
            endings = [run_command(command, place, self._environment, NEVER) for command in self._commands]
            for ending in endings:
                if ending.code or ending.left:
                    raise SystemExit(f"a command failed without a kill: {ending.left}\n{ending.output}")
        self._seconds = [ending.seconds for ending in endings]
        self._operations = [ending.operations for ending in endings]
        self._names, self._contents = names(place), contents(place)
        other = self._folder / "first"
        if differing := [*self._find_differences(other), *self._find_strays(other)]:
            raise SystemExit(f"two runs without a kill differ: {differing[:SHOWN]}")
        shutil.rmtree(other)

    def run_with_kills(self, kills: int, deadline: float, tally: Tally) -> None:
        """Runs the commands in a fresh folder, with at most so many kills; adds to the tally."""
        place = self._prepare(f"run-{tally.runs}")
        left = kills
        for number, command in enumerate(self._commands):
            done: set[str] = set()
            # Of two commands, the first has the larger share of the kills.
            while left > kills // 3 * (len(self._commands) - 1 - number) and time.monotonic() < deadline:
                plan = self._draw_plan(number, done)
                ending = run_command(command, place, self._environment, plan)
                done |= set(ending.seconds) - {ending.stage, STARTING}
                tally.left += [f"after a kill in {ending.stage}: {line}" for line in ending.left]
                if not ending.was_killed:
                    break
                left -= 1
                tally.kills[ending.stage] += 1
                tally.at_file_operations += plan.operation > 0
            else:
                ending = run_command(command, place, self._environment, NEVER)
            if ending.code:
                tally.failed.append(ending.output)
                say(f"run {tally.runs}: failed; the folder is kept: {place}\n{ending.output}")
                return
        self._compare(place, tally)

    def _draw_plan(self, command: int, done: set[str]) -> KillPlan:
        if self._moments.random() < 0.5:
            # A resumed command has fewer operations left, so small numbers are more likely.
            return KillPlan(operation=1 + int(self._operations[command] * self._moments.random() ** 2))
        stage = self._moments.choice([name for name in self._seconds[command] if name not in done])
        return KillPlan(stage, self._moments.uniform(0, self._seconds[command][stage]))

    def _prepare(self, name: str) -> Path:
        place = self._folder / name
        for part in ("tmp", "released"):
            (place / part).mkdir(parents=True)
        write_bleurt(place / "bleurt")
        large_released_file(place / "released", 6)
        return place

    def _compare(self, place: Path, tally: Tally) -> None:
        differing, stray = self._find_differences(place), self._find_strays(place)
        tally.differences += differing
        tally.stray += stray
        if not differing and not stray:
            shutil.rmtree(place)
            return
        say(f"run {tally.runs}: the folder is kept: {place}")
        for line in [f"differs: {name}" for name in differing][:SHOWN] + [f"stray: {name}" for name in stray][:SHOWN]:
            say(f"  {line}")

    def _find_differences(self, place: Path) -> list[str]:
        found = contents(place)
        everything = sorted(found.keys() | self._contents.keys())
        missing = [f"{name} (missing)" for name in sorted(self._names - names(place))]
        return [name for name in everything if found.get(name) != self._contents.get(name)] + missing

    def _find_strays(self, place: Path) -> list[str]:
        return sorted(names(place) - self._names)


def main() -> int:
    """Runs until the minutes are over, prints the counts, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="time for the interrupted runs")
    parser.add_argument("--kills", type=int, default=8, help="maximum number of kills of a run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the runs are made; by default a temporary folder")
    parser.add_argument("--only", help="this command alone, such as `data`, and no evaluation")
    options = parser.parse_args()
    tally = Tally()
    with serving() as server, tempfile.TemporaryDirectory(prefix="mathderive-kill-") as temporary:
        folder = (options.folder or Path(temporary)).resolve()
        killer = Killer(folder, server, options.only, random.Random(options.seed))
        killer.run_uninterrupted()
        deadline = time.monotonic() + 60 * options.minutes
        while time.monotonic() < deadline:
            killer.run_with_kills(options.kills, deadline, tally)
            tally.runs += 1
            say(f"runs {tally.runs}: {json.dumps(tally.summary())}")
    for line in tally.left[:SHOWN]:
        print(f"left: {line}")
    print(json.dumps({"seed": options.seed, "minutes": options.minutes, **tally.summary()}))
    return 0 if tally.is_clean() else 1


if __name__ == "__main__":
    sys.exit(main())
