"""Several processes train one model, find each other, stop together, and leave one run folder."""

import json
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from mathderive.cli.main import main
from mathderive.pipeline.paths import RunPaths
from tests.support.command import TINY, complaint, run, start, wait_for_step

CONFIG = ("--config", TINY, "model.dropout_rate=0.0", "training.steps=60", "training.evaluate_every=30")
TWO = ("--num-processes", "2")
MODEL = Path("runs/tiny/checkpoints/t5")


def start_together(
    command: str, cwd: Path, *arguments: str, last: tuple[str, ...] = ()
) -> list["subprocess.Popen[str]"]:
    """Starts two processes, the second one with further arguments."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    options = ("--coordinator", coordinator, *TWO)
    environment = {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_force_host_platform_device_count=1"}
    return [
        start(command, *CONFIG, *more, *options, "--process-id", str(index), cwd=cwd, **environment)
        for index, more in ((0, ()), (1, last))
    ]


def end_of(processes: list["subprocess.Popen[str]"]) -> list[tuple[int, str, str]]:
    """Exit code, standard output without Gloo's lines, and standard error of each process."""
    try:
        texts = [process.communicate(timeout=240) for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [
        (process.returncode, re.sub(r"(?m)^\[Gloo\].*\n", "", stdout), stderr)
        for process, (stdout, stderr) in zip(processes, texts, strict=True)
    ]


def losses(place: Path) -> dict[int, float]:
    rows = [json.loads(line) for line in (place / MODEL / "metrics.jsonl").read_text().splitlines()]
    return {row["step"]: row["loss"] for row in rows if "loss" in row}


@pytest.mark.long
@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    for place in (alone, together):
        place.mkdir()
    run("train", *CONFIG, cwd=alone)

    # A signal that reaches one of them ends both, at the same step.
    processes = start_together("all", together)
    wait_for_step(processes[0], together / MODEL / "metrics.jsonl", 10)
    processes[1].send_signal(signal.SIGTERM)
    ends = end_of(processes)
    assert [code for code, *_ in ends] == [143, 143], ends
    assert complaint(ends[0][2]) == complaint(ends[1][2])
    assert "mathderive: SIGTERM: stopped after step" in complaint(ends[0][2])

    first, second = end_of(start_together("all", together))
    assert (first[0], first[1].strip()) == (0, "runs/tiny/report/index.html"), first
    assert "train: 2 processes, 2 devices" in first[2]
    assert second[:2] == (0, ""), second
    assert losses(together) == pytest.approx(losses(alone), abs=1e-5)
    run_folder = together / "runs" / "tiny"
    assert (run_folder / "report" / "index.html").is_file()
    assert {path.name for path in (run_folder / "process-1").iterdir()} == {".lock", "config.yaml", "data", "data.json"}

    # A finished stage is finished in every process.
    first, second = end_of(start_together("train", together))
    assert (first[0], second[0]) == (0, 0), (first, second)
    assert "train: nothing to do" in first[2]


@pytest.mark.slow
@pytest.mark.long
def test_processes_that_are_not_alike_are_told(tmp_path: Path) -> None:
    first, second = end_of(start_together("train", tmp_path, last=("training.learning_rate=0.5",)))
    assert (first[0], second[0]) == (2, 2), (first, second)
    assert complaint(first[2]).startswith("mathderive: process 1 has other settings, data or libraries")
    assert complaint(second[2]) == (
        "mathderive: process 1: training.learning_rate is 0.5 here and 0.001 in process 0;"
        " expected the same code and command in every process"
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--coordinator", "host:1"), "expected all three, or none"),
        (
            ("--coordinator", "host", "--num-processes", "2", "--process-id", "0"),
            "--coordinator: host: expected HOST:P",
        ),
        (
            ("--coordinator", "host:1", "--num-processes", "2", "--process-id", "2"),
            "--process-id: 2: expected a number",
        ),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    arguments: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--config", str(TINY), *arguments]) == 2
    assert named in complaint(capsys.readouterr().err)


def test_several_processes_are_for_training(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = Path(__file__).parents[2] / "configs" / "paper.yaml"
    options = ("--coordinator", "host:1", *TWO, "--process-id", "1")
    assert main(["all", "--config", str(config), "--runs", str(tmp_path), *options]) == 2
    assert "this config trains no model" in complaint(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_only_the_first_process_has_the_run_folder() -> None:
    paths = RunPaths(Path("runs/tiny"))
    assert paths.of_process(None) == paths.of_process(0) == paths
    assert paths.of_process(3) == RunPaths(Path("runs/tiny/process-3"))
