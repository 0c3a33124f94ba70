"""One finished training run, which the tests copy, damage and compare with."""

import pytest
import tiny_training


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The folder and result of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("finished") / "t5"
    return folder, tiny_training.run(folder)
