"""Sensitivity: compared with the authors' recorded values, and by its algebra."""

from pathlib import Path

import pytest

from mathderive.core.errors import InputError
from mathderive.metrics.scoring import score
from mathderive.metrics.sensitivity import SensitivityScorer
from mathderive.records import PERTURBED_SETS, EvaluationSet, Example, Prediction, Score, Sensitivity
from tests.support.released_records import METRIC_KEYS, MODELS, load

PUBLISHED_MEANS = {
    "rouge2": {"vr": 0.214641, "ee": 0.918394, "ag": 0.917853, "sr": 1.0},
    "bleu": {"vr": 0.397626, "ee": 0.958351, "ag": 0.899849, "sr": 1.0},
    "gleu": {"vr": 0.433361, "ee": 0.959247, "ag": 0.901773, "sr": 1.0},
}
"""The means of A over the authors' 100 examples; half of them were released."""


@pytest.fixture(scope="module", params=MODELS)
def compared(request: pytest.FixtureRequest, shared_reference: Path) -> tuple[str, list[Sensitivity]]:
    released = load(shared_reference, request.param)
    by_id = {example.id: example for example in released.examples}
    scores = [score(by_id[prediction.id], prediction) for prediction in released.predictions]
    return request.param, SensitivityScorer(released.examples).rows(released.predictions, scores)


def test_repeats_the_recorded_values(shared_reference: Path, compared: tuple[str, list[Sensitivity]]) -> None:
    model, rows = compared
    recorded_rows = load(shared_reference, model).rows
    assert len(rows) == len(recorded_rows) * len(PERTURBED_SETS)
    for row in rows:
        recorded = recorded_rows[int(row.source_id.removeprefix("released-"))]
        name = row.set.upper()
        for metric, key in METRIC_KEYS.items():
            ours = getattr(row, metric)
            assert ours.difference == pytest.approx(recorded[f"{name}_{key}"], abs=1e-12)
            assert ours.abs == pytest.approx(recorded[f"{name}_{key}_abs"], abs=1e-12)
            assert ours.ratio == pytest.approx(recorded[f"ratio_{name}_{key}"], abs=1e-12)
            if f"norm_{name}_{key}_abs" in recorded:
                normalised = ours.abs / PUBLISHED_MEANS[metric][row.set]
                # The published means have six digits.
                assert normalised == pytest.approx(recorded[f"norm_{name}_{key}_abs"], rel=5e-6, abs=1e-12)


def test_norm_abs_is_over_the_mean_of_the_run(compared: tuple[str, list[Sensitivity]]) -> None:
    _, rows = compared
    for name in PERTURBED_SETS:
        of_set = [row.bleu for row in rows if row.set == name]
        mean = sum(row.reference_similarity for row in of_set) / len(of_set)
        assert all(row.norm_abs == pytest.approx(row.abs / mean, rel=1e-12, abs=1e-15) for row in of_set)


def make(
    source: str, name: EvaluationSet, target: str, text: str, bleurt: float | None = None
) -> tuple[Example, Prediction, Score]:
    example_id = f"{source}-{name}"
    example = Example(id=example_id, source_id=source, set=name, prompt="", target=target, steps=[])
    prediction = Prediction(id=example_id, source_id=source, set=name, model="m", text=text)
    return example, prediction, score(example, prediction, bleurt=bleurt)


def test_f_takes_the_prediction_first() -> None:
    # BLEU is not symmetric: a short candidate pays the brevity penalty, a long one loses precision.
    short, long = "a b c d", "a b c d e f g h"
    parts = [make("1", "static", long, short), make("1", "ag", short, long)]
    (row,) = SensitivityScorer([part[0] for part in parts]).rows([part[1] for part in parts], [p[2] for p in parts])
    assert row.bleu.reference_similarity == pytest.approx(0.36787944117144233)  # e^-1
    assert row.bleu.output_similarity == pytest.approx((4 / 8 * 3 / 7 * 2 / 6 * 1 / 5) ** 0.25)
    assert row.bleu.difference == pytest.approx(row.bleu.reference_similarity - row.bleu.output_similarity)
    assert row.bleurt is None


def test_nothing_in_common_has_no_ratio() -> None:
    parts = [make("1", "static", "a b c d e", "x"), make("1", "vr", "p q r s t", "y")]
    (row,) = SensitivityScorer([part[0] for part in parts]).rows([part[1] for part in parts], [p[2] for p in parts])
    assert row.rouge2.ratio is None
    assert row.rouge2.norm_abs is None
    assert row.rouge2.abs == 0


def test_bleurt_where_it_was_computed() -> None:
    parts = [make("1", "static", "a", "b", bleurt=0.75), make("1", "sr", "a", "c", bleurt=0.5)]
    examples, predictions, scores = [p[0] for p in parts], [p[1] for p in parts], [p[2] for p in parts]
    scorer = SensitivityScorer(examples, bleurt=lambda pairs: [0.5 if a == b else -0.25 for a, b in pairs])
    (row,) = scorer.rows(predictions, scores)
    assert row.bleurt is not None
    assert row.bleurt.model_dump() == {
        "difference": 0.25,
        "reference_similarity": 0.5,
        "output_similarity": -0.25,
        "abs": 0.75,
        "ratio": -0.5,
        "norm_abs": 1.5,
    }
    (without,) = scorer.rows(predictions, [score.model_copy(update={"bleurt": None}) for score in scores])
    assert without.bleurt is None


def test_what_is_missing_is_named() -> None:
    static, variant = make("1", "static", "a", "a"), make("1", "vr", "b", "b")
    with pytest.raises(InputError, match="1-vr: expected a static example"):
        SensitivityScorer([variant[0]])
    scorer = SensitivityScorer([static[0], variant[0]])
    with pytest.raises(InputError, match="1-vr: expected a prediction"):
        scorer.rows([static[1]], [static[2], variant[2]])
    with pytest.raises(InputError, match="of one model, got m, other"):
        scorer.rows([static[1].model_copy(update={"model": "other"}), variant[1]], [static[2], variant[2]])
