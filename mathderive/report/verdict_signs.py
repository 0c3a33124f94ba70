"""The signs and words of verdicts, and the script that carries the signs to the report's and the server's pages."""

import json
from importlib import resources
from typing import Any

from mathderive.report.typeset import ATTRIBUTES

SIGNS = {
    "premise": "○",
    "valid": "✓",
    "incorrect": "✗",
    "redundant": "↺",
    "irrelevant": "∅",
    "skipped": "»",
    "unparsable": "¶",
    "undecided": "?",
}
"""The sign of each verdict or error category, in the order of the legend."""

OUTCOMES = {
    "verified": ("verified", "not verified"),
    "sound": ("sound", "not sound"),
    "goalReached": ("goal reached", "goal missed"),
    "endsWithGoal": ("ends with the goal", "does not end with the goal"),
    "premises": ("premises used", "a premise is not used"),
    "intermediates": ("intermediate equations present", "an intermediate equation is missing"),
}
"""The outcomes of an answer, each with its text where it holds and where it does not."""


def javascript_constants(declaration: str = "const", **constants: Any) -> str:
    """Returns a JavaScript declaration of each constant on a line of its own; the values must be JSON."""
    lines = [f"{declaration} {name} = {json.dumps(value, ensure_ascii=False)};\n" for name, value in constants.items()]
    return "".join(lines)


def elements_script() -> str:
    """Returns `elements.js` with its constants in front of it."""
    constants = javascript_constants(SIGNS=SIGNS, MATHML_ATTRIBUTES=["xmlns", *sorted(ATTRIBUTES)])
    return constants + resources.files(__package__).joinpath("elements.js").read_text(encoding="utf-8")
