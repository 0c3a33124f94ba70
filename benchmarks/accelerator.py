"""Training and decoding on an accelerator beside PyTorch, and training from shards, in one run of bounded time.

    python benchmarks/accelerator.py [--minutes 8] [--shards SHARDS] [--output FOLDER] [--tiny]

Needs JAX, Flax, Optax and Orbax, for the comparison PyTorch and transformers, and nothing else. Every measurement is
one JSON line, printed at once and kept in FOLDER/measurements.jsonl, so a run that is cut short has shown what it
measured. In this order:

1. a training step of the shape T5-large in bfloat16 at the paper's batch and length (4 rows, 512 and 512 tokens), ours
   and PyTorch's with scaled dot-product attention: under autocast, which like ours keeps float32 parameters, and with
   everything in bfloat16;
2. greedy and sampled decoding of that shape, ours and `generate`;
3. the training step at batches that double until the memory is used up, ours and PyTorch's under autocast;
4. with `--shards`, the training of the network that SHARDS describe, for the time left. The trained model comes as
   parts in FOLDER, each at most 15 MiB; the same command with that FOLDER goes on from them;
5. a summary: the ratios of ours to PyTorch's, and the best model FLOP utilisation.

Model FLOP utilisation is `3 * forward_flops / seconds / peak`: the work of the matrix products of a step's tokens
(`mathderive/training/flops.py`), divided by the step's time and by the card's peak for bfloat16 products, which
`PEAKS` there lists by device kind. It is null where the peak is unknown.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from parts import LIST, pack, unpack

ROOT = Path(__file__).resolve().parents[1]

Row = dict[str, Any]
"""One measurement."""

SECONDS_TO_SAVE = 25.0
"""Seconds at the end of the time in which training writes its last checkpoint, and its parts are written."""

TRAINING_SHARE = 0.25
"""Share of the time that is kept for training from shards."""

LEAST_SECONDS = 20.0
"""Seconds without which no further group of measurements begins."""

GROUPS = (
    *("ours-step", "pytorch-step", "pytorch-bfloat16-step", "ours-decoding", "pytorch-decoding"),
    *("ours-larger-steps", "pytorch-larger-steps"),
)
"""The groups of `accelerator_measurements.py`, in the order of their importance."""

LIBRARIES = ("jax", "flax", "optax", "orbax-checkpoint", "torch", "transformers")


class Stopped(Exception):  # noqa: N818 - a request, not an error
    """SIGTERM or SIGINT came."""


class Run:
    """One run: its time, its folder, and the measurements so far.

    Args:
        output: the folder of the results.
        deadline: the end of the run, by the monotonic clock.
        is_tiny: whether a tiny shape is measured.
    """

    def __init__(self, output: Path, deadline: float, is_tiny: bool) -> None:
        self.output, self.deadline, self.is_tiny = output, deadline, is_tiny
        self.rows: list[Row] = []

    def seconds_left(self) -> float:
        """Seconds until the end of the run."""
        return self.deadline - time.monotonic()

    def record(self, row: Row) -> None:
        """Prints a measurement and appends it to the results."""
        line = json.dumps(row)
        print(line, flush=True)
        with (self.output / "measurements.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
        self.rows.append(row)

    def measure(self, group: str, seconds: float) -> None:
        """Records the measurements of a group; its process is ended after these seconds."""
        if seconds < LEAST_SECONDS:
            self.record({"group": group, "left_out": "no time is left"})
            return
        script = Path(__file__).with_name("accelerator_measurements.py")
        command = [sys.executable, str(script), group, *(["--tiny"] if self.is_tiny else [])]
        with running(command, stdout=subprocess.PIPE) as process:
            timer = threading.Timer(seconds, process.kill)
            timer.start()
            assert process.stdout is not None
            for line in process.stdout:
                if line.startswith("{"):  # libraries may print other lines
                    self.record(json.loads(line))
            code = process.wait()
            is_late = not timer.is_alive()
            timer.cancel()
        if code:
            self.record({"group": group, "ended": "its time was over" if is_late else f"exit code {code}"})

    def train(self, shards: Path) -> None:
        """Trains from shards for the time left, from where an earlier run with this output stopped."""
        folder = self.output / "model"
        if not folder.exists() and (self.output / LIST).exists():
            unpack(self.output, folder)
        first_step, started, code = newest_step(folder), time.monotonic(), None
        command = [sys.executable, "-m", "mathderive.training", str(shards), str(folder)]
        try:
            with running(command, stdout=sys.stderr) as process, suppress(subprocess.TimeoutExpired):
                code = process.wait(max(1.0, self.seconds_left() - SECONDS_TO_SAVE))
        finally:
            row = {"measurement": "training from shards", "first_step": first_step, "step": newest_step(folder)}
            row |= {"seconds": time.monotonic() - started, "is_complete": code == 0, **last_metrics(folder)}
            parts = pack(folder, self.output) if newest_step(folder) else []
            self.record({**row, "parts": parts})

    def summarise(self) -> None:
        """Records the ratios of ours to PyTorch's and the best utilisation."""
        steps = [row for row in self.rows if row.get("measurement") == "training step" and "seconds" in row]
        least = min((row["rows"] for row in steps), default=0)
        utilisations = [row["model_flop_utilisation"] for row in steps if row["side"] == "ours"]
        summary: Row = {
            "summary": "ours to PyTorch's, in tokens per second",
            "training_step_at_the_papers_batch": ratio([row for row in steps if row["rows"] == least]),
            "best_training_step": ratio(steps),
            "best_model_flop_utilisation": max((one for one in utilisations if one is not None), default=None),
        }
        for search in ("greedy", "sampled"):
            summary[f"{search}_decoding"] = ratio([row for row in self.rows if row.get("search") == search])
        self.record(summary)


