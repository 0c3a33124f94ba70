"""A tiny T5, a server for it and the server's page, shared by all tests of the server."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import tiny_training
from tests.support.served import Served, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.served_page import OpenPage


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "tiny"
    tiny_training.run(folder, training=tiny_training.TRAINING.model_copy(update={"steps": 8}))
    return folder


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Iterator[Served]:
    with serving(checkpoint, "--batch-size", "2", "--waiting", "4", "--check-processes", "2") as server:
        yield server


@pytest.fixture
def open_page(browser: "Browser") -> "Iterator[OpenPage]":
    from tests.support.served_page import opened_pages

    with opened_pages(browser) as open_page:
        yield open_page
