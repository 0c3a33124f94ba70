"""Through the API, a checkpoint gives the same answers as the predictor `t5`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import run
from tests.support.served import KEY, serving

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"
LENGTH = 544
CONFIG = """
data:
  sizes: {train: 1, validation: 1, static: 48}
  sampling: {length_mean: 4, length_std: 1, length_min: 4, length_max: 5, max_characters: 250}
evaluation: {examples: null, max_characters: 750}
decoding: {batch_size: 32, dtype: float32, max_source_length: LENGTH, max_target_length: LENGTH}
predictors:
  - {kind: t5, name: direct, checkpoint: MINI}
  - {kind: openai, name: asked, model: mini, base_url: URL/v1, few_shot: 0, concurrency: 16}
"""


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
    assert len(direct) >= 200
    assert asked == direct


def predictions(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Each prediction by set and example, without the model's name."""
    return {
        (path.stem, row["id"]): {**row, "model": None}
        for path in folder.iterdir()
        for row in map(json.loads, path.read_text().splitlines())
    }
