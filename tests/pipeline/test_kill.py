"""A run that is killed or told to end at any moment and called again writes the same files."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command import TINY, complaint, jsonl_files, run, start, wait_for_step

KILLS_PER_STAGE = 4
STAGES = ("data", "train", "predict", "score", "report")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, float]]:
    """The files of an undisturbed run, and the seconds of each stage's command."""
    place = tmp_path_factory.mktemp("uninterrupted")
    seconds = {}
    for stage in STAGES:
        started = time.monotonic()
        run(stage, "--config", TINY, cwd=place)
        seconds[stage] = time.monotonic() - started
    return jsonl_files(place / "runs" / "tiny"), seconds


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_random_moments(uninterrupted: tuple[dict[str, bytes], dict[str, float]], tmp_path: Path) -> None:
    expected, seconds = uninterrupted
    seed = int(os.environ.get("MATHDERIVE_KILL_SEED", random.SystemRandom().randrange(10**6)))
    print(f"MATHDERIVE_KILL_SEED={seed} repeats these moments")
    moments = random.Random(seed)
    killed = 0
    for stage in STAGES:
        for _ in range(KILLS_PER_STAGE):
            process = start(stage, "--config", TINY, cwd=tmp_path)
            try:
                # Later calls are quicker than the measured one, because they find compiled code.
                process.wait(timeout=moments.uniform(0.1, 0.7) * seconds[stage])
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.communicate()
        run(stage, "--config", TINY, cwd=tmp_path)
    assert jsonl_files(tmp_path / "runs" / "tiny") == expected
    assert killed >= len(STAGES)
    assert not list((tmp_path / "runs" / "tiny").rglob("*.partial"))


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
