"""Generation by Apache Beam: the same contents, resuming, the backstop, and errors that a user can correct."""

import json
import os
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from mathderive.config.command_line import BeamSettings
from mathderive.config.schema import RunSettings
from mathderive.core.errors import InputError
from mathderive.records import Example
from tests.support.command import TINY, complaint, run
from tfds_builders.building import build_derivations
from tfds_builders.derivations.chunks import Candidate, Task, finished_chunks, read_keys
from tfds_builders.example_features import read_examples

from .test_added_set import code_block
from .test_derivations import quiet, settings

pytest.importorskip("apache_beam", reason="needs Apache Beam: the environment of requirements/beam.txt")

# TFDS uses a part of protobuf that is deprecated in the version that Beam pins.
pytestmark = pytest.mark.filterwarnings(r"ignore:label\(\) is deprecated:DeprecationWarning")

ROOT = Path(__file__).parents[2]

TWO_PROCESSES = "--runner=DirectRunner --direct_running_mode=multi_processing --direct_num_workers=2"


def build(folder: Path, beam: BeamSettings | None) -> tuple[dict[str, object], dict[str, list[Example]]]:
    built = build_derivations(settings(), RunSettings(), folder, quiet, beam)
    return built, {name: read_examples(folder / built["path"], name) for name in built["sizes"]}


@pytest.mark.slow
def test_beam_in_two_processes_builds_what_workers_build(tmp_path: Path) -> None:
    assert build(tmp_path / "beam", BeamSettings(options=TWO_PROCESSES)) == build(tmp_path / "local", None)
    assert not list(tmp_path.rglob("work"))


@pytest.mark.slow
def test_work_and_dataset_can_lie_in_an_object_store(tmp_path: Path) -> None:
    """A local folder stands in for the store; `fsspec` serves `gs://` here as it does for a real store."""

    class Store(DirFileSystem):
        cachable = False

        def __init__(self, **_: object) -> None:
            super().__init__(path=str(tmp_path / "store"), fs=LocalFileSystem(auto_mkdir=True))

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return str(path).removeprefix("gs://").rstrip("/")

    (tmp_path / "store" / "bucket").mkdir(parents=True)
    fsspec.register_implementation("gcs", Store, clobber=True)
    by_store = build(tmp_path / "beam", BeamSettings(options="--runner=DirectRunner", folder="gs://bucket/some"))
    assert by_store == build(tmp_path / "local", None)
    assert list((tmp_path / "store").rglob("*.array_record*"))
    assert not list(tmp_path.rglob("work"))
    assert not list(Path.cwd().glob("gs:*"))


def abort_or_make(item: int) -> list[Candidate]:
    """Makes a candidate of an item; multiples of five abort their process, and items above 100 kill it."""
    if item % 5 == 0:
        os.abort()
    if item > 100:
        os.kill(os.getpid(), 9)
    return [Candidate(attempt=item, variant=None, canonical_hash="0", target_hash="0", prompt="", target="", steps=[])]


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets Beam's workers import this file."""
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")


def task(folder: Path) -> Task[int, range]:
    return Task(abort_or_make, str(folder), load=iter)


@pytest.mark.slow
@pytest.mark.usefixtures("importable")
@pytest.mark.parametrize("options", [TWO_PROCESSES, "--runner=DirectRunner"])
def test_a_lost_item_is_recorded_and_finished_chunks_are_not_computed_again(tmp_path: Path, options: str) -> None:
    from tfds_builders.derivations.beam_pipeline import BeamComputer

    chunks = [range(1, 4), range(4, 7)]
    for _ in range(2):
        first, second = BeamComputer(options).compute(task(tmp_path), chunks, lambda: 1)
        assert [key.attempt for key in first.keys] == [1, 2, 3]
        assert [key.attempt for key in second.keys] == [4, 6]
        assert [loss.position for loss in second.lost] == [1]
        stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert stamps == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert finished_chunks(str(tmp_path)) == {0, 1}
    assert read_keys(str(tmp_path), 1) == second


@pytest.mark.slow
@pytest.mark.usefixtures("importable")
def test_a_process_killed_on_a_beam_worker_is_one_line(tmp_path: Path) -> None:
    from tfds_builders.derivations.beam_pipeline import BeamComputer

    with pytest.raises(InputError, match="killed from outside"):
        list(BeamComputer(TWO_PROCESSES).compute(task(tmp_path), [range(101, 103)], lambda: 1))
    assert not finished_chunks(str(tmp_path))


@pytest.mark.slow
def test_the_command_line_builds_by_beam_in_a_shared_folder(tmp_path: Path) -> None:
    options = ["--beam", "--beam-options", TWO_PROCESSES, "--beam-folder", str(tmp_path / "shared")]
    run("data", "--config", TINY, *options, cwd=tmp_path)
    by_beam = json.loads((tmp_path / "runs" / "tiny" / "data.json").read_text(encoding="utf-8"))
    assert list((tmp_path / "shared").rglob("*.array_record*"))
    assert not list(tmp_path.rglob("work"))
    assert run("data", "--config", TINY, cwd=tmp_path).stderr.count("nothing to do") == 1  # Beam is no input
    (tmp_path / "local").mkdir()
    run("data", "--config", TINY, cwd=tmp_path / "local")
    local = json.loads((tmp_path / "local" / "runs" / "tiny" / "data.json").read_text(encoding="utf-8"))
    assert by_beam["results"] == local["results"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("--runner=Nonsense", "Unexpected pipeline runner: Nonsense"),
        ("--direct_num_workers=two", "--direct_num_workers: invalid int value"),
        ("--no_such_option=1", "Beam does not know --no_such_option=1"),
        ("--runner='x", "No closing quotation"),
        ("--runner=DataflowRunner", "project"),
    ],
)
def test_options_that_beam_refuses_are_one_line(tmp_path: Path, options: str, named: str) -> None:
    result = run("data", "--config", TINY, "--beam", "--beam-options", options, cwd=tmp_path, code=2)
    assert named in complaint(result.stderr)
    assert not (tmp_path / "runs" / "tiny" / "data").exists()


@pytest.mark.slow
def test_the_direct_runner_loads_extensions_and_others_refuse_them(tmp_path: Path) -> None:
    (tmp_path / "premise_reversal.py").write_text(code_block("python"), encoding="utf-8")
    config = tmp_path / "added.yaml"
    config.write_text(f"extends: {TINY}\nextensions: [premise_reversal.py]\n", encoding="utf-8")
    remote = ("--beam", "--beam-options", "--runner=FlinkRunner")
    refused = run("data", "--config", config, *remote, cwd=tmp_path, code=2)
    assert "only DirectRunner can load extensions (premise_reversal.py)" in complaint(refused.stderr)
    results = []
    for name, options in (("beam", ("--beam", "--beam-options", TWO_PROCESSES)), ("local", ())):
        (tmp_path / name).mkdir()
        run("data", "--config", config, *options, cwd=tmp_path / name)
        manifest = (tmp_path / name / "runs" / "added" / "data.json").read_text(encoding="utf-8")
        results.append(json.loads(manifest)["results"])
    assert results[0] == results[1]
    assert results[0]["derivations"]["sizes"]["pr"] > 0
