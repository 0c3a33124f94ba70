"""A tiny T5 and a server for it, shared by all tests of the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import tiny_training
from tests.support.served import Served, serving


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "tiny"
    tiny_training.run(folder, training=tiny_training.TRAINING.model_copy(update={"steps": 8}))
    return folder


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Iterator[Served]:
    with serving(checkpoint, "--batch-size", "2", "--waiting", "4", "--check-processes", "2") as server:
        yield server
