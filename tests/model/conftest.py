"""The two kinds of T5, with the golden arrays of each."""

from pathlib import Path

import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.model.weights import from_hugging_face
from tests.support.searches import prompts, sources_of
from tests.support.torch_t5 import CONFIGS, Arrays


@pytest.fixture(params=list(CONFIGS))
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def config(kind: str) -> T5Config:
    return CONFIGS[kind]


@pytest.fixture
def golden(kind: str) -> Arrays:
    with np.load(Path(__file__).parent / "golden" / f"{kind}.npz") as arrays:
        return dict(arrays)


@pytest.fixture
def params(golden: Arrays, config: T5Config) -> Arrays:
    """The golden model's parameters in our form."""
    prefix = "weights/"
    tensors = {name.removeprefix(prefix): array for name, array in golden.items() if name.startswith(prefix)}
    return from_hugging_face(tensors, config, "golden")


@pytest.fixture
def sources(config: T5Config) -> list[list[int]]:
    return sources_of(prompts(config))[:3]
