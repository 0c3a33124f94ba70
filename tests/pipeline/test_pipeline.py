"""The whole pipeline at the smallest scale, as a user runs it."""

import json
import time
from pathlib import Path

import pytest

from mathderive.metrics.checked_answers import CheckedAnswer, summarise
from mathderive.pipeline.stamps import read_manifest
from mathderive.records import EVALUATION_SETS, Prediction, Score, Sensitivity, read_jsonl
from tests.support.command import TINY, complaint, jsonl_files, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny config; returns the folder that holds runs/."""
    place = tmp_path_factory.mktemp("finished")
    result = run("all", "--config", TINY, cwd=place)
    assert "Errors by equation" in result.stderr
    assert result.stdout.strip() == "runs/tiny/report/index.html"
    for stage in ("data", "train", "predict", "score", "report"):
        assert f"\n{stage}" in "\n" + result.stderr, f"{stage} showed no progress"
    assert "chat is skipped: there is no key in MATHDERIVE_TEST_KEY_THAT_IS_NOT_SET" in result.stderr
    return place


def test_every_file_of_the_run_folder_is_there(finished: Path) -> None:
    folder = finished / "runs" / "tiny"
    for model in ("t5", "copy"):
        for name in EVALUATION_SETS:
            predictions = read_jsonl(folder / "predictions" / model / f"{name}.jsonl", Prediction)
            scores = read_jsonl(folder / "scores" / model / f"{name}.jsonl", Score)
            verdicts = read_jsonl(folder / "scores" / model / f"{name}.verdicts.jsonl", CheckedAnswer)
            assert predictions
            for rows in (scores, verdicts):
                assert [row.id for row in rows] == [prediction.id for prediction in predictions]
            assert [score.validity for score in scores] == [summarise(line.validity) for line in verdicts]
        assert read_jsonl(folder / "scores" / model / "sensitivity.jsonl", Sensitivity)
    assert (folder / "report" / "tables.md").exists()
    table = json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))
    assert table
    assert "Tiny" in (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_nothing_changed_is_nothing_to_do(finished: Path) -> None:
    before = jsonl_files(finished / "runs" / "tiny")
    started = time.monotonic()
    result = run("all", "--config", TINY, cwd=finished)
    assert time.monotonic() - started < 10
    assert result.stderr.count("nothing to do") == 6  # data, train, two models, score, report
    assert jsonl_files(finished / "runs" / "tiny") == before
    assert not (finished / "runs" / "tiny" / "old").exists()


@pytest.mark.long
def test_the_same_seed_gives_the_same_files_whatever_the_hash_seed(finished: Path, tmp_path: Path) -> None:
    run("all", "--config", TINY, "data.workers=1", cwd=tmp_path, PYTHONHASHSEED="12345")
    assert jsonl_files(tmp_path / "runs" / "tiny") == jsonl_files(finished / "runs" / "tiny")
    manifests = [read_manifest(place / "runs" / "tiny" / "data.json") for place in (finished, tmp_path)]
    hashes = [
        manifest and manifest.results and manifest.results["derivations"]["content_hash"] for manifest in manifests
    ]
    assert hashes[0]
    assert hashes[0] == hashes[1]


@pytest.mark.long
def test_another_learning_rate_trains_again_and_keeps_the_old_results(finished: Path) -> None:
    folder = finished / "runs" / "tiny"
    before = jsonl_files(folder)
    result = run("all", "--config", TINY, "training.learning_rate=1e-2", cwd=finished)
    assert "data: nothing to do" in result.stderr
    assert "predict-copy: nothing to do" in result.stderr
    for stage in ("train", "predict-t5", "score", "report"):
        assert f"{stage}: begins" in result.stderr
    kept: dict[str, bytes] = {}
    for aside in (folder / "old").iterdir():
        kept |= jsonl_files(aside)
    after = jsonl_files(folder)
    assert {name for name in before if after[name] != before[name]} <= set(kept)
    assert all(kept[name] == before[name] for name in kept)
    assert after["predictions/t5/static.jsonl"] != before["predictions/t5/static.jsonl"]


@pytest.mark.long
def test_without_verdicts_the_text_metrics_are_the_same(finished: Path) -> None:
    scores = finished / "runs" / "tiny" / "scores" / "copy"
    before = read_jsonl(scores / "static.jsonl", Score)
    result = run("report", "--config", TINY, "score.validity=false", cwd=finished)
    assert "score: begins" in result.stderr
    assert "Errors by equation" not in result.stderr
    assert not list(scores.glob("*.verdicts.jsonl"))
    after = read_jsonl(scores / "static.jsonl", Score)
    assert after == [score.model_copy(update={"validity": None}) for score in before]


def test_another_content_hash_is_refused(finished: Path) -> None:
    result = run("data", "--config", TINY, f"data.expected_content_hash={'f' * 64}", cwd=finished, code=2)
    assert "data.expected_content_hash: expected fff" in complaint(result.stderr)
