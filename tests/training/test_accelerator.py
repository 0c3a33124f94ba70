"""The benchmark for accelerators: its measurements where little is installed, and model folders in parts."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.parts import LIST, pack, unpack
from mathderive.core.errors import InputError
from mathderive.training.conversion import load_model
from mathderive.training.digests import digest
from tests.support.tiny_shards import MISSING, hide_packages

HAS_TORCH = importlib.util.find_spec("torch") is not None
"""Whether PyTorch is measured beside ours; `transformers` then needs many packages."""

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "accelerator.py"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    for step in (9, 10, 200):
        (folder / "orbax" / str(step)).mkdir(parents=True)
        (folder / "orbax" / str(step) / "data").write_bytes(os.urandom(3000))
    (folder / "config.json").write_text("{}")
    return folder


def test_a_folder_comes_back_from_its_parts_with_its_newest_checkpoint(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.mkdir()
    for _ in range(2):  # the second call replaces the parts of the first
        (model / "config.json").write_bytes(os.urandom(100))
        names = pack(model, output, part_bytes=1000)
        assert sorted(path.name for path in output.iterdir()) == sorted([*names, LIST])
    assert len(names) > 3
    assert all((output / name).stat().st_size <= 1000 for name in names)
    unpack(output, tmp_path / "again")
    expected = contents(model)
    del expected["orbax/9/data"], expected["orbax/10/data"]
    assert contents(tmp_path / "again") == expected


@pytest.mark.parametrize("change", ["damaged", "missing"])
def test_a_part_that_is_damaged_or_missing_is_one_line(model: Path, tmp_path: Path, change: str) -> None:
    part = tmp_path / pack(model, tmp_path, part_bytes=1000)[2]
    if change == "damaged":
        part.write_bytes(part.read_bytes()[::-1])
    else:
        part.unlink()
    with pytest.raises(InputError, match="missing or damaged; expected the parts that parts.json lists"):
        unpack(tmp_path, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def run_script(shards: Path, output: Path, minutes: float) -> list[dict[str, object]]:
    """The lines of a run in which few packages can be imported."""
    place = output.parent / "site"
    place.mkdir(exist_ok=True)
    (place / "sitecustomize.py").write_text(hide_packages(() if HAS_TORCH else MISSING))
    arguments = ["--tiny", "--minutes", str(minutes), "--shards", str(shards), "--output", str(output)]
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        env={**os.environ, "PYTHONPATH": str(place), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.long
def test_the_whole_run_on_a_cpu_with_little_installed(shards: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    rows = run_script(shards, output, minutes=60)  # however busy the machine is
    kept = [json.loads(line) for line in (output / "measurements.jsonl").read_text().splitlines()]
    assert kept == rows
    assert not [row for row in rows if "ended" in row or "left_out" in row]
    steps = [row for row in rows if row.get("measurement") == "training step" and row["side"] == "ours"]
    assert [row["rows"] for row in steps] == [2, 4]
    assert {row["search"] for row in rows if row.get("measurement") == "decoding"} == {"greedy", "sampled"}
    (summary,) = [row for row in rows if "summary" in row]
    assert summary["best_model_flop_utilisation"] is None  # the peak of a CPU is unknown
    trained = rows[-1]
    assert (trained["first_step"], trained["step"], trained["is_complete"]) == (0, 40, True)
    before = digest(load_model(output / "model").params)
    shutil.rmtree(output / "model")
    again = run_script(shards, output, minutes=0.1)  # no time for measurements, but the model comes back
    assert sum("left_out" in row for row in again) >= 3
    assert (again[-1]["first_step"], again[-1]["step"]) == (40, 40)
    assert digest(load_model(output / "model").params) == before
