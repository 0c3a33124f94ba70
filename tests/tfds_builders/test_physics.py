"""The physics builder: on made-up derivations, on half of the authors' file, and with a download over real HTTP."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

from mathderive.core.errors import InputError
from mathderive.symbolic.prompts import split_prompt
from tests.support.file_server import serving_files
from tests.support.physics_files import ROWS, physics_file
from tests.support.shared import shared
from tfds_builders.building import build_physics
from tfds_builders.downloading import PinnedFiles
from tfds_builders.example_features import read_examples
from tfds_builders.physics.derivation_file import read_derivation_file
from tfds_builders.physics.physics_dataset_builder import Builder, PhysicsConfig
from tfds_builders.physics.topics import read_topics


def test_examples_and_topics_are_those_of_the_file(tmp_path: Path) -> None:
    built = build_physics(physics_file(tmp_path), tmp_path, tmp_path / "downloads")
    assert built["sizes"] == {"static": 3}
    dataset = tmp_path / built["path"]
    examples = read_examples(dataset, "static")
    assert [example.id for example in examples] == [f"physics-{row}-static" for row in range(3)]
    assert [example.target for example in examples] == [row["derivation"] for row in ROWS]
    assert [example.prompt for example in examples] == [str(row["prompt"]).replace("%PREM ", "") for row in ROWS]
    assert [tuple(topic) for topic in read_topics(dataset).values()] == [(row["name"], row["field"]) for row in ROWS]
    assert list(read_topics(dataset)) == [example.id for example in examples]


def test_another_field_is_another_topics_hash_of_the_same_examples(tmp_path: Path) -> None:
    built = []
    for number, field in enumerate(("Mechanics", "Optics")):
        (tmp_path / str(number)).mkdir()
        built.append(build_physics(physics_file(tmp_path, field=field), tmp_path / str(number), tmp_path / "downloads"))
    assert built[0]["content_hash"] == built[1]["content_hash"]
    assert built[0]["topics_hash"] != built[1]["topics_hash"]


def test_half_of_the_authors_file_is_read() -> None:
    path = shared("reference", "physics_derivations_half.json")
    rows = json.loads(path.read_text(encoding="utf-8"))
    derivations = read_derivation_file(path)
    assert Counter(one.field for one in derivations) == {"Quantum Mechanics": 49, "Electromagnetism": 41, "Other": 19}
    changed = 0
    for row, derivation in zip(rows, derivations, strict=True):
        example, parts = derivation.example, split_prompt(derivation.example.prompt)
        assert (derivation.name, example.target) == (row["name"], row["derivation"])
        assert [*parts.premises] == row["premises"]
        assert example.target.split(" and ")[-1] == parts.goal
        changed += example.prompt != row["prompt"]
    assert changed == 2  # goals with the mark


def build_downloaded(folder: Path, url: str, digest: str) -> tfds.core.DatasetBuilder:
    files = PinnedFiles(url, {"derivations.json": digest}, 10**6, content="a file", option="--physics FILE")
    builder = Builder(config=PhysicsConfig(name="served", download=files), data_dir=str(folder / "data"))
    builder.download_and_prepare(download_dir=folder / "downloads")
    return builder


def test_a_file_with_the_right_hash_is_downloaded_once(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    content = physics_file(tmp_path / "served").read_bytes()
    with serving_files(tmp_path / "served") as server:
        builder = build_downloaded(tmp_path, server.url, hashlib.sha256(content).hexdigest())
        assert builder.info.splits["static"].num_examples == 3
        assert (tmp_path / "downloads" / "derivations.json").read_bytes() == content
        builder = build_downloaded(tmp_path, server.url, hashlib.sha256(content).hexdigest())
        assert server.asked == ["/derivations.json"]


def test_a_file_with_another_hash_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    physics_file(tmp_path / "served")
    with serving_files(tmp_path / "served") as server:
        with pytest.raises(InputError, match="SHA-256 .* expected 000"):
            build_downloaded(tmp_path, server.url, "0" * 64)
        with pytest.raises(InputError, match="cannot be reached|answered 404 .*--physics FILE"):
            build_downloaded(tmp_path, f"{server.url}/none", "0" * 64)
    assert not (tmp_path / "downloads" / "derivations.json").exists()
    assert not list((tmp_path / "data").rglob("dataset_info.json"))
