"""A model folder survives damage if possible; otherwise one line names the error."""

import json
import os
import random
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.training import digests
from mathderive.training.checkpoints import Checkpoints, Restored, read_best, read_metrics
from mathderive.training.conversion import load_model
from mathderive.training.description import is_model_folder
from tests.support import tiny_training
from tests.support.tiny_training import Finished

PARAMS = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "c": np.float32(1) + np.zeros(4, np.float32)}
CONFIG = T5Config(vocab_size=8, d_model=1, d_kv=1, d_ff=1, num_heads=1, num_layers=1, num_decoder_layers=1)
REST = {"step": np.array(7, np.int32), "optimizer.0.mu.a/b": np.ones((2, 3), np.float32)}


def save(checkpoints: Checkpoints, step: int, rouge2: float | None = None) -> None:
    checkpoints.save(step, {name: array + step for name, array in PARAMS.items()}, REST, {"next_index": step}, rouge2)
    checkpoints.wait()


def restore(checkpoints: Checkpoints) -> Restored:
    restored = checkpoints.restore()
    assert restored is not None
    return restored


def steps_in(folder: Path) -> list[int]:
    return sorted(int(path.name) for path in (folder / "orbax").iterdir())


def for_each_step(change: Callable[[Path], object], folder: Path) -> None:
    for step_folder in (folder / "orbax").iterdir():
        change(step_folder)


def damage(step_folder: Path, item: str = "params") -> None:
    """Cuts every file of one item in half."""
    for path in (step_folder / item).rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None
        save(checkpoints, 7)
    with Checkpoints(tmp_path) as checkpoints:
        found = restore(checkpoints)
    assert (found.step, found.data) == (7, {"next_index": 7})
    for name, array in PARAMS.items():
        np.testing.assert_array_equal(found.params[name], array + 7)
    assert found.training.keys() == REST.keys()
    assert found.training["step"] == 7


