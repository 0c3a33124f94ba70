"""Self-training at the smallest scale, as a user runs it, and killed at random moments."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mathderive.checker.checker import check
from mathderive.pipeline.self_training.reading import read_answer
from mathderive.pipeline.self_training.selection import TrainingExample
from mathderive.records import EVALUATION_SETS, read_jsonl
from mathderive.symbolic.engine.canonical import canonical_text
from mathderive.symbolic.engine.derivation import derivation_from_json
from tests.support.command import TINY, run, start
from tests.support.withheld import WITHHELD
from tfds_builders.example_features import read_examples, read_pairs

pytestmark = [pytest.mark.slow, pytest.mark.long]

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"
CONFIG = (
    *("--config", TINY, f"model.init_from={MINI}", "training.steps=2", "training.evaluate_every=2"),
    *("training.max_source_length=256", "training.max_target_length=256"),
    *("decoding.max_source_length=256", "decoding.max_target_length=128"),
    *("self_training.prompts=20", "self_training.samples=4"),
    *("self_training.epochs=1", "self_training.learning_rate=1e-4", "self_training.validation_prompts=8"),
    "predictors=[{kind: t5}, {kind: t5, round: 0}, {kind: copy}]",
)
WHOLE = (*CONFIG, "self_training.rounds=2", "self_training.control=true")
KILLS = 3


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder after one round, and then two rounds and a report."""
    place = tmp_path_factory.mktemp("self-training")
    run("self-training", *CONFIG, cwd=place)
    again = run("all", *WHOLE, cwd=place).stderr
    for done in ("train", "self-training-start", "self-training-round-1"):
        assert f"{done}: nothing to do" in again
    assert "held-out prompts before" in again
    return place / "runs" / "tiny"


def results(folder: Path, part: str) -> dict[str, object]:
    found = json.loads((folder / f"self-training-{part}.json").read_text())["results"]
    assert isinstance(found, dict)
    return found


def training_examples(folder: Path) -> list[TrainingExample]:
    files = sorted((folder / "self_training").glob("*/training.jsonl"))
    assert len(files) == 4
    return [example for path in files for example in read_jsonl(path, TrainingExample)]


def written(folder: Path) -> dict[str, object]:
    """Every file of the start and the first round, and the results of these stages."""
    parts = ("start", "round-1")
    files: dict[str, object] = {
        str(path.relative_to(folder)): path.read_bytes()
        for part in parts
        for path in sorted((folder / "self_training" / part).iterdir())
        if path.is_file()
    }
    return files | {part: results(folder, part) for part in parts}


def test_every_round_is_in_the_report(finished: Path) -> None:
    rows = json.loads((finished / "report" / "tables.json").read_text())["self_training"]
    assert [row["round"] for row in rows] == [1, 2]
    for row in rows:
        done = results(finished, f"round-{row['round']}")
        assert {key: row[key] for key in row.keys() & done.keys()} == {
            key: done[key] for key in row.keys() & done.keys()
        }
        assert 0 < row["distinct"] <= row["kept"] <= row["solved"] <= row["prompts"] == 20
        assert row["solved"] <= row["verified"] <= row["samples"] == 80
        assert row["verified_control"] is not None
    assert "Self-training" in (finished / "report" / "tables.md").read_text()
    assert 'id="self-training"' in (finished / "report" / "index.html").read_text()
    assert {path.name for path in (finished / "predictions").iterdir()} == {"t5", "t5-round-0", "copy"}


def test_only_verified_answers_of_nothing_held_out_are_trained_on(finished: Path) -> None:
    dataset = finished / "data" / "derivations"
    (dataset,) = {path.parent for path in dataset.rglob("dataset_info.json")}
    held_out = {
        canonical_text(derivation_from_json([(step.annotation, step.srepr) for step in example.steps]).equations)
        for name in ("validation", *EVALUATION_SETS)
        for example in read_examples(dataset, name)
    }
    trained_on = training_examples(finished)
    own = [example for example in trained_on if example.origin == "own"]
    assert len(own) > 5
    for example in own:
        found = read_answer(example.prompt, example.target)
        assert found is not None
        assert canonical_text(found.answered) not in held_out
        assert check(example.prompt, example.target).verified
    assert not [example for example in trained_on if WITHHELD.search(example.prompt + example.target)]
    pairs = set(read_pairs(dataset, "train"))
    assert {(one.prompt, one.target) for one in trained_on if one.origin == "original"} <= pairs
    assert {one.prompt for one in own} <= {prompt for prompt, _ in pairs}


@pytest.mark.timeout(1800)
def test_killed_at_random_moments(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "tiny"
    shutil.copytree(finished, folder)
    shutil.rmtree(folder / "self_training")
    for manifest in folder.glob("self-training-*.json"):
        manifest.unlink()
    started = time.monotonic()
    process = start("self-training", *CONFIG, cwd=tmp_path)
    seed = int(os.environ.get("MATHDERIVE_KILL_SEED", random.SystemRandom().randrange(10**6)))
    print(f"MATHDERIVE_KILL_SEED={seed} repeats these moments")
    moments = random.Random(seed)
    killed = 0
    for _ in range(KILLS):
        try:
            process.wait(timeout=moments.uniform(4, 20))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate()
        process = start("self-training", *CONFIG, cwd=tmp_path)
    _, stderr = process.communicate(timeout=900)
    assert process.returncode == 0, stderr
    assert killed, time.monotonic() - started
    assert written(folder) == written(finished)
    assert not list(folder.rglob("*.partial"))
