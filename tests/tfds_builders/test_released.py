"""The released builder against the authors' files, and the scores that are computed from their texts alone."""

import json
import math
import tempfile
from pathlib import Path

import pytest

from mathderive.records import EVALUATION_SETS, PERTURBED_SETS, Score, Sensitivity, read_jsonl
from tests.support.command import TINY, jsonl_files, run
from tests.support.released_files import released_file
from tests.support.released_records import METRIC_KEYS, MODELS
from tfds_builders.building import build_released
from tfds_builders.example_features import read_examples
from tfds_builders.released.outputs import read_outputs


@pytest.fixture(scope="module")
def dataset(shared_reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("released")
    built = build_released([shared_reference], folder, folder / "downloads")
    assert built["models"] == sorted(MODELS)
    return folder / built["path"]


def test_a_build_leaves_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    build_released([released_file(tmp_path)], tmp_path, tmp_path / "downloads")
    assert not list((tmp_path / "temporary").iterdir())


def test_examples_and_outputs_are_those_of_the_files(dataset: Path, shared_reference: Path) -> None:
    for model, file in MODELS.items():
        rows = json.loads((shared_reference / f"{file}_results.json").read_text(encoding="utf-8"))
        outputs = read_outputs(dataset, model)
        for name in EVALUATION_SETS:
            prefix = "" if name == "static" else f"{name.upper()} "
            examples = read_examples(dataset, name)
            assert len(examples) == len(rows)
            for row, example in zip(rows, examples, strict=True):
                assert example.target == row[f"{prefix}derivation"]
                assert row[f"{prefix}prompt"].endswith(example.prompt)
                assert example.prompt.startswith("Given ")
                assert example.prompt.count("Given ") == 1
                if model != "flan-t5-large":
                    assert example.few_shot_prompt == row[f"{prefix}prompt"]
                key = "static" if name == "static" else name.upper()
                assert outputs[example.id] == row[f"{key}_{model}"]


def stripped(source: Path, folder: Path) -> Path:
    """A copy of a result file without any recorded score."""
    rows = json.loads(source.read_text(encoding="utf-8"))
    kept = [{key: value for key, value in row.items() if not isinstance(value, float)} for row in rows]
    target = folder / source.name
    target.write_text(json.dumps(kept), encoding="utf-8")
    return target


@pytest.fixture(scope="module")
def evaluated(shared_reference: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `eval` on the three released models, with the recorded scores removed from the files."""
    place = tmp_path_factory.mktemp("evaluated")
    files = [stripped(shared_reference / f"{file}_results.json", place) for file in MODELS.values()]
    run(
        "eval",
        *(part for file in files for part in ("--predictions", file)),
        "--config",
        TINY,
        "score.validity=false",
        cwd=place,
    )
    return place / "runs" / "eval-tiny"


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_eval_computes_the_recorded_scores_from_the_texts_alone(
    model: str, shared_reference: Path, evaluated: Path
) -> None:
    rows = json.loads((shared_reference / f"{MODELS[model]}_results.json").read_text(encoding="utf-8"))
    scores = read_jsonl(evaluated / "scores" / model / "static.jsonl", Score)
    sensitivity = read_jsonl(evaluated / "scores" / model / "sensitivity.jsonl", Sensitivity)
    pairs = {(pair.source_id, pair.set): pair for pair in sensitivity}
    assert len(scores) == len(rows)
    assert len(pairs) == 4 * len(rows)
    for index, (row, score) in enumerate(zip(rows, scores, strict=True)):
        for metric, key in METRIC_KEYS.items():
            assert math.isclose(getattr(score, metric), row[f"static_{key}"], abs_tol=1e-9)
            for name in PERTURBED_SETS:
                reaction, upper = getattr(pairs[f"released-{index}", name], metric), name.upper()
                assert math.isclose(reaction.difference, row[f"{upper}_{key}"], abs_tol=1e-9)
                assert math.isclose(reaction.abs, row[f"{upper}_{key}_abs"], abs_tol=1e-9)
                assert math.isclose(reaction.ratio, row[f"ratio_{upper}_{key}"], abs_tol=1e-9)


@pytest.mark.slow
@pytest.mark.long
def test_recorded_scores_change_nothing(shared_reference: Path, evaluated: Path, tmp_path: Path) -> None:
    files = [shared_reference / f"{file}_results.json" for file in MODELS.values()]
    run(
        "eval",
        *(part for file in files for part in ("--predictions", file)),
        "--config",
        TINY,
        "score.validity=false",
        cwd=tmp_path,
    )
    assert jsonl_files(tmp_path / "runs" / "eval-tiny") == jsonl_files(evaluated)
    page = (tmp_path / "runs" / "eval-tiny" / "report" / "index.html").read_text(encoding="utf-8")
    assert all(model in page for model in MODELS)
