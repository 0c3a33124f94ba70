"""A stage runs once for the same inputs, resumes after a kill, and never overwrites the output of another stamp."""

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest
from pydantic import BaseModel

from mathderive.config.loading import load_config
from mathderive.core import extensions
from mathderive.core.errors import InputError
from mathderive.core.files import write_text
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.run import make_stamp
from mathderive.pipeline.stamps import MAX_MANIFEST_BYTES, Stage, locked, read_manifest, run_stage


class Written(BaseModel):
    """The results of the stage that these tests run."""

    text: str


class Work:
    """Writes a text and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.times = folder, 0

    def __call__(self, text: str) -> Written:
        self.times += 1
        write_text(self.folder / "out" / "text", text)
        return Written(text=text)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path)


def stage_of(work: Work, text: str) -> Stage[Written]:
    return Stage("stage", {"text": text}, [work.folder / "out"], Written)


def run(work: Work, text: str) -> Written:
    return run_stage(RunPaths(work.folder), stage_of(work, text), lambda: work(text))


def test_the_same_stamp_runs_once(work: Work) -> None:
    assert run(work, "a") == run(work, "a") == Written(text="a")
    assert work.times == 1


def test_another_stamp_keeps_the_old_output_aside(work: Work) -> None:
    run(work, "a")
    run(work, "b")
    (aside,) = (work.folder / "old").iterdir()
    assert (aside / "out" / "text").read_text() == "a"
    manifest = read_manifest(aside / "stage.json")
    assert manifest is not None
    assert manifest.results == {"text": "a"}
    assert (work.folder / "out" / "text").read_text() == "b"


def test_a_pipe_or_an_endless_file_is_no_manifest(tmp_path: Path) -> None:
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(MAX_MANIFEST_BYTES + 1)
    assert [read_manifest(tmp_path / f"{name}.json") for name in ("endless", "pipe", "large")] == [None] * 3


def test_lost_output_is_made_again(work: Work) -> None:
    run(work, "a")
    (work.folder / "out" / "text").unlink()
    (work.folder / "out").rmdir()
    run(work, "a")
    assert work.times == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"done": true}'])
def test_a_damaged_manifest_loses_nothing(work: Work, damage: str) -> None:
    run(work, "a")
    (work.folder / "stage.json").write_text(damage)
    run(work, "a")
    (aside,) = (work.folder / "old").iterdir()
    assert (aside / "out" / "text").read_text() == "a"


def test_a_failed_stage_goes_on(work: Work) -> None:
    def fail() -> Written:
        write_text(work.folder / "out" / "half", "half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run_stage(RunPaths(work.folder), stage_of(work, "a"), fail)
    run(work, "a")
    assert sorted(path.name for path in (work.folder / "out").iterdir()) == ["half", "text"]


def test_bad_input_puts_the_earlier_results_back(work: Work) -> None:
    run(work, "a")

    def refuse() -> Written:
        raise InputError("no such thing")

    with pytest.raises(InputError):
        run_stage(RunPaths(work.folder), stage_of(work, "b"), refuse)
    assert (work.folder / "out" / "text").read_text() == "a"
    assert not (work.folder / "old").exists()
    run(work, "a")
    assert work.times == 1


def _hold(folder: Path, held: Event) -> None:
    with locked(RunPaths(folder)):
        held.set()
        signal.pause()


def test_a_run_folder_is_one_processes_own(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held))
    process.start()
    assert held.wait(60)
    with pytest.raises(InputError, match="another process is at work"), locked(RunPaths(tmp_path)):
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with locked(RunPaths(tmp_path)):
        pass


def test_an_edited_extension_is_another_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "_digests", {})
    monkeypatch.setenv(extensions.VARIABLE, "")
    extension, config = tmp_path / "added.py", tmp_path / "run.yaml"
    config.write_text("extensions: [added.py]\n", encoding="utf-8")
    stamps = []
    for text in ("", "", "VALUE = 1\n"):
        extension.write_text(text, encoding="utf-8")
        monkeypatch.setattr(extensions, "_digests", {})  # as in a new process
        sys.modules.pop("mathderive_extension_added", None)
        load_config(config)
        stamps.append(make_stamp("score"))
    assert stamps[0] == stamps[1] != stamps[2]
    assert list(stamps[0]["extensions"]) == ["added.py"]
    monkeypatch.setattr(extensions, "_digests", {})
    assert "extensions" not in make_stamp("score")


@pytest.mark.parametrize("kind", ["pipe", "link to a device", "link to a file", "folder"])
def test_a_lock_that_is_no_file_is_one_line(tmp_path: Path, kind: str) -> None:
    paths = RunPaths(tmp_path / "run")
    paths.folder.mkdir()
    other = tmp_path / "other"
    other.write_text("keep me")
    if kind == "pipe":
        os.mkfifo(paths.lock)
    elif kind == "folder":
        paths.lock.mkdir()
    else:
        paths.lock.symlink_to("/dev/zero" if kind == "link to a device" else other)
    with pytest.raises(InputError, match=r"\.lock|expected a folder, or none yet"), locked(paths):
        pass
    assert other.read_text() == "keep me"


def test_the_content_of_a_lock_file_is_kept(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    paths.lock.write_text("whatever")
    with locked(paths):
        pass
    assert paths.lock.read_text() == "whatever"


def test_unfinished_files_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    """The process is killed while it writes a file and fills a folder; other processes' files and a user's stay."""
    paths = RunPaths(tmp_path / "run")
    code = (
        "import os, pathlib, signal, sys\n"
        "from mathderive.core.files import new_folder, replacing\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "with new_folder(place / 'old' / 'tokenizer') as folder, replacing(place / 'config.yaml') as stream:\n"
        "    (folder / 'model').write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    for place in (paths.folder, paths.of_process(1).folder):
        killed = subprocess.run([sys.executable, "-c", code, place], check=False)
        assert killed.returncode == -signal.SIGKILL
    paths.of_process(1).lock.touch()
    mine = [paths.folder / ".notes.tmp", paths.folder / "notes.abcdefgh.tmp"]
    for path in mine:
        path.write_text("mine")
    theirs = {path for path in paths.of_process(1).folder.rglob("*") if path.is_file()}
    assert len(theirs) == 3
    with locked(paths):
        found = {path for path in paths.folder.rglob("*") if path.is_file()}
    assert found == {*theirs, *mine, paths.lock}
