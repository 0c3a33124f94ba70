"""Files that lie beside the checkout and are not part of it."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("MATHDERIVE_SHARED") or Path(__file__).resolve().parents[3] / "shared")
"""The folder of these files; it need not exist."""


def shared(*names: str) -> Path:
    """The path of a file or folder; the test is skipped where there is none."""
    path = SHARED.joinpath(*names)
    if not path.exists():
        pytest.skip(f"{path}: no such file; set MATHDERIVE_SHARED to the folder above {names[0]}/")
    return path
