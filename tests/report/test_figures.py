"""Figures: well-formed, the same every time, and safe with unusual rows."""

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import pytest

from mathderive.metrics.breakdown import BreakdownRow
from mathderive.metrics.comparisons import PairRow
from mathderive.metrics.measures import measures
from mathderive.metrics.metric_study import MetricStudyRow
from mathderive.metrics.statistics import Comparison, Estimate
from mathderive.records import EvaluationSet
from mathderive.report.drawing import WIDE
from mathderive.report.figures import (
    TRAINING_PANELS,
    breakdown_figure,
    difference_figure,
    metric_study_figure,
    score_figure,
    training_figure,
    training_summary,
)
from mathderive.report.score_table import ScoreRow

MODELS = {"t5": 0.9, "copy": 0.6, "$x_1$ & <b>": 0.5}


def means(value: float) -> dict[str, Estimate | None]:
    """Returns the same mean for each measure, but none for BLEURT, and no interval for ends_with_goal."""
    known = {measure.key: Estimate(value, (value - 0.1, value + 0.05)) for measure in measures()}
    return {**known, "bleurt": None, "ends_with_goal": Estimate(value, None)}


SETS: tuple[EvaluationSet, ...] = ("static", "vr")
STUDY_SETS: tuple[EvaluationSet | None, ...] = ("static", "sr", None)
KINDS: tuple[tuple[Literal["equations", "operator"], int | str], ...] = (
    ("equations", 4),
    ("equations", 10),
    ("operator", "premise"),
    ("operator", "evaluate_integrals"),
)
ROWS = [ScoreRow(model, name, 3, means(value)) for model, value in MODELS.items() for name in SETS]
STUDY = [
    MetricStudyRow(model, name, metric, 3, 2, 1, seen, seen, None, Estimate(-0.25, (-0.5, 0.125)))
    for model, seen in (("t5", Estimate(0.75, (0.5, 1.0))), ("copy", None), (None, Estimate(0.5, None)))
    for name in STUDY_SETS
    for metric in ("rouge2", "gleu")
]
BREAKDOWN = [BreakdownRow(model, by, value, 4, means(mean)) for model, mean in MODELS.items() for by, value in KINDS]
DIFFERENCES = {
    model: [
        PairRow(
            model, "", name, 3, {key: Comparison(mean, 0.5) if mean else None for key, mean in means(value).items()}
        )
    ]
    for model, value, name in zip(MODELS, (0.5, -0.25, 0.0), (*SETS, SETS[0]), strict=True)
}
FIGURES: Mapping[str, Callable[[], str]] = {
    "scores": lambda: score_figure(ROWS, "copy", WIDE),
    "metric study": lambda: metric_study_figure(STUDY, "copy", WIDE),
    "breakdown": lambda: breakdown_figure(BREAKDOWN, "copy", WIDE),
    "differences": lambda: difference_figure(DIFFERENCES, WIDE),
}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("name", FIGURES)
def test_the_same_rows_give_the_same_text(name: str) -> None:
    svg = FIGURES[name]()
    assert svg == FIGURES[name]()
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        f"from test_figures import *; sys.stdout.write(FIGURES[{name!r}]())"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout == svg


@pytest.mark.parametrize("name", FIGURES)
def test_is_svg_without_scripts_or_outside_references(name: str) -> None:
    tree = ElementTree.fromstring(FIGURES[name]())
    tags = {node.tag.rsplit("}")[-1] for node in tree.iter()}
    assert "svg" in tags
    assert not tags & {"script", "foreignObject", "image", "a"}
    for node in tree.iter():
        for name, value in node.attrib.items():
            assert not name.endswith("href") or value.startswith("#")


def test_no_rows_and_no_copy_make_a_figure_too() -> None:
    assert "<svg" in score_figure([], None, WIDE)
    assert "<svg" in score_figure(ROWS[:2], None, WIDE)


def test_scores_below_zero_are_within_the_figure() -> None:
    rows = [ScoreRow("t5", "static", 3, {**means(0.5), "bleurt": Estimate(-0.4, (-0.6, -0.3))})]
    assert "<!-- −40 -->" in score_figure(rows, None, WIDE)
    assert "<!-- −" not in score_figure(ROWS, None, WIDE)


TRAINING: list[dict[str, Any]] = [
    {"step": 1, "loss": 2.0, "learning_rate": 1e-3, "gradient_norm": 4.0, "tokens_per_second": 9000.0},
    {"step": 2, "loss": float("nan"), "learning_rate": 5e-4, "gradient_norm": float("inf")},
    {"step": 2, "validation_rouge2": 0.5, "validation_loss": 1.25},
    {"step": 3, "loss": 0.75, "model_flop_utilisation": None},
]


def titles(svg: str) -> list[str]:
    """Returns the titles of the panels: matplotlib draws text as outlines, with the text in a comment beside them."""
    comments = re.findall(r"<!-- (.*?) -->", svg)
    return [title for title, _ in TRAINING_PANELS if title in comments]


def test_every_curve_that_was_logged_is_drawn() -> None:
    svg = training_figure(TRAINING, WIDE)
    assert svg is not None
    assert titles(svg) == [title for title, _ in TRAINING_PANELS]
    only_loss = training_figure([{"step": 1, "loss": 2.0, "gradient_norm": float("nan")}], WIDE)
    assert only_loss is not None
    assert titles(only_loss) == ["Loss"]


def test_a_run_without_curves_has_no_figure() -> None:
    assert training_figure([{"step": 1, "seconds": 3.0}, {"loss": 1.0}, {}], WIDE) is None
    assert training_figure([], WIDE) is None


def test_curves_are_told_in_words() -> None:
    assert training_summary(TRAINING) == (
        "Curves by step. Loss, training: 2 at step 1, 0.75 at step 3. Loss, validation: 1.25 at step 2, 1.25 at step 2."
        " Validation ROUGE-2 × 100: 50 at step 2, 50 at step 2."
        " Learning rate: 0.001 at step 1, 0.0005 at step 2. Gradient norm: 4 at step 1, 4 at step 1."
        " Tokens per second: 9000 at step 1, 9000 at step 1."
    )
