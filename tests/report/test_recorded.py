"""The recorded means, compared with the recorded scores of the half of the examples that was released."""

from pathlib import Path

import pytest

from mathderive.records import EVALUATION_SETS
from mathderive.report.recorded import RECORDED
from tests.support.released_records import MODELS, load

KEYS = {"rouge2": "rouge", "bleu": "bleu", "gleu": "gleu", "bleurt": "bleurt"}
ROWS = dict(zip(MODELS, RECORDED, strict=False))


@pytest.mark.parametrize("model", MODELS)
def test_half_of_the_examples_have_nearly_the_means_of_all(shared_reference: Path, model: str) -> None:
    rows = load(shared_reference, model).rows
    for metric, key in KEYS.items():
        for name in EVALUATION_SETS:
            costs = [0.0 if name == "static" else row[f"{name.upper()}_{key}"] for row in rows]  # the paper's p_M
            values = [row[f"static_{key}"] - cost for row, cost in zip(rows, costs, strict=True)]
            recorded = ROWS[model].mean(metric, name)
            assert recorded is not None
            assert abs(sum(values) / len(values) - recorded) < 0.04, (metric, name)  # the largest difference is 0.036
