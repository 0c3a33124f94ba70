"""TFDS's own entry points find the dataset, and the examples of docs/data.md print what the page shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from mathderive.config.loading import load_config
from tests.support.command import COMPILED
from tests.support.shared import shared
from tfds_builders.derivations.derivations_dataset_builder import Builder

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_configs_have_the_settings_of_the_config_files() -> None:
    for name, config in Builder.builder_configs.items():
        expected = load_config(ROOT / "configs" / f"{name}.yaml", [])
        assert expected.data is not None
        assert (config.settings.deciding(), config.seed) == (expected.data.deciding(), expected.run.seed)


def test_tfds_finds_the_builder(tmp_path: Path) -> None:
    assert tfds.builder("derivations", data_dir=tmp_path).builder_config.name == "paper"
    builder = tfds.builder("derivations/quick", data_dir=tmp_path)
    assert builder.info.full_name == f"derivations/quick/{Builder.VERSION}"
    assert builder.info.file_format is tfds.core.FileFormat.ARRAY_RECORD
    with pytest.raises(ValueError, match="not found"):
        tfds.builder("derivations/none", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("code", "shown"), [pytest.param(*BLOCKS[0], marks=pytest.mark.slow), BLOCKS[1]], ids=["quick", "short"]
)
def test_an_example_prints_what_the_page_shows(tmp_path: Path, code: str, shown: str) -> None:
    expected = load_config(ROOT / "configs" / "quick.yaml", []).data
    assert expected is not None
    assert printed(tmp_path, code).endswith("\n" + shown.replace("CONTENT_HASH", str(expected.expected_content_hash)))


def test_the_physics_example_prints_what_the_page_shows(tmp_path: Path) -> None:
    half = shared("reference", "physics_derivations_half.json")
    (tmp_path / "physics_derivations.json").symlink_to(half)
    code, shown = BLOCKS[2]
    assert printed(tmp_path, code).endswith("\n" + shown)


def printed(folder: Path, code: str) -> str:
    """What the code prints in a folder; TFDS prints lines of its own first."""
    (folder / "example.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "PYTHONPATH": str(ROOT), **COMPILED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_example_is_run() -> None:
    assert len(BLOCKS) == PAGE.count("```python") == 3
