"""The guide's own text metric, added by a file outside the package, and entries that the registry refuses."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError
from mathderive.metrics import registry
from mathderive.metrics.registry import TextMetric, register_metric, text_metrics
from mathderive.records import BUILT_IN_METRICS, EVALUATION_SETS, PERTURBED_SETS
from tests.support.command import TINY, complaint, run
from tests.support.released_files import large_released_file

KEY, TITLE = "character_recall", "Character recall"


@pytest.fixture
def kept_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the registry as it was."""
    monkeypatch.setattr(registry, "_METRICS", dict(registry._METRICS))


def guide_example() -> str:
    """Returns the Python file in the guide's section on text metrics."""
    guide = Path(__file__).parents[2] / "docs" / "extending.md"
    section = guide.read_text(encoding="utf-8").split("\n## A text metric\n")[1].split("\n## ")[0]
    (code,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(code)


def recall(prediction: str, reference: str) -> float:
    """Returns what the guide's metric should be, counted character by character."""
    left = list(prediction)
    shared = 0
    for character in reference:
        if character in left:
            left.remove(character)
            shared += 1
    return shared / len(reference)


def write_config(place: Path, code: str) -> Path:
    (place / "added.py").write_text(code, encoding="utf-8")
    config = place / "added.yaml"
    config.write_text(f"extends: {TINY}\nextensions: [added.py]\n", encoding="utf-8")
    return config


@pytest.mark.slow
def test_the_guide_s_metric_is_in_the_scores_the_sensitivity_the_tables_and_on_the_page(tmp_path: Path) -> None:
    results = large_released_file(tmp_path, 3)
    config = write_config(tmp_path, guide_example())
    run("eval", "--predictions", results, "--config", config, cwd=tmp_path)
    (folder,) = (tmp_path / "runs").iterdir()
    rows = json.loads(results.read_text(encoding="utf-8"))
    for name in EVALUATION_SETS:
        predictions = read_lines(folder / "predictions" / "mine" / f"{name}.jsonl")
        scores = read_lines(folder / "scores" / "mine" / f"{name}.jsonl")
        assert len(scores) == len(rows)
        for row, prediction, score in zip(rows, predictions, scores, strict=True):
            target = row["derivation" if name == "static" else f"{name.upper()} derivation"]
            assert score["further_metrics"] == {KEY: pytest.approx(recall(prediction["text"], target))}
    sensitivity = read_lines(folder / "scores" / "mine" / "sensitivity.jsonl")
    assert len(sensitivity) == len(rows) * len(PERTURBED_SETS)
    assert {key for pair in sensitivity for key in pair["further_metrics"]} == {KEY}
    tables = (folder / "report" / "tables.md").read_text(encoding="utf-8")
    assert f"| BLEURT | {TITLE} | Ends with the goal |" in tables
    assert f"### {TITLE}" in tables
    assert f"{TITLE}: the share of the reference's characters" in tables
    assert f"{TITLE} AUC" in tables
    (static, *_) = json.loads((folder / "report" / "tables.json").read_text(encoding="utf-8"))["scores"]
    assert 0 < static[KEY] < 1
    page = (folder / "report" / "index.html").read_text(encoding="utf-8")
    assert f'scope="colgroup" colspan="5">{TITLE}</th>' in page
    assert f'colspan="5">{TITLE}</th>' in page.split('id="sensitivity"')[1]


@pytest.mark.slow
@pytest.mark.long
def test_changed_files_are_scored_again_and_a_metric_without_a_number_is_refused(tmp_path: Path) -> None:
    results = large_released_file(tmp_path, 1)
    config = write_config(tmp_path, guide_example())
    evaluate = ("eval", "--predictions", results, "--config", config, "score.validity=false")
    run(*evaluate, cwd=tmp_path)
    assert "score: nothing to do" in run(*evaluate, cwd=tmp_path).stderr
    write_config(tmp_path, guide_example().replace("shared.total() / len(reference)", "0.25"))
    assert "score: begins" in run(*evaluate, cwd=tmp_path).stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert read_lines(folder / "scores" / "mine" / "vr.jsonl")[0]["further_metrics"] == {KEY: 0.25}
    shutil.rmtree(tmp_path / "runs")
    write_config(tmp_path, guide_example().replace("shared.total() / len(reference)", "float('nan')"))
    message = complaint(run(*evaluate, cwd=tmp_path, code=2).stderr)
    assert f"metric {KEY}: returned nan; expected a finite number" in message


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def constant(prediction: str, reference: str) -> float:
    return 0.5


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (TextMetric("two words", "Two", constant), "metric 'two words': expected a key that is a Python identifier"),
        (TextMetric("bleu", "BLEU", constant), "metric bleu: registered twice"),
        (TextMetric("verified", "Verified", constant), "metric verified: this key is reserved"),
        (TextMetric("source_id", "Source", constant), "metric source_id: this key is reserved"),
        (TextMetric("mine", " ", constant), "metric mine: has no title"),
        (TextMetric("mine", "Mine", None), "metric mine: has no function"),
    ],
)
@pytest.mark.usefixtures("kept_registry")
def test_an_incomplete_entry_is_refused(metric: TextMetric, message: str) -> None:
    with pytest.raises(InputError, match=message):
        register_metric(metric)


def test_the_built_in_metrics_are_those_with_fields_in_the_records() -> None:
    assert tuple(metric.key for metric in text_metrics()) == BUILT_IN_METRICS
