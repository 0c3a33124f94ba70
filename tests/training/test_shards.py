"""Training on tokenised shards: the order of examples, interrupted runs, and an environment with few packages."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.training.conversion import load_model
from mathderive.training.digests import digest
from mathderive.training.shards import (
    VALIDATION,
    ShardBatches,
    read_recipe,
    read_shard,
    train_on_shards,
    write_recipe,
    write_shard,
)
from tests.support import tiny_training
from tests.support.tiny_shards import FILES, hide_packages


def same_model(folder: Path, other: Path) -> bool:
    found, expected = load_model(folder), load_model(other)
    return (found.step, digest(found.params)) == (expected.step, digest(expected.params))


tokens = st.lists(st.integers(1, 2**31 - 1), min_size=1, max_size=9)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(tokens, tokens), min_size=1, max_size=9))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[list[int], list[int]]]
) -> None:
    path = tmp_path_factory.mktemp("shard") / "one.npz"
    write_shard(path, [(np.array(source), np.array(target)) for source, target in pairs])
    assert [(source.tolist(), target.tolist()) for source, target in read_shard(path)] == pairs


def test_files_come_in_order_and_examples_once_an_epoch(tmp_path: Path) -> None:
    network = T5Config(vocab_size=100, d_model=1, d_kv=1, d_ff=1, num_heads=1, num_layers=1, num_decoder_layers=1)
    counts = {"a": 7, "b": 5, "c": 9}
    number = 0
    for name, count in counts.items():
        write_shard(tmp_path / name, [(np.array([3]), np.array([10 + number + i])) for i in range(count)])
        number += count
    shutil.copy(tmp_path / "a", tmp_path / VALIDATION)
    write_recipe(tmp_path, network, "float32", False, {}, 0, counts, [(8, 8)])
    file_digests = [file["sha256"] for file in json.loads((tmp_path / "recipe.json").read_text())["files"]]
    batches = ShardBatches(tmp_path, counts, file_digests, [(8, 8)], network, 4, 0, "fixed")
    assert batches.steps_per_epoch == 2 + 2 + 3
    orders = []
    for epoch in range(2):
        seen = []
        for step in range(epoch * 7, epoch * 7 + 7):
            labels = batches[step]["labels"][:, 0]
            seen.append([label - 10 for label in labels if label])
        for steps, numbers in ((seen[:2], range(7)), (seen[2:4], range(7, 12)), (seen[4:], range(12, 21))):
            assert sorted(label for step in steps for label in step) == list(numbers)
        orders.append(seen)
    assert orders[0] != orders[1]


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_uninterrupted_one(shards: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    result = train_on_shards(shards, whole, tiny_training.silent)
    assert result.steps == 40
    assert result.validation_rouge2 is None
    for step in (9, 22):
        with pytest.raises(SystemExit):
            train_on_shards(shards, parts, tiny_training.end_after(step))
    assert train_on_shards(shards, parts, tiny_training.silent) == result
    assert same_model(whole, parts)
    assert tiny_training.rows(whole) == tiny_training.rows(parts)
    losses = [row["loss"] for row in tiny_training.rows(whole) if "loss" in row]
    assert losses[-1] < 0.8 * losses[0]
    # Without texts there are no scores, so the newest checkpoint is the one to predict with.
    assert load_model(whole).step == 40


@pytest.mark.slow
def test_a_machine_with_little_installed_trains_the_same_model(shards: Path, tmp_path: Path) -> None:
    code = f"{hide_packages()}from mathderive.training.__main__ import main\nsys.exit(main())\n"
    lean = tmp_path / "lean"
    ended = subprocess.run(
        [sys.executable, "-c", code, str(shards), str(lean)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "40 steps" in ended.stderr
    train_on_shards(shards, tmp_path / "here", tiny_training.silent)
    assert same_model(lean, tmp_path / "here")


def damaged(shards: Path, folder: Path, name: str, content: bytes | None) -> Path:
    """A copy of the shards with one file damaged or removed."""
    copy = Path(shutil.copytree(shards, folder))
    (copy / name).unlink() if content is None else (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("train-000-001.npz", None, "train-000-001.npz: no such shard"),
        ("train-000-001.npz", b"PK\x03\x04no", "train-000-001.npz: no readable shard"),
        (VALIDATION, b"", "validation.npz: no readable shard"),
        ("recipe.json", None, "recipe.json: no such file; expected the recipe"),
        ("recipe.json", b"{}", "recipe.json: format: expected mathderive-shards"),
    ],
)
def test_what_is_damaged_is_named(shards: Path, tmp_path: Path, name: str, content: bytes | None, says: str) -> None:
    with pytest.raises(InputError, match=says):
        train_on_shards(damaged(shards, tmp_path / "shards", name, content), tmp_path / "t5", tiny_training.silent)


@pytest.mark.parametrize("name", [*FILES, VALIDATION, "recipe.json", "tokenizer/sentencepiece.model"])
def test_a_flipped_bit_is_one_line(shards: Path, tmp_path: Path, name: str) -> None:
    content = bytearray((shards / name).read_bytes())
    content[len(content) // 2] ^= 1
    with pytest.raises(InputError):
        train_on_shards(
            damaged(shards, tmp_path / "shards", name, bytes(content)), tmp_path / "t5", tiny_training.silent
        )


def test_a_file_of_other_examples_is_one_line(shards: Path, tmp_path: Path) -> None:
    other = (shards / "train-000-001.npz").read_bytes()
    with pytest.raises(InputError, match=r"train-000-000\.npz: damaged, or of another recipe"):
        train_on_shards(
            damaged(shards, tmp_path / "shards", "train-000-000.npz", other), tmp_path / "t5", tiny_training.silent
        )


@pytest.mark.parametrize(
    ("section", "change", "says"),
    [
        ("training", {"batch_size": None}, r"recipe.json: training.batch_size: missing"),
        ("training", {"batch_sizes": 4}, r"recipe.json: training.batch_sizes: unknown"),
        ("model", {"d_model": 0}, r"recipe.json: model.d_model: expected an integer"),
    ],
)
def test_a_recipe_that_does_not_fit_is_one_line(
    shards: Path, tmp_path: Path, section: str, change: dict[str, Any], says: str
) -> None:
    recipe = json.loads((shards / "recipe.json").read_text())
    changed = {key: value for key, value in {**recipe[section], **change}.items() if key != "batch_size" or value}
    content = json.dumps({**recipe, section: changed}).encode()
    with pytest.raises(InputError, match=says):
        read_recipe(damaged(shards, tmp_path / "shards", "recipe.json", content))


def test_both_routes_train_with_the_same_options(shards: Path) -> None:
    assert read_recipe(shards).options == tiny_training.TRAINING.options()


def test_another_recipe_in_the_same_folder_is_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        train_on_shards(shards, tmp_path / "t5", tiny_training.end_after(1))
    other = tmp_path / "other"
    other.mkdir()
    for path in shards.iterdir():
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes())
    network = T5Config(vocab_size=60 + 256, d_model=8, d_kv=4, d_ff=8, num_heads=1, num_layers=1, num_decoder_layers=1)
    training = tiny_training.TRAINING.model_dump(mode="json")
    write_recipe(other, network, "float32", False, training, 0, FILES, [(16, 16)])
    with pytest.raises(InputError, match=r"trained with model\.d_ff = 32, now 8"):
        train_on_shards(other, tmp_path / "t5", tiny_training.silent)


def test_a_network_is_described_by_plain_json() -> None:
    network = T5Config(vocab_size=100, d_model=1, d_kv=1, d_ff=1, num_heads=1, num_layers=1, num_decoder_layers=1)
    assert T5Config.from_json(asdict(network)) == network
    for change, says in (
        ({"d_model": 0}, "d_model: expected an integer from 1"),
        ({"d_model": "8"}, "d_model: expected an integer"),
        ({"dropout_rate": 1}, "dropout_rate: expected a number"),
        ({"dropout_rate": float("nan")}, "dropout_rate: expected a number"),
        ({"tie_word_embeddings": 1}, "tie_word_embeddings: expected true or false"),
        ({"feed_forward": "silu"}, "feed_forward: expected relu or gated-gelu"),
        ({"depth": 3}, "depth: unknown"),
    ):
        with pytest.raises(ValueError, match=says):
            T5Config.from_json({**asdict(network), **change})
