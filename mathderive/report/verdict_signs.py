"""The signs of the verdicts on a page, and the script that carries them to the report's and the server's pages."""

import json
from importlib import resources

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


def elements_script() -> str:
    """Returns `elements.js` with the signs in front of it."""
    signs = f"const SIGNS = {json.dumps(SIGNS, ensure_ascii=False)};\n"
    return signs + resources.files(__package__).joinpath("elements.js").read_text(encoding="utf-8")
