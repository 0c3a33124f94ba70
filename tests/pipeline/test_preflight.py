"""The announcement of a run's work, and the inputs that are refused before it."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mathderive.cli.main import main
from tests.support.command import TINY, complaint, run

SHORT = ("training.steps=2", "decoding.max_target_length=8", "score.validity=false")
PAPER = Path(__file__).parents[2] / "configs" / "paper" / "flan_t5_large.yaml"


@pytest.mark.slow
@pytest.mark.long
def test_it_says_what_it_will_do_and_where(tmp_path: Path) -> None:
    said = run("data", "--config", TINY, *SHORT, cwd=tmp_path).stderr
    assert "plan: data, in runs/tiny, on" in said
    said = run("all", "--config", TINY, *SHORT, cwd=tmp_path).stderr
    assert "plan: train, predict, score, report, in runs/tiny, on" in said
    assert "CPU cores" in said
    assert "train less than a minute, predict less than a minute; " in said
    assert "of disk, of" in said
    assert "plan:" not in run("all", "--config", TINY, *SHORT, cwd=tmp_path).stderr


def test_the_papers_models_want_an_accelerator(tmp_path: Path) -> None:
    result = run("all", "--config", PAPER, cwd=tmp_path, code=2, JAX_PLATFORMS="cpu")
    assert "run.needs_accelerator: JAX finds no GPU or TPU here" in complaint(result.stderr)
    assert not (tmp_path / "runs" / "flan_t5_large" / "data").exists()


def test_a_checkpoint_that_cannot_be_had_is_missed_before_the_data_are_made(tmp_path: Path) -> None:
    changes = ("run.needs_accelerator=false", f"model.init_from={tmp_path / 'none'}")
    result = run("all", "--config", PAPER, *changes, cwd=tmp_path, code=2, HF_HUB_OFFLINE="1")
    assert "no such folder, and the Hugging Face hub gives no such model" in complaint(result.stderr)
    assert not (tmp_path / "runs" / "flan_t5_large" / "data").exists()


@pytest.mark.slow
@pytest.mark.long
def test_a_checkpoint_that_is_needed_no_more_is_not_missed(tmp_path: Path) -> None:
    start = tmp_path / "start"
    shutil.copytree(PAPER.parents[2] / "checkpoints" / "mini", start)
    changes = (f"model.init_from={start}", *SHORT)
    run("all", "--config", TINY, *changes, cwd=tmp_path)
    (tmp_path / "runs" / "tiny" / "report.json").unlink()
    shutil.rmtree(start)
    said = run("report", "--config", TINY, *changes, cwd=tmp_path).stderr
    assert "report: begins" in said


def test_the_disk_must_hold_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9 - 1000, 1000))
    assert main(["all", "--config", str(TINY)]) == 2
    assert "runs/tiny: 0 MB are free on its disk; expected about 3 MB, or --runs" in complaint(capsys.readouterr().err)


def test_runs_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    assert "expected a folder, or none yet" in complaint(run("data", "--config", TINY, cwd=tmp_path, code=2).stderr)
