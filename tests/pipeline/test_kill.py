"""A run that is killed or told to end at any moment and called again writes the same files."""

import json
import os
import random
import re
import shutil
import signal
from pathlib import Path

import pytest

from benchmarks.killed_runs.commands import NEVER, Ending, KillPlan, run_command
from tests.support.command import COMPILED, TINY, complaint, jsonl_files, run, start, wait_for_step

KILLS_PER_STAGE = 2
STAGES = ("data", "train", "predict", "score", "report")


def call(stage: str, place: Path, plan: KillPlan) -> Ending:
    """Calls the stage's command in a folder; it is killed as planned, or ends without an error."""
    ended = run_command([stage, "--config", str(TINY)], place, COMPILED, plan)
    assert ended.was_killed or ended.code == 0, ended.output
    return ended


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_moments(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for place in (whole, killed):
        (place / "tmp").mkdir(parents=True)
    seed = int(os.environ.get("MATHDERIVE_KILL_SEED", random.SystemRandom().randrange(10**6)))
    print(f"MATHDERIVE_KILL_SEED={seed} repeats these moments")
    moments = random.Random(seed)
    for stage in STAGES:
        operations = call(stage, whole, NEVER).operations
        kills = [
            call(stage, killed, KillPlan(operation=moments.randint(1, int(0.8 * operations)))).was_killed
            for _ in range(KILLS_PER_STAGE)
        ]
        assert kills[0]
        call(stage, killed, NEVER)
    assert jsonl_files(killed / "runs" / "tiny") == jsonl_files(whole / "runs" / "tiny")
    assert not list((killed / "runs" / "tiny").rglob("*.partial"))


@pytest.mark.long
@pytest.mark.slow
def test_told_to_end_while_it_trains(tmp_path: Path) -> None:
    train = ("train", "--config", TINY, "training.steps=300", "training.evaluate_every=150", "training.log_every=10")
    whole, ended = tmp_path / "whole", tmp_path / "ended"
    for place in (whole, ended):
        place.mkdir()
    run("data", "--config", TINY, cwd=whole)
    shutil.copytree(whole / "runs", ended / "runs")
    run(*train, cwd=whole)
    model = Path("runs/tiny/checkpoints/t5")
    for number, step in ((signal.SIGTERM, 50), (signal.SIGINT, 200)):
        process = start(*train, cwd=ended)
        wait_for_step(process, ended / model / "metrics.jsonl", step)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=240)
        assert process.returncode == 128 + number, stderr
        said = re.fullmatch(
            rf"mathderive: {number.name}: stopped after step (\d+), whose checkpoint is written; "
            "the same command goes on from there",
            complaint(stderr),
        )
        assert said, stderr
        assert int(said[1]) >= step
        assert (ended / model / "orbax" / said[1]).is_dir()
    assert "goes on from where it was" in run(*train, cwd=ended).stderr
    results = [json.loads((place / "runs" / "tiny" / "train.json").read_text())["results"] for place in (whole, ended)]
    assert results[0] == results[1]


@pytest.mark.slow
def test_told_to_end_while_it_does_not_train(tmp_path: Path) -> None:
    process = start("data", "--config", TINY, "data.sizes.train=5000", cwd=tmp_path)
    assert process.stderr is not None
    assert any("data: begins" in line for line in process.stderr)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