def test_the_best_and_the_two_newest_are_kept(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for step, rouge2 in ((1, 0.2), (2, 0.5), (3, None), (4, 0.4), (5, None), (6, 0.1)):
            save(checkpoints, step, rouge2)
    assert steps_in(tmp_path) == [2, 5, 6]


def test_a_damaged_newest_checkpoint_gives_way_to_the_one_before(tmp_path: Path) -> None:
    for item in ("params", "training", "data"):
        folder = tmp_path / item
        with Checkpoints(folder) as checkpoints:
            save(checkpoints, 1)
            save(checkpoints, 2)
        damage(folder / "orbax" / "2", item)
        with Checkpoints(folder) as checkpoints:
            with pytest.warns(UserWarning, match=r"orbax/2: damaged, passed over"):
                assert restore(checkpoints).step == 1
            save(checkpoints, 2)
            assert restore(checkpoints).step == 2


def flip(path: Path, position: int, bit: int = 0) -> None:
    """Flips one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << bit
    path.write_bytes(content)


def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with Checkpoints(whole) as checkpoints:
        save(checkpoints, 1)
        save(checkpoints, 2)
        expected = restore(checkpoints)
    newest = whole / "orbax" / "2"
    files = [path for path in sorted(newest.rglob("*")) if path.is_file() and path.stat().st_size]
    rng = random.Random(0)
    passed_over = 0
    for path in files:
        for _ in range(2):
            copy = Path(shutil.copytree(whole, tmp_path / "copy"))
            flip(copy / path.relative_to(whole), rng.randrange(path.stat().st_size), rng.randrange(8))
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                with Checkpoints(copy) as checkpoints:
                    found = restore(checkpoints)
            if found.step == 1:
                assert any("orbax/2: damaged, passed over" in str(warning.message) for warning in said)
                passed_over += 1
            else:
                assert (found.step, found.data) == (2, expected.data), path
                for arrays, others in ((found.params, expected.params), (found.training, expected.training)):
                    assert arrays.keys() == others.keys()
                    for name in arrays:
                        assert arrays[name].dtype == others[name].dtype, path
                        np.testing.assert_array_equal(arrays[name], others[name], err_msg=str(path))
            shutil.rmtree(copy)
    assert passed_over >= 10


@pytest.mark.parametrize("item", ["params", "training", "data"])
def test_an_item_with_another_checksum_gives_way_to_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, item: str
) -> None:
    compute = digests.compute_checksums
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1)
        with monkeypatch.context() as patch:
            patch.setattr(digests, "compute_checksums", lambda *parts: {**compute(*parts), item: "0" * 64})
            save(checkpoints, 2, 0.5)
    said = rf"orbax/2: damaged, passed over \({item}: another checksum"
    with Checkpoints(tmp_path) as checkpoints, pytest.warns(UserWarning, match=said):
        assert restore(checkpoints).step == 1
    if item == "params":
        with pytest.raises(InputError, match=r"orbax/2: damaged \(params: another checksum"):
            read_best(tmp_path, CONFIG)
        with (
            Checkpoints(tmp_path) as checkpoints,
            pytest.raises(InputError, match=r"orbax/2: damaged \(params: another checksum"),
        ):
            checkpoints.copy_best_to(tmp_path / "copy")


def test_a_checkpoint_of_an_earlier_version_has_no_checksums_and_is_read(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1)
    shutil.rmtree(tmp_path / "orbax" / "1" / "checksums")
    with Checkpoints(tmp_path) as checkpoints:
        assert restore(checkpoints).step == 1


def test_a_flipped_bit_in_a_score_costs_no_checkpoint(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, 0.2)
        save(checkpoints, 2, 0.3)
    paths = [path for path in (tmp_path / "orbax" / "1" / "metrics").rglob("*") if path.is_file()]
    (path,) = (path for path in paths if b"0.2" in path.read_bytes())
    flip(path, path.read_bytes().index(b"0.2"), 3)  # 0.2 becomes 8.2
    with pytest.warns(UserWarning, match=r"orbax/1: its score is damaged"):
        checkpoints = Checkpoints(tmp_path)
    with checkpoints:
        assert restore(checkpoints).step == 2
        checkpoints.copy_best_to(tmp_path / "copy")
    assert steps_in(tmp_path / "copy") == [2]


def test_a_damaged_score_costs_no_checkpoint(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        for step, rouge2 in ((1, 0.2), (2, 0.3), (3, 0.1)):
            save(checkpoints, step, rouge2)
    damage(tmp_path / "orbax" / "2", "metrics")
    with pytest.warns(UserWarning, match=r"orbax/2: its score is damaged"):
        checkpoints = Checkpoints(tmp_path)
    with checkpoints:
        assert restore(checkpoints).step == 3
        save(checkpoints, 4, 0.15)
    assert steps_in(tmp_path) == [3, 4]


def test_damaged_metadata_costs_no_checkpoint(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1)
        save(checkpoints, 2)
    metadata = tmp_path / "orbax" / "2" / "_CHECKPOINT_METADATA"
    metadata.write_bytes(metadata.read_bytes()[:20])
    with Checkpoints(tmp_path) as checkpoints:
        found = restore(checkpoints)
    assert found.step == 2
    np.testing.assert_array_equal(found.params["c"], PARAMS["c"] + 2)


def test_the_best_is_copied_elsewhere(tmp_path: Path) -> None:
    with Checkpoints(tmp_path / "store") as checkpoints:
        for step, rouge2 in ((1, 0.5), (2, 0.2), (3, None)):
            save(checkpoints, step, rouge2)
        checkpoints.copy_best_to(tmp_path / "copy")
    assert steps_in(tmp_path / "copy") == [1]
    with Checkpoints(tmp_path / "copy") as copies:
        np.testing.assert_array_equal(restore(copies).params["c"], PARAMS["c"] + 1)


def test_half_written_checkpoints_are_ignored(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1)
    shutil.copytree(tmp_path / "orbax" / "1", tmp_path / "orbax" / "2.orbax-checkpoint-tmp")
    with Checkpoints(tmp_path) as checkpoints:
        assert restore(checkpoints).step == 1


@pytest.mark.parametrize("item", ["params", "metrics"])
def test_a_pipe_in_a_checkpoint_is_one_line(tmp_path: Path, item: str) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1, 0.5)
    path = next(path for path in (tmp_path / "orbax" / "1" / item).rglob("*") if path.is_file())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="expected a regular file"):
        Checkpoints(tmp_path)
    with pytest.raises(InputError, match="expected a regular file"):
        read_best(tmp_path, CONFIG)


def test_nothing_but_damage_is_one_line(tmp_path: Path) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        save(checkpoints, 1)
    damage(tmp_path / "orbax" / "1")
    with (
        Checkpoints(tmp_path) as checkpoints,
        pytest.warns(UserWarning, match="damaged"),
        pytest.raises(InputError, match="none of"),
    ):
        checkpoints.restore()


@pytest.fixture
def folder(finished: Finished, tmp_path: Path) -> Path:
    return shutil.copytree(finished[0], tmp_path / "t5")


def test_the_best_checkpoint_is_the_model(finished: Finished, folder: Path) -> None:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    scored = [row for row in rows if "validation_rouge2" in row]
    loaded = load_model(folder)
    best = max(row["validation_rouge2"] for row in scored)
    assert loaded.step in {row["step"] for row in scored if row["validation_rouge2"] == best}
    assert loaded.config.d_model == 16
    text = "Given x = p + 3"
    assert loaded.tokenizer.decode(loaded.tokenizer.encode(text)) == text


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "no such model folder"),
        (lambda folder: (folder / "config.json").unlink(), r"config\.json: no such file"),
        (lambda folder: (folder / "config.json").write_text('{"format'), r"config\.json: not valid JSON"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "t5"}'), r"format: expected"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "no tokenizer here"),
        (lambda folder: shutil.rmtree(folder / "orbax"), "never trained to its first checkpoint"),
        (lambda folder: for_each_step(shutil.rmtree, folder), "no whole checkpoint"),
        (lambda folder: for_each_step(damage, folder), "damaged"),
    ],
)
def test_a_folder_that_cannot_be_loaded_is_one_line(
    folder: Path, break_it: Callable[[Path], object], message: str
) -> None:
    break_it(folder)
    with pytest.raises(InputError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_a_description_that_does_not_fit_is_one_line(folder: Path) -> None:
    path = folder / "config.json"
    tree = json.loads(path.read_text())
    for change, message in (
        ({"format_version": 99}, "format_version: expected 1, found 99"),
        ({"dtype": "float16"}, "dtype"),
        ({"model": {**tree["model"], "d_model": 0}}, r"model\.d_model"),
        ({"model": {**tree["model"], "d_ff": 33}}, "not those of the model in config.json"),
    ):
        path.write_text(json.dumps({**tree, **change}))
        with pytest.raises(InputError, match=message):
            load_model(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_parameters_that_are_not_finite_are_refused(folder: Path, value: float) -> None:
    loaded = load_model(folder)
    name = next(iter(loaded.params))
    params = {**loaded.params, name: np.full_like(loaded.params[name], value)}
    shutil.rmtree(folder / "orbax")
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(1, params, REST, {}, None)
    with pytest.raises(InputError, match=rf"orbax/1: {name}: expected finite float32 numbers"):
        load_model(folder)


def test_token_ids_beyond_the_vocabulary_are_refused(folder: Path) -> None:
    path = folder / "config.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "model": {**tree["model"], "eos_token_id": tree["model"]["vocab_size"]}}))
    with pytest.raises(InputError, match=r"config\.json: model\.eos_token_id: expected an integer from 0"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer/sentencepiece.model"])
def test_a_flipped_bit_beside_the_checkpoints_is_one_line(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for position in range(0, len(content), max(1, len(content) // 8)):
        flip(folder / name, position, 1)
        with pytest.raises(InputError):
            load_model(folder)
        with pytest.raises(InputError):
            tiny_training.run(folder)
        (folder / name).write_bytes(content)
    assert load_model(folder).step


def test_our_folders_are_told_from_others(folder: Path, tmp_path: Path) -> None:
    assert is_model_folder(folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text('{"model_type": "t5"}')
    assert not is_model_folder(tmp_path / "other")
    assert not is_model_folder(tmp_path / "nowhere")


def test_the_log_is_read_up_to_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path, 10) == []
    path.write_text('{"step": 5}\n{"step": 10}\n{"step": 15}\n{"st')
    assert read_metrics(path, 10) == [{"step": 5}, {"step": 10}]
