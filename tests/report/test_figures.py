"""Figures: well-formed, the same every time, and safe with odd rows."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from mathderive.report.figures import DARK, LIGHT, score_figure, training_figure
from mathderive.report.tables import ScoreRow

ROWS = [
    ScoreRow(model, name, 3, {"rouge2": value, "bleu": value, "gleu": value, "bleurt": None}, 1.0)
    for model, value in (("t5", 0.9), ("copy", 0.6), ("$x_1$ & <b>", 0.5))
    for name in ("static", "vr")
]


def test_the_same_rows_give_the_same_text() -> None:
    svg = score_figure(ROWS, "copy", LIGHT)
    assert svg == score_figure(ROWS, "copy", LIGHT)
    assert svg != score_figure(ROWS, "copy", DARK)
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r});"
        "from test_figures import *; sys.stdout.write(score_figure(ROWS, 'copy', LIGHT))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout == svg


def test_is_svg_without_scripts_or_outside_references() -> None:
    tree = ElementTree.fromstring(score_figure(ROWS, "copy", LIGHT))
    tags = {node.tag.rsplit("}")[-1] for node in tree.iter()}
    assert "svg" in tags
    assert not tags & {"script", "foreignObject", "image", "a"}
    for node in tree.iter():
        for name, value in node.attrib.items():
            assert not name.endswith("href") or value.startswith("#")


def test_no_rows_and_no_copy_make_a_figure_too() -> None:
    assert "<svg" in score_figure([], None, LIGHT)
    assert "<svg" in score_figure(ROWS[:2], None, LIGHT)


def test_training_rows() -> None:
    rows = [
        {"step": 1, "loss": 2.0},
        {"step": 2, "loss": float("nan")},
        {"step": 2, "validation_rouge2": 0.5},
    ]
    assert "<svg" in (training_figure(rows, LIGHT) or "")
    assert training_figure([{"step": 1, "seconds": 3.0}, {"loss": 1.0}, {}], LIGHT) is None
    assert training_figure([], LIGHT) is None
