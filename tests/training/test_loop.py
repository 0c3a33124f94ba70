"""Training ends with the same model however often it is interrupted; it learns, and it reports errors."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mathderive.config.schema import OutputSearchSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import ProgressCallback
from mathderive.model import decoding
from mathderive.model.weights import write_folder
from mathderive.training import validation
from mathderive.training.checkpoints import Checkpoints
from mathderive.training.conversion import load_model
from mathderive.training.digests import digest
from tests.support import tiny_training
from tests.support.command import COMPILED, wait_for_step
from tests.support.tiny_training import Finished
from tests.support.torch_t5 import random_params


class KilledError(Exception):
    pass


def killer(step: int) -> ProgressCallback:
    """A progress callback that ends the run after `step` steps."""

    def report(what: str, done: int, wanted: int, note: str = "") -> None:
        if done == step:
            raise KilledError

    return report


def assert_same_ending(folder: Path, other: Path) -> None:
    with Checkpoints(folder) as left, Checkpoints(other) as right:
        found, expected = left.restore(), right.restore()
    assert found is not None
    assert expected is not None
    assert found.step == expected.step
    assert found.data == expected.data
    for arrays, others in ((found.params, expected.params), (found.training, expected.training)):
        assert arrays.keys() == others.keys()
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
    assert tiny_training.rows(folder) == tiny_training.rows(other)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_uninterrupted_one(finished: Finished, tmp_path: Path) -> None:
    whole, result = finished
    for step in (3, 21):
        with pytest.raises(KilledError):
            tiny_training.run(tmp_path, on_progress=killer(step))
    assert tiny_training.run(tmp_path) == result
    assert_same_ending(tmp_path, whole)


def assert_close_losses(folder: Path, other: Path) -> None:
    """The devices' sums have another order of rounding where their number is another."""
    found, expected = tiny_training.rows(folder), tiny_training.rows(other)
    assert [row["step"] for row in found] == [row["step"] for row in expected]
    for row, same in zip(found, expected, strict=True):
        for key in row.keys() & {"loss", "validation_loss"}:
            assert row[key] == pytest.approx(same[key], abs=1e-5), row["step"]


def start(folder: Path, devices: int = 1, **changes: Any) -> subprocess.Popen[str]:
    """Starts the same training in a new process with that many devices."""
    environment = {
        **os.environ,
        **COMPILED,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        "NPROC": "32",  # without it jax 0.10 can deadlock with more fake devices than cores
    }
    command = [sys.executable, tiny_training.__file__, str(folder), json.dumps(changes)]
    return subprocess.Popen(command, env=environment, text=True)


@pytest.mark.slow
@pytest.mark.long
def test_a_run_killed_again_and_again_ends_as_an_uninterrupted_one(finished: Finished, tmp_path: Path) -> None:
    whole, _ = finished
    rng = random.Random(0)
    metrics = tmp_path / "metrics.jsonl"

    def log() -> tuple[int, int]:
        """Inode and length of the log file; a run begins by replacing the file."""
        return (metrics.stat().st_ino, metrics.stat().st_size) if metrics.exists() else (0, 0)

    kills = 0
    while kills < 4:
        earlier, begun = log(), None
        process = start(tmp_path)
        # Most of a run's time is imports and compilation. The kill should come later, after the first row of the log.
        while process.poll() is None and (begun is None or log()[1] <= begun):
            time.sleep(0.001)
            if begun is None and log()[0] != earlier[0]:
                begun = log()[1]
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        if process.wait(timeout=240) == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills > 2
    assert start(tmp_path).wait(timeout=240) == 0
    assert_same_ending(tmp_path, whole)


@pytest.mark.slow
@pytest.mark.long
def test_two_hundred_steps_end_alike_killed_three_times_or_never(tmp_path: Path) -> None:
    steps = {"steps": 200, "evaluate_every": 100}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    tiny_training.run(whole, training=tiny_training.TRAINING.model_copy(update=steps))
    for moment in (50, 100, 150):
        process = start(killed, training=steps)
        wait_for_step(process, killed / "metrics.jsonl", moment)
        process.kill()
        assert process.wait(timeout=240) == -signal.SIGKILL
    assert start(killed, training=steps).wait(timeout=240) == 0
    assert_same_ending(killed, whole)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("section", "change", "same"), [("model", {"remat": True}, True), ("training", {"first_token": "authors"}, False)]
)
def test_what_the_step_computes_is_in_the_config(
    finished: Finished, tmp_path: Path, section: str, change: dict[str, Any], same: bool
) -> None:
    settings: dict[str, Any] = {"model": tiny_training.MODEL, "training": tiny_training.TRAINING}
    tiny_training.run(tmp_path, **{**settings, section: settings[section].model_copy(update=change)})
    found, usual = (
        [row[key] for row in tiny_training.rows(folder) for key in ("loss", "validation_loss") if key in row]
        for folder in (tmp_path, finished[0])
    )
    assert (found == pytest.approx(usual, abs=1e-4)) == same


@pytest.mark.slow
def test_validation_searches_as_the_config_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def decode(*arguments: Any) -> list[list[int]]:
        asked.append(arguments[-1])
        return decoding.decode(*arguments)

    monkeypatch.setattr(validation, "decode", decode)
    search = OutputSearchSettings(num_beams=2, repetition_penalty=2.5, early_stopping=True)
    changes = {"validation_search": search, "steps": 2}
    tiny_training.run(tmp_path, training=tiny_training.TRAINING.model_copy(update=changes))
    assert set(asked) == {search.options()}


