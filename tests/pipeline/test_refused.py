"""A refused command leaves a finished run's folder as it was, byte for byte."""

import importlib.util
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mathderive.cli.main import main
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.stamps import locked
from tests.support.command import TINY, Command, folder_contents
from tests.support.released_files import released_file
from tests.support.torch_bert import write_bleurt

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"
QUICKLY = ("--config", TINY, "score.validity=false")
UNTRAINED = (*QUICKLY, "model=null", "training=null")
COPY = "predictors=[{kind: copy}]"
NO_EXAMPLE = ("evaluation.examples=5", "evaluation.max_characters=1")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two finished runs, `tiny` without training and `eval-tiny` of recorded outputs."""
    place = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        released_file(place)
        for arguments in (("all", *UNTRAINED, COPY), ("eval", "--predictions", "mine_results.json", *QUICKLY)):
            with pytest.raises(SystemExit) as end:
                main([str(argument) for argument in arguments])
            assert not end.value.code
    return place


@pytest.fixture
def command(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """`mathderive` in a copy of the finished runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return Command(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["eval", *QUICKLY, "--predictions", "missing.json"], "missing.json: no such file"),
        (["eval", *QUICKLY, "--predictions", "malformed.json"], "malformed.json: not valid JSON"),
        (["eval", *QUICKLY, "--predictions", "copy.json"], "two models are named copy"),
        (["eval", *QUICKLY, "--predictions", "mine_results.json", "--predictions", "same.json"], "expected it once"),
        (["eval", *QUICKLY, "--predictions", "mine_results.json", "--predictions", "other.json"], "differs from"),
        (["eval", *QUICKLY, "--predictions", "mine_results.json", "--bleurt", "missing"], "missing: no such folder"),
        (["eval", *QUICKLY, "--checkpoint", "missing"], "missing: no such folder"),
        (
            ["eval", *QUICKLY, "--predictions", "mine_results.json", f"run.name={'n' * 60}"],
            "expected at most 59, because",
        ),
        (["eval", *QUICKLY, "--checkpoint", "runs", "--released", "."], "runs/config.json: no such file"),
        (["all", *UNTRAINED, "predictors=[{kind: t5, checkpoint: missing}]"], "missing: no such folder"),
        (["all", *UNTRAINED, "predictors=[{kind: t5}]"], "t5 has no checkpoint"),
        (["all", *UNTRAINED, "predictors=[{kind: copy}, {kind: copy}]"], "two models are named copy"),
        (["all", *UNTRAINED, "predictors=[{kind: released}]"], "expected evaluation.source: released"),
        (["all", *UNTRAINED, COPY, "score.bleurt.checkpoint=missing"], "missing: no such folder"),
        (["all", *UNTRAINED, COPY, "data.sizes.train=61", "score.bleurt.checkpoint=missing"], "missing: no such"),
        (["all", *UNTRAINED, COPY, "--released", "missing"], "missing: no such file or folder"),
        (["all", *UNTRAINED, COPY, f"data.expected_content_hash={'f' * 64}"], "data.expected_content_hash: expected"),
        (["data", *UNTRAINED, COPY, f"data.expected_content_hash={'f' * 64}"], "data.expected_content_hash: expected"),
        (["all", *QUICKLY, "run.needs_accelerator=true"], "JAX finds no GPU or TPU here"),
        (["all", *QUICKLY, "model.init_from=missing"], "missing: no such folder"),
        (["all", *QUICKLY, "training.accumulate=3"], "training.batch_size: 4 rows cannot be shared evenly"),
        (["all", *QUICKLY, "shards.max_characters=1"], "shards: no example is left"),
        (["all", *UNTRAINED, COPY, *NO_EXAMPLE], "evaluation: no example has a variant in each of vr, ee, ag, sr"),
        (["all", *QUICKLY, "training.steps=none"], "training.steps: expected"),
        (["all", *UNTRAINED, COPY, "extensions=[missing.py]"], "missing.py: no such file"),
        (["ledger", "import", "missing.jsonl", *UNTRAINED], "missing.jsonl: no such file"),
        (["ledger", "import", "malformed.json", *UNTRAINED], "malformed.json:1: "),
    ],
)
def test_a_refused_command_changes_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str | Path], named: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    text = (tmp_path / "mine_results.json").read_text(encoding="utf-8")
    (tmp_path / "malformed.json").write_text("[{", encoding="utf-8")
    (tmp_path / "copy.json").write_text(text.replace("_mine", "_copy"), encoding="utf-8")
    (tmp_path / "same.json").write_text(text, encoding="utf-8")
    other = text.replace("_mine", "_theirs").replace("f{(x)}", "g{(x)}")
    (tmp_path / "other.json").write_text(other, encoding="utf-8")
    before = folder_contents(tmp_path)
    assert named in command.refused(*arguments)
    assert folder_contents(tmp_path) == before


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Apache Beam is installed")
def test_a_missing_beam_changes_nothing(command: Command, tmp_path: Path) -> None:
    before = folder_contents(tmp_path)
    assert "Apache Beam is not installed" in command.refused("data", *UNTRAINED, COPY, "run.seed=1", "--beam")
    assert folder_contents(tmp_path) == before


def test_a_full_disk_changes_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = folder_contents(tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(10**9, 10**9 - 1000, 1000))
    assert "are free on its disk" in command.refused("all", *UNTRAINED, COPY, "run.seed=1")
    assert folder_contents(tmp_path) == before


def test_a_failed_download_changes_nothing(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server listens there
    monkeypatch.delenv("no_proxy", raising=False)
    before = folder_contents(tmp_path)
    assert "cannot be reached" in command.refused("all", *UNTRAINED, COPY, "evaluation.source=released")
    assert folder_contents(tmp_path) == before


def test_eval_on_the_examples_of_a_run_waits_for_no_other_process_in_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server listens there
    monkeypatch.delenv("no_proxy", raising=False)
    with locked(RunPaths(tmp_path / "runs" / "tiny")):
        line = command.refused("eval", "--checkpoint", MINI, *QUICKLY)
    assert "runs/tiny: another process is at work on this run" in line


def test_a_damaged_bleurt_changes_nothing(command: Command, tmp_path: Path) -> None:
    checkpoint = write_bleurt(tmp_path / "bleurt")
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    (checkpoint / "config.json").write_text(json.dumps({**config, "model_type": "t5"}), encoding="utf-8")
    before = folder_contents(tmp_path)
    assert "model_type" in command.refused("all", *UNTRAINED, COPY, f"score.bleurt.checkpoint={checkpoint}")
    assert folder_contents(tmp_path) == before


def test_the_same_commands_find_nothing_to_do(command: Command, tmp_path: Path) -> None:
    before = folder_contents(tmp_path)
    command.accepted("all", *UNTRAINED, COPY)
    command.accepted("eval", "--predictions", "mine_results.json", *QUICKLY)
    assert folder_contents(tmp_path) == before
