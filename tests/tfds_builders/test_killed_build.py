"""A data stage that was killed with -9 resumes to the same contents, and still reports what the backstop ended."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import TINY, run, start

ARGUMENTS = ("data", "--config", TINY, "data.workers=1", "data.sizes.train=150")


def results(place: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((place / "runs" / "tiny" / "data.json").read_text(encoding="utf-8"))
    return dict(manifest["results"]["derivations"])


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """The folder that holds runs/, with a build that was killed after its first chunk."""
    process = start(*ARGUMENTS, cwd=tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("candidates/*.keys.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert list(tmp_path.rglob("candidates/*.keys.json"))
    assert not json.loads((tmp_path / "runs" / "tiny" / "data.json").read_text(encoding="utf-8"))["done"]
    return tmp_path


@pytest.mark.slow
def test_a_resumed_build_ends_like_an_undisturbed_one(killed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    undisturbed = tmp_path_factory.mktemp("undisturbed")
    assert_sound(run(*ARGUMENTS, cwd=undisturbed))
    resumed = run(*ARGUMENTS, cwd=killed)
    assert "goes on from where it was" in resumed.stderr
    assert_sound(resumed)
    assert results(killed) == results(undisturbed)
    assert results(killed)["lost"] == []


def assert_sound(build: "subprocess.CompletedProcess[str]") -> None:
    assert "backstop" not in build.stderr
    assert "overlap with train up to renaming: validation 0, static 0, vr 0, ee 0, ag 0, sr 0" in build.stderr


@pytest.mark.slow
@pytest.mark.long
def test_a_loss_before_the_kill_is_reported_at_the_end(killed: Path) -> None:
    keys = min(killed.rglob("candidates/*.keys.json"))
    chunk = json.loads(keys.read_text(encoding="utf-8"))
    lost = chunk["keys"].pop(0)["attempt"]
    chunk["lost"] = [{"position": lost, "cause": "more than 120 s of CPU time"}]
    keys.write_text(json.dumps(chunk), encoding="utf-8")
    resumed = run(*ARGUMENTS, cwd=killed)
    assert results(killed)["lost"] == [str(lost)]
    metadata = next(killed.rglob("metadata.json")).read_text(encoding="utf-8")
    assert json.loads(metadata)["lost"] == [str(lost)]
    last = resumed.stderr.splitlines()[-1]
    assert f"the backstop ended 1 attempt ({lost})" in last
