"""Exports hold what the dataset holds, in files that other libraries read, and appear whole or not at all."""

import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from mathderive.config.schema import DataSettings, RunSettings
from mathderive.core.checksums import verify_checksums
from mathderive.core.errors import InputError
from mathderive.core.progress import ignore_progress
from mathderive.records import to_line
from mathderive.symbolic.latex.printer import latex
from mathderive.symbolic.srepr import read_srepr
from tests.support.command import TINY, Command, run, start
from tfds_builders.building import build_derivations
from tfds_builders.example_features import read_examples
from tfds_builders.export.exporting import export
from tfds_builders.export.formats import FORMATS, write_split
from tfds_builders.export.rows import full_row
from tfds_builders.export.source import Source

SEED = 3


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("run")
    settings = DataSettings.model_validate(yaml.safe_load(TINY.read_text(encoding="utf-8"))["data"], strict=False)
    built = build_derivations(settings, RunSettings(seed=SEED), folder, ignore_progress)
    return Source(
        folder=folder / built["path"],
        sizes=built["sizes"],
        content_hash=built["content_hash"],
        seed=SEED,
        settings=settings.deciding(),
        version="9.0.0",
        citation="@article{key, title={A title}}",
    )


@pytest.fixture(scope="module", params=list(FORMATS))
def exported(request: pytest.FixtureRequest, source: Source, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / request.param
    export(source, request.param, folder, ignore_progress)
    return folder


def read_rows(folder: Path, split: str) -> list[dict[str, Any]]:
    (path,) = (folder / "data").glob(f"{split}-00000-of-00001.*")
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_rows_are_the_datasets(exported: Path, source: Source) -> None:
    chosen = FORMATS[exported.name]
    for split, size in source.sizes.items():
        if not size:
            assert not list((exported / "data").glob(f"{split}-*"))
            continue
        examples, rows = read_examples(source.folder, split), read_rows(exported, split)
        assert len(rows) == len(examples) == size
        for example, row in zip(examples, rows, strict=True):
            assert list(row) == list(chosen.columns)
            assert (row["id"], row["seed"]) == (example.id, SEED)
            assert row["content_hash"] == hashlib.sha256(to_line(example).encode()).hexdigest()
            if "steps" in row:
                assert (row["prompt"], row["target"]) == (example.prompt, example.target)
                assert [step["srepr"] for step in row["steps"]] == [step.srepr for step in example.steps]
                assert [step["latex"] for step in row["steps"]] == [
                    latex(read_srepr(step.srepr)) for step in example.steps
                ]
            if "messages" in row:
                assert row["messages"][1]["content"].split("\n") == example.target.split(" and ")
            if "question" in row:
                assert row["question"] == example.prompt
                assert row["prompt"][0]["content"].startswith(example.prompt)
            if "goal" in row:
                assert example.prompt.endswith(row["goal"])
                assert example.prompt.startswith("Given " + " and ".join(row["premises"]))


def test_a_step_names_operator_equations_and_operands(source: Source) -> None:
    steps = [step for example in read_examples(source.folder, "train") for step in full_row(example, SEED)["steps"]]
    assert {step["operator"] for step in steps if not step["equations"]} <= {
        "premise",
        "get_premise",
        "renaming_premise",
    }
    differentiated = [step for step in steps if step["operator"] == "differentiate"]
    assert differentiated
    for step in differentiated:
        assert len(step["equations"]) == len(step["operands"]) == len(step["operands_latex"]) == 1
        name = re.escape(step["operands_latex"][0])
        assert re.search(rf"(d|\\partial) {name}\b", step["latex"])
        assert latex(read_srepr(step["operands"][0])) == step["operands_latex"][0]


def test_the_card_has_the_content_hash_the_splits_and_the_columns(exported: Path, source: Source) -> None:
    card = (exported / "README.md").read_text(encoding="utf-8")
    _, header, text = card.split("---\n", 2)
    head = yaml.safe_load(header)
    assert head["content_hash"] == source.content_hash
    assert source.content_hash in text
    listed = {one["split"]: one["path"] for one in head["configs"][0]["data_files"]}
    assert list(listed) == [split for split, size in source.sizes.items() if size]
    for pattern in listed.values():
        assert list(exported.glob(pattern))
    assert [one["name"] for one in head["dataset_info"]["features"]] == list(FORMATS[exported.name].columns)
    for split, size in source.sizes.items():
        assert f"| `{split}` | {size} |" in text
    assert yaml.safe_load(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[0]) == {
        "seed": SEED,
        **json.loads(json.dumps(source.settings)),
    }


def test_the_checksums_are_those_of_every_file(exported: Path) -> None:
    verify_checksums(exported)
    listed = {line.split("  ")[1] for line in (exported / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
    files = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert listed == files - {"SHA256SUMS"}
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=exported, check=True)


def test_the_metadata_have_what_croissant_requires(exported: Path) -> None:
    tree = json.loads((exported / "croissant.json").read_text(encoding="utf-8"))
    required = {"@context", "@type", "conformsTo", "creator", "datePublished", "description", "license", "name", "url"}
    responsible = ("dataCollection", "dataLimitations", "dataBiases", "dataUseCases", "personalSensitiveInformation")
    assert tree.keys() >= required | {f"rai:{name}" for name in responsible}
    files = [one for one in tree["distribution"] if one["@type"] == "cr:FileObject"]
    assert {one["contentUrl"] for one in files} == {
        path.relative_to(exported).as_posix() for path in (exported / "data").iterdir()
    }
    for one in files:
        content = (exported / one["contentUrl"]).read_bytes()
        assert one["sha256"] == hashlib.sha256(content).hexdigest()
        assert one["contentSize"] == f"{len(content)} B"
    identifiers = {one["@id"] for one in tree["distribution"]}
    for record_set in tree["recordSet"]:
        for field in record_set["field"]:
            assert field["source"]["fileSet"]["@id"] in identifiers


def test_a_folder_that_is_not_new_is_left_alone(source: Source, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="exists already; expected a new or empty folder"):
        export(source, "jsonl", tmp_path / "mine", ignore_progress)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["file"]


def test_a_dataset_with_other_examples_leaves_nothing(source: Source, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        export(replace(source, content_hash="0" * 64), "jsonl", tmp_path / "new", ignore_progress)
    assert not list(tmp_path.iterdir())


def test_what_killed_exports_left_is_removed_and_what_living_ones_write_is_not(source: Source, tmp_path: Path) -> None:
    dead, living, other = (tmp_path / name for name in (".new.abcdefgh.tmp", ".new.12345678.tmp", ".old.abcdefgh.tmp"))
    for folder in (dead, living, other):
        (folder / "data").mkdir(parents=True)
    descriptor = os.open(living, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    export(source, "jsonl", tmp_path / "new", ignore_progress)
    os.close(descriptor)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([living.name, other.name, "new"])


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", list(FORMATS))
def test_memory_does_not_grow_with_the_number_of_rows(source: Source, tmp_path: Path, name: str) -> None:
    chosen = FORMATS[name]
    example = read_examples(source.folder, "train")[0]

    def peak(count: int) -> int:
        def rows() -> Iterator[dict[str, Any]]:
            for number in range(count):
                yield chosen.make_row(example.model_copy(update={"id": str(number)}), SEED)

        (tmp_path / str(count)).mkdir()
        tracemalloc.start()
        write_split(tmp_path / str(count), "train", count, rows(), chosen)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(10)  # imports
    assert peak(4_100) < peak(2_100) + 2**20, "2,000 rows have 6 MB"


def test_large_splits_have_several_files(source: Source, tmp_path: Path) -> None:
    chosen, row = FORMATS["messages"], {"id": "1"}
    paths = write_split(tmp_path, "train", 120_000, (row for _ in range(120_000)), chosen)
    assert [path.name for path in paths] == [f"train-{number:05d}-of-00003.jsonl" for number in range(3)]
    assert [path.read_bytes().count(b"\n") for path in paths] == [50_000, 50_000, 20_000]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = Command(tmp_path, monkeypatch, capsys)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "file").touch()
    assert "expected a new or empty folder" in command.refused("export", "full", "--config", TINY)
    assert "data: missing" in command.refused(
        "export", "new", "data=null", "training=null", "model=null", "predictors=[]"
    )
    assert "before overrides" in command.refused("export", "run.seed=1", "new", "--config", TINY)
    assert "no such config file" in command.refused("export", "new", "--config", "nowhere.yaml")
    assert command.run("export", "new", "--format", "csv")[0] == 2
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.long
def test_a_killed_export_starts_anew(tmp_path: Path) -> None:
    run("export", "first", "--config", TINY, cwd=tmp_path)
    process = start("export", "second", "--config", TINY, cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".second.*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    if (tmp_path / "second").exists():  # it was too quick to be killed
        (tmp_path / "second").rename(tmp_path / "third")
    run("export", "second", "--config", TINY, cwd=tmp_path)
    verify_checksums(tmp_path / "second")
    for path in (tmp_path / "first" / "data").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / "data" / path.name).read_bytes()
    assert not list(tmp_path.glob(".second.*"))


OTHERS = """
import sys
from pathlib import Path
import mlcroissant
from datasets import load_dataset

folder, cache = Path(sys.argv[1]), sys.argv[2]
dataset = load_dataset(str(folder), cache_dir=cache)
records = mlcroissant.Dataset(jsonld=folder / "croissant.json").records("train")
ids = [record["train/id"].decode() for record in records]
assert ids == dataset["train"]["id"][:]
print({split: len(rows) for split, rows in dataset.items()})
"""


@pytest.fixture(scope="module")
def others_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with Hugging Face's `datasets` and with `mlcroissant`, which this package does not need."""
    folder = tmp_path_factory.mktemp("others")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "datasets", "mlcroissant"]
    done = subprocess.run(install, capture_output=True, text=True, timeout=500, check=False)
    if done.returncode:
        pytest.skip(f"datasets and mlcroissant cannot be installed here: {done.stderr[-300:]}")
    return python


@pytest.mark.slow
@pytest.mark.long
def test_other_libraries_read_it(others_python: Path, exported: Path, source: Source, tmp_path: Path) -> None:
    done = subprocess.run(
        [others_python, "-c", OTHERS, exported, tmp_path],
        env={"PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == str({split: size for split, size in source.sizes.items() if size})
