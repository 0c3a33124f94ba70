"""`kill -9` at any moment of any stage, then the same command: the files end as if nothing had happened."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import TINY, jsonl_files, run, start

KILLS_PER_STAGE = 4
STAGES = ("data", "train", "predict", "score", "report")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, float]]:
    """The files of a run that nothing disturbed, and the seconds that each stage's command took."""
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
                process.wait(timeout=moments.uniform(0.2, 1.0) * seconds[stage])
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.communicate()
        run(stage, "--config", TINY, cwd=tmp_path)
    assert jsonl_files(tmp_path / "runs" / "tiny") == expected
    assert killed >= len(STAGES)
    assert not list((tmp_path / "runs" / "tiny").rglob("*.partial"))
