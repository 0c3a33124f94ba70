"""Derivations that the tests of the validity checker share."""

import pytest

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings


@pytest.fixture(scope="session")
def sampled() -> list[Derivation]:
    """Fresh derivations at the paper's settings."""
    candidates = (sample_derivation(SamplingSettings(), seed=611, attempt=attempt) for attempt in range(70))
    return [derivation for derivation in candidates if derivation is not None]
