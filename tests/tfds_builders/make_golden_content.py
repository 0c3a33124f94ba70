"""Writes golden_content.json: the content hash of one small configuration for each major version of the builder.

    python tests/tfds_builders/make_golden_content.py

Raise the builder's major version first when the contents have changed. The hashes of earlier versions are kept.
"""

import json
import tempfile
from pathlib import Path

from mathderive.config.schema import DataSettings, RunSettings
from mathderive.symbolic.engine.settings import SamplingSettings
from tfds_builders.building import build_derivations
from tfds_builders.derivations.derivations_dataset_builder import Builder

GOLDEN = Path(__file__).parent / "golden_content.json"
MAJOR = str(Builder.VERSION.major)
SETTINGS = DataSettings.model_validate(
    {"sizes": {"train": 60, "validation": 10, "static": 30}, "sampling": SamplingSettings(), "workers": 2}
)
"""Small sizes with the paper's sampling, so that any change of the generator shows."""


def content_hash_of(folder: Path) -> str:
    """Builds the configuration in an empty folder."""
    return str(build_derivations(SETTINGS, RunSettings(seed=2), folder, lambda *_, **__: None)["content_hash"])


def main() -> None:
    hashes = json.loads(GOLDEN.read_text(encoding="utf-8")) if GOLDEN.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        hashes[MAJOR] = content_hash_of(Path(folder))
    GOLDEN.write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
