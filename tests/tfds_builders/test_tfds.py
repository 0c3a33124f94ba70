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


def expect_printed(folder: Path, code: str, shown: str) -> None:
    """Runs an example in a folder; TFDS prints lines of its own first."""
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
    assert done.stdout.endswith("\n" + shown)


@pytest.mark.slow
@pytest.mark.long
def test_the_quick_dataset_is_what_the_page_shows(tmp_path: Path) -> None:
    code, shown = BLOCKS[0]
    settings = load_config(ROOT / "configs" / "quick.yaml", []).data
    assert settings is not None
    expect_printed(tmp_path, code, shown.replace("CONTENT_HASH", str(settings.expected_content_hash)))


def test_a_config_of_its_own_prints_what_the_page_shows(tmp_path: Path) -> None:
    expect_printed(tmp_path, *BLOCKS[1])


def test_the_authors_files_print_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "results").symlink_to(shared("reference"))
    expect_printed(tmp_path, *BLOCKS[2])


def test_the_physics_example_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "physics_derivations.json").symlink_to(shared("reference", "physics_derivations_half.json"))
    expect_printed(tmp_path, *BLOCKS[3])


def test_every_example_is_run() -> None:
    assert len(BLOCKS) == PAGE.count("```python") == 4
