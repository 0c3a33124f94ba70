"""What every part of the suite may ask for."""

import os
import signal
from pathlib import Path

import pytest

# A shell starts its background jobs with SIGINT ignored, which would pass on to every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """The folder of the authors' released result files; the test is skipped where they are not at hand."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("MATHDERIVE_SHARED", beside)) / "reference"
    if not folder.is_dir():
        pytest.skip(f"{folder}: no released result files; set MATHDERIVE_SHARED to the folder above reference/")
    return folder