def ratio(rows: list[Row]) -> float | None:
    """The best of ours divided by the best of PyTorch's; null without one of the two."""
    best: dict[bool, float] = {}
    for row in rows:
        is_ours = row["side"] == "ours"
        best[is_ours] = max(best.get(is_ours, 0.0), row["tokens_per_second"])
    return best[True] / best[False] if len(best) == 2 else None


@contextmanager
def running(command: list[str], stdout: Any) -> Iterator["subprocess.Popen[str]"]:
    """A child process that ends with the block; SIGTERM gives it time to finish its step and write a checkpoint."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen(command, stdout=stdout, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(SECONDS_TO_SAVE)
            except subprocess.TimeoutExpired:
                process.kill()


def newest_step(folder: Path) -> int:
    """The step of the newest checkpoint; 0 without one."""
    return max((int(path.name) for path in folder.glob("orbax/*") if path.name.isdigit()), default=0)


def last_metrics(folder: Path) -> Mapping[str, Any]:
    """The last value of each training metric in the log."""
    metrics: Row = {}
    path = folder / "metrics.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        metrics |= json.loads(line)
    metrics.pop("step", None)
    return metrics


def installed_versions() -> Iterator[tuple[str, str | None]]:
    """Each library with its version, null where it is not installed."""
    for name in LIBRARIES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, None


def on_signal(number: int, _: FrameType | None) -> None:
    raise Stopped(signal.Signals(number).name)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8, help="the time of the whole run")
    parser.add_argument("--shards", type=Path, help="a folder that `./run.sh shards` made")
    default = os.environ.get("OUT", "accelerator")
    parser.add_argument("--output", type=Path, default=Path(default), help="by default the folder that OUT names")
    parser.add_argument("--tiny", action="store_true", help="a tiny shape and short texts, to try the script on a CPU")
    return parser.parse_args()


def main() -> int:
    options = parse_options()
    options.output.mkdir(parents=True, exist_ok=True)
    seconds = 60 * options.minutes
    run = Run(options.output, time.monotonic() + seconds, options.tiny)
    kept = TRAINING_SHARE * seconds if options.shards else 0.0
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    try:
        run.record(
            {"versions": dict(installed_versions()), "python": sys.version.split()[0], "minutes": options.minutes}
        )
        has_torch = importlib.util.find_spec("torch") is not None
        for group in GROUPS:
            if has_torch or not group.startswith("pytorch"):
                run.measure(group, run.seconds_left() - kept)
        run.summarise()
        if options.shards:
            run.train(options.shards)
    except Stopped as stopped:
        run.record({"stopped": str(stopped)})
        run.summarise()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
