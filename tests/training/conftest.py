"""A finished training run and shards, which the tests copy, damage and compare with."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.support import tiny_shards, tiny_training
from tests.support.tiny_training import Finished


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The folder and result of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("finished") / "t5"
    return folder, tiny_training.run(folder)


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of the tiny training's pairs, in two files."""
    folder = tmp_path_factory.mktemp("shards")
    tiny_shards.write(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _compile_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps compiled programs for the session, because most tests here run the same training again."""
    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("compiled")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    yield
    jax.config.update("jax_compilation_cache_dir", None)
