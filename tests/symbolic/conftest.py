"""Derivations that several tests of the symbolic package use."""

import json
from pathlib import Path
from typing import Any

import pytest

from mathderive.symbolic.engine.derivation import Derivation, derivation_from_json
from mathderive.symbolic.engine.sampling import sample_derivation
from mathderive.symbolic.engine.settings import SamplingSettings

GOLDEN = Path(__file__).parent / "golden.json"


@pytest.fixture(scope="session")
def golden() -> list[dict[str, Any]]:
    """Generated derivations with their texts, written by `make_golden.py`."""
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def golden_derivations(golden: list[dict[str, Any]]) -> list[Derivation]:
    return [derivation_from_json(item["steps"]) for item in golden]


@pytest.fixture(scope="session")
def sampled() -> list[Derivation]:
    """Derivations sampled with the paper's settings."""
    candidates = (sample_derivation(SamplingSettings(), seed=2024, attempt=attempt) for attempt in range(60))
    return [derivation for derivation in candidates if derivation is not None]
