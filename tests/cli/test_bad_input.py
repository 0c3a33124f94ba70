"""Wrong input ends as one line and exit code 2, and leaves earlier results alone."""

import contextlib
import importlib.util
import os
from pathlib import Path

import pytest

from tests.support.command import TINY, Command, folder_contents, jsonl_files
from tests.support.released_files import released_file


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


def test_a_made_up_result_file_is_scored(command: Command, tmp_path: Path) -> None:
    command.accepted("eval", "--predictions", released_file(tmp_path), "--config", TINY)
    files = jsonl_files(tmp_path / "runs" / "eval-tiny")
    assert {Path(name).parts[1] for name in files} == {"mine", "copy"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["all", "--config", "none.yaml"], "none.yaml: no such config file"),
        (["all", "--config", TINY, "training.batch_sise=3"], "did you mean batch_size?"),
        (["data", "--config", TINY, "--released", "nowhere"], "nowhere: no such file or folder"),
        (
            ["eval", "--predictions", "a", "--checkpoint", "b"],
            "expected --predictions FILE or --checkpoint PLACE, not both",
        ),
        (["eval", "--predictions", "nowhere.json"], "nowhere.json: no such file"),
        (["data", "--config", TINY, "data.sampling.vocabulary=[q]"], "vocabulary"),
        (["data", "--config", TINY, "--beam-folder", "gs://bucket"], "of use with --beam only"),
    ],
)
def test_a_wrong_command_is_one_line(command: Command, arguments: list[str], named: str) -> None:
    assert named in command.refused(*arguments)


REFUSED: list[list[str | Path]] = [
    ["data", "--config", TINY, "--released", "nowhere"],
    ["all", "--config", TINY, "predictors=[{kind: copy}, {kind: copy}]"],
    ["all", "--config", TINY, "predictors=[{kind: t5, checkpoint: nowhere}]"],
    ["eval", "--config", TINY, "--predictions", "missing.json"],
    ["eval", "--config", TINY, "--checkpoint", "missing"],
    ["ledger", "import", "missing.jsonl", "--config", TINY],
    ["ledger", "export", "new/out.jsonl", "--config", TINY, "run.name=none"],
    ["convert", "missing", "new/deep/folder"],
]
"""Commands with something that shows to be wrong before any work is done."""


@pytest.mark.parametrize("arguments", REFUSED, ids=range(len(REFUSED)))
def test_a_refused_command_makes_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str | Path]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    command.refused(*arguments)
    assert folder_contents(tmp_path) == {}


def test_a_refused_command_changes_nothing_in_a_finished_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    command.accepted("eval", "--predictions", released_file(tmp_path), "--config", TINY)
    before = folder_contents(tmp_path)
    for arguments in REFUSED:
        command.refused(*arguments)
        assert folder_contents(tmp_path) == before, arguments


@pytest.mark.parametrize("option", ["--config", "--runs", "--released"])
def test_an_argument_that_is_not_utf8_is_one_line(command: Command, option: str) -> None:
    assert "not UTF-8" in command.refused("data", option, os.fsdecode(b"\xff"))


@pytest.mark.parametrize("place", ["n" * 300, "file/runs"])
def test_a_place_where_no_run_folder_can_be_is_one_line(command: Command, tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    assert "expected a folder" in command.refused("data", "--config", TINY, "--runs", place)


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Apache Beam is installed")
def test_beam_that_is_not_installed_is_one_line(command: Command, tmp_path: Path) -> None:
    assert "Apache Beam is not installed" in command.refused("data", "--config", TINY, "--beam")
    assert not (tmp_path / "runs" / "tiny" / "data").exists()


MALFORMED: list[tuple[dict[str, object], str]] = [
    ({"VR derivation": None}, "row 0: VR derivation: expected text, got nothing"),
    ({"SR prompt": "derive it"}, "row 0: SR prompt: a prompt begins with 'Given '"),
    ({"prompt": 7}, "row 0: prompt: expected text, got int"),
    ({"AG srepr_derivation": [["premise"]]}, "row 0: AG srepr_derivation: expected a list of [annotation, srepr]"),
    ({"static_mine": None}, "row 0: expected one key static_MODEL"),
    ({"static_other": "x"}, "row 0: expected one key static_MODEL"),
    ({"static_../x": "x", "static_mine": None}, "cannot name a model"),
]
"""Changes of a result file that make it malformed, and the complaint about each."""


def test_a_malformed_result_file_leaves_earlier_results(command: Command, tmp_path: Path) -> None:
    command.accepted("eval", "--predictions", released_file(tmp_path), "--config", TINY)
    before = jsonl_files(tmp_path / "runs" / "eval-tiny")
    for changes, complaint in MALFORMED:
        line = command.refused("eval", "--predictions", released_file(tmp_path, **changes), "--config", TINY)
        assert "mine_results.json: " in line
        assert complaint in line
        assert jsonl_files(tmp_path / "runs" / "eval-tiny") == before


def test_files_about_other_examples_are_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first = released_file(tmp_path)
    text = first.read_text(encoding="utf-8").replace("_mine", "_theirs").replace("f{(x)}", "g{(x)}")
    second = tmp_path / "other" / "theirs_results.json"
    second.write_text(text, encoding="utf-8")
    line = command.refused("eval", "--predictions", first, "--predictions", second, "--config", TINY)
    assert "row 0: set static differs from" in line


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign", "truncated", "pickle"])
def test_an_unreadable_checkpoint_is_refused(command: Command, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "checkpoint"
    if damage != "missing":
        folder.mkdir()
    if damage == "foreign":
        (folder / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    if damage == "truncated":
        (folder / "config.json").write_text('{"vocab_size": 3', encoding="utf-8")
    if damage == "pickle":
        (folder / "config.json").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    arguments: list[str | Path] = [
        "--checkpoint",
        folder,
        "--released",
        released_file(tmp_path).parent,
        "--config",
        TINY,
    ]
    assert "checkpoint" in command.refused("eval", *arguments)
    assert not (tmp_path / "hacked").exists()


def test_no_network_is_one_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # no server listens there
    monkeypatch.delenv("no_proxy", raising=False)
    nothing_else = ["data=null", "model=null", "training=null", "predictors=[{kind: copy}]"]
    line = command.refused("data", "--config", TINY, "evaluation.source=released", *nothing_else)
    assert "cannot be reached" in line
    assert "--released DIR" in line


def test_a_full_disk_is_one_line_and_loses_nothing(
    command: Command, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small_disk)
    command.accepted("eval", "--predictions", released_file(small_disk), "--config", TINY)
    before = jsonl_files(small_disk / "runs" / "eval-tiny")
    # All but three of the file system's files are taken; the bytes that are free satisfy the check before the run.
    ballast = small_disk / "ballast"
    ballast.mkdir()
    with contextlib.suppress(OSError):
        for number in range(1000):
            (ballast / str(number)).touch()
    for number in range(3):
        (ballast / str(number)).unlink()
    line = command.refused("eval", "--predictions", released_file(small_disk), "--config", TINY, "run.seed=1")
    assert "No space left on device" in line
    kept: dict[str, bytes] = {}
    for aside in sorted((small_disk / "runs" / "eval-tiny").glob("old/*")):
        kept |= jsonl_files(aside)
    assert jsonl_files(small_disk / "runs" / "eval-tiny") | kept == before
