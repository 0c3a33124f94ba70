"""The names of the evaluation sets in tables, in figures and on the page."""

from collections.abc import Mapping

from mathderive.records import EVALUATION_SETS, EvaluationSet

SET_NAMES: Mapping[EvaluationSet, str] = {
    "static": "Static",
    "vr": "Variable renaming",
    "ee": "Expression exchange",
    "ag": "Alternative goal",
    "sr": "Step removal",
}
SET_LABELS: Mapping[EvaluationSet, str] = {
    name: "Static" if name == "static" else name.upper() for name in EVALUATION_SETS
}
"""Short names for the heads of columns and the axes of figures."""
