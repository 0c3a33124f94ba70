"""Writes golden_content.json: the content hash of one small configuration, by the builder's major version.

    python tests/tfds_builders/make_golden_content.py

Contents that changed need another major version first; the hashes of earlier ones stay as they are.
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
"""The paper's sampling, for whatever changes shall show."""


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
