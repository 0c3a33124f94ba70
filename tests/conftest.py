"""What every part of the suite may ask for."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import COMPILED
from tests.support.shared import shared

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A shell starts its background jobs with SIGINT ignored, which would pass on to every process that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Else the threads of several processes' PyTorch spin on the cores that the others need: a fifth more time.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

LONGEST = (
    *("pipeline/test_self_training_run.py", "predictors/test_faulty_endpoint.py", "pipeline/test_kill.py"),
    *("integrations/test_kits.py", "pipeline/test_pipeline.py", "model/test_generate.py", "model/test_parity.py"),
    *("training/test_loop.py", "pipeline/test_released_checkpoint.py", "checker/test_agreement.py"),
    *("serving/test_agreement.py", "pipeline/test_processes.py", "pipeline/test_token_shards.py"),
    *("symbolic/engine/test_sampling.py", "checker/test_corruptions.py", "checker/test_references.py"),
    *("pipeline/test_kill_anywhere.py", "pipeline/test_physics_run.py", "pipeline/test_compare.py"),
)
"""Files that take a minute or more, the longest first: begun last, one would keep a single process at work alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session", autouse=True)
def compilation_cache() -> Iterator[None]:
    """What XLA compiled for this session's processes is removed after it."""
    yield
    shutil.rmtree(COMPILED["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB and 1,000 files."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=1000", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """The folder of the authors' released result files; the test is skipped where they are not at hand."""
    return shared("reference")


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from tests.support.browser import launched_browser

    with launched_browser() as browser:
        yield browser