@pytest.mark.slow
@pytest.mark.long
def test_a_run_goes_on_with_another_number_of_devices(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"model": {"dropout_rate": 0.0}, "training": {"batch_size": 8}}
    whole, moved = tmp_path / "whole", tmp_path / "moved"
    assert start(whole, **changes).wait(timeout=240) == 0
    for devices, last in ((1, 9), (2, 18), (8, 27)):
        assert start(moved, devices, **changes, end_after=last).wait(timeout=240) == 0
    assert start(moved, **changes).wait(timeout=240) == 0
    assert_close_losses(moved, whole)


@pytest.mark.slow
@pytest.mark.long
def test_checkpoints_may_lie_elsewhere_and_outlive_the_machine(finished: Finished, tmp_path: Path) -> None:
    whole, result = finished
    store = tmp_path / "store"
    training = tiny_training.TRAINING.model_copy(update={"checkpoint_folder": str(store)})
    lost, folder = tmp_path / "lost" / "t5", tmp_path / "new" / "t5"
    with pytest.raises(KilledError):
        tiny_training.run(lost, training=training, on_progress=killer(21))
    shutil.rmtree(lost)
    begun = []
    assert tiny_training.run(folder, training=training, on_progress=lambda what, done, *_: begun.append(done)) == result
    assert begun[0] == 20
    assert tiny_training.rows(folder) == tiny_training.rows(whole)
    loaded, expected = load_model(folder), load_model(whole)
    assert (loaded.step, digest(loaded.params)) == (expected.step, digest(expected.params))
    # A run never uses the checkpoints of another run.
    with pytest.raises(KilledError):
        tiny_training.run(tmp_path / "other" / "t5", training=training, seed=1, on_progress=killer(1))
    assert len(list(store.glob("t5-*"))) == 2


def test_a_finished_run_is_left_alone(finished: Finished, tmp_path: Path) -> None:
    whole, result = finished
    folder = Path(shutil.copytree(whole, tmp_path / "t5"))
    before = {path: path.read_bytes() for path in (folder / "orbax").rglob("*") if path.is_file()}
    assert tiny_training.run(folder) == result
    assert {path: path.read_bytes() for path in (folder / "orbax").rglob("*") if path.is_file()} == before


def test_training_learns_and_logs(finished: Finished) -> None:
    folder, result = finished
    rows = tiny_training.rows(folder)
    losses = [row["loss"] for row in rows if "loss" in row]
    assert [row["step"] for row in rows if "loss" in row] == list(range(4, 41, 4))
    assert losses[-1] < 0.8 * losses[0]
    assert [row["step"] for row in rows if "validation_loss" in row] == [20, 40]
    assert result.steps == 40
    assert result.validation_loss == rows[-1]["validation_loss"] < losses[0]
    assert all(0 <= row["padding_share"] < 0.5 for row in rows if "loss" in row)
    assert all(row["learning_rate"] == pytest.approx(3e-3) for row in rows if "loss" in row)


def test_another_run_in_the_same_folder_is_refused(finished: Finished) -> None:
    folder, _ = finished
    other = tiny_training.TRAINING.model_copy(update={"learning_rate": 1e-4})
    with pytest.raises(InputError, match=r"training\.learning_rate = 0\.003, now 0\.0001; remove the folder"):
        tiny_training.run(folder, training=other)
    with pytest.raises(InputError, match="seed = 0, now 1"):
        tiny_training.run(folder, seed=1)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    wild = tiny_training.TRAINING.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(InputError, match=r"the loss of step [2-8] is not finite; there is no checkpoint yet"):
        tiny_training.run(tmp_path, training=wild)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None


@pytest.mark.slow
def test_training_starts_from_a_released_checkpoint(tmp_path: Path) -> None:
    from transformers import T5Tokenizer

    from tests.support.torch_t5 import CONFIGS

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(piece, -3.0) for piece in "\u2581abcdeghinoprtvxyz=+-,G0123456789q"]
    config = replace(CONFIGS["t5-1.1"], num_layers=1, num_decoder_layers=1)
    released = tmp_path / "released"
    T5Tokenizer(vocab=special + pieces, extra_ids=20).save_pretrained(released)
    write_folder(released, random_params(config, 0), config)
    model = tiny_training.MODEL.model_copy(
        update={"init_from": str(released), "tokens_to_add": ("\\", "{", "}", "_", "^")}
    )
    training = tiny_training.TRAINING.model_copy(update={"steps": 2, "optimizer": "adafactor", "learning_rate": 1e-9})
    tiny_training.run(tmp_path / "t5", model=model, training=training)
    loaded = load_model(tmp_path / "t5")
    assert loaded.config.vocab_size == len(special) + len(pieces) + 20 + 5 > config.vocab_size
    assert loaded.config.feed_forward == "gated-gelu"
    for name, array in random_params(config, 0).items():
        kept = loaded.params[name][tuple(slice(extent) for extent in array.shape)]
        np.testing.assert_allclose(kept, array, atol=1e-6, err_msg=name)
    assert loaded.tokenizer.encode("{")[0] >= config.vocab_size - 5
