"""Through the API, a checkpoint gives the same answers as the predictor `t5`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import run
from tests.support.released_files import large_released_file
from tests.support.served import KEY, serving

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"
LENGTH = 544
CONFIG = """
data:
  sizes: {train: 1, validation: 1, static: 8}
  sampling: {length_mean: 4, length_std: 1, length_min: 4, length_max: 5, max_characters: 250}
evaluation: {examples: null, max_characters: 750}
decoding: {batch_size: 32, dtype: float32, max_source_length: LENGTH, max_target_length: LENGTH}
predictors:
  - {kind: t5, name: direct, checkpoint: MINI}
  - {kind: openai, name: asked, model: mini, base_url: URL/v1, few_shot: 0, concurrency: 16}
"""


@pytest.mark.long
@pytest.mark.slow
def test_the_api_gives_the_predictors_answers(tmp_path: Path) -> None:
    with serving(MINI, tokens=LENGTH) as server:
        config = CONFIG.replace("LENGTH", str(LENGTH)).replace("MINI", str(MINI)).replace("URL", server.url)
        (tmp_path / "agreement.yaml").write_text(config)
        run("predict", "--config", "agreement.yaml", cwd=tmp_path, OPENAI_API_KEY=KEY)
    direct, asked = (
        predictions(tmp_path / "runs" / "agreement" / "predictions" / name) for name in ("direct", "asked")
    )
    print(f"{len(direct)} examples")
    assert len(direct) >= 30
    assert asked == direct


SEARCH = """
evaluation: {source: released, released: [FILE], examples: 1}
predictors:
  - kind: search
    around: {kind: openai, name: asked, model: mini, base_url: URL/v1, few_shot: 0, max_tokens: 60}
    samples: 7
    samples_at_once: 6
"""


@pytest.mark.long
@pytest.mark.slow
def test_a_search_samples_a_served_model_and_is_replayed_without_it(tmp_path: Path) -> None:
    released = large_released_file(tmp_path, 1)
    with serving(MINI, "--batch-size", "4") as server:
        (tmp_path / "a.yaml").write_text(SEARCH.replace("FILE", str(released)).replace("URL", server.url))
        run("predict", "--config", "a.yaml", cwd=tmp_path, OPENAI_API_KEY=KEY)
    shutil.copy(tmp_path / "a.yaml", tmp_path / "b.yaml")
    run("ledger", "export", "export.jsonl", "--config", "a.yaml", cwd=tmp_path)
    run("ledger", "import", "export.jsonl", "--config", "b.yaml", cwd=tmp_path)
    run("predict", "--config", "b.yaml", cwd=tmp_path, OPENAI_API_KEY="")
    first, again = (predictions(tmp_path / "runs" / name / "predictions" / "asked-search") for name in "ab")
    assert len(first) == 5
    assert again == first
    assert {row["finish_reason"] for row in first.values()} <= {"verified", "budget"}
    for row in first.values():
        verified = row["usage"]["greedy_verified"] + row["usage"]["verified_samples"]
        assert (verified > 0) == (row["finish_reason"] == "verified")
        assert row["usage"]["samples"] in (1, 7)
    assert max(row["usage"]["samples"] for row in first.values()) > 1


def predictions(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Each prediction by set and example, without the model's name."""
    return {
        (path.stem, row["id"]): {**row, "model": None}
        for path in folder.glob("*.jsonl")
        for row in map(json.loads, path.read_text().splitlines())
    }
