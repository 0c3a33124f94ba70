"""Training ends with the same model however often it is interrupted, learns, and says what is wrong."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny_training
from torch_t5 import random_params

from mathderive.errors import InputError
from mathderive.model.weights import write_folder
from mathderive.training.checkpoints import Checkpoints, load_model


class KilledError(Exception):
    pass


def killer(step):
    """A progress report that ends the run after `step` steps."""

    def report(what, done, wanted, note=""):
        if done == step:
            raise KilledError

    return report


def assert_same_ending(folder, other):
    with Checkpoints(folder) as left, Checkpoints(other) as right:
        found, expected = left.restore(), right.restore()
    assert found.step == expected.step
    assert found.data == expected.data
    for arrays, others in ((found.params, expected.params), (found.training, expected.training)):
        assert arrays.keys() == others.keys()
        for name in arrays:
            np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
    assert tiny_training.rows(folder) == tiny_training.rows(other)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(finished, tmp_path):
    whole, result = finished
    for step in (3, 21):
        with pytest.raises(KilledError):
            tiny_training.run(tmp_path, report=killer(step))
    assert tiny_training.run(tmp_path) == result
    assert_same_ending(tmp_path, whole)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_an_uninterrupted_one(finished, tmp_path):
    whole, _ = finished
    rng = random.Random(0)
    metrics = tmp_path / "metrics.jsonl"
    command = [sys.executable, tiny_training.__file__, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def log():
        """Number and length of the log's file; a run begins by putting a new one in its place."""
        return (metrics.stat().st_ino, metrics.stat().st_size) if metrics.exists() else (0, 0)

    kills = 0
    while kills < 8:
        earlier, begun = log(), None
        process = subprocess.Popen(command, env=environment)
        # Most of a run's time is imports and compilation; what can go wrong comes after its first line.
        while process.poll() is None and (begun is None or log()[1] <= begun):
            time.sleep(0.001)
            if begun is None and log()[0] != earlier[0]:
                begun = log()[1]
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        if process.wait() == 0:
            break
        assert process.returncode == -signal.SIGKILL
        kills += 1
    assert kills > 2
    subprocess.run(command, env=environment, check=True)
    assert_same_ending(tmp_path, whole)


def test_a_finished_run_is_left_alone(finished, tmp_path):
    whole, result = finished
    folder = Path(shutil.copytree(whole, tmp_path / "t5"))
    before = {path: path.read_bytes() for path in (folder / "orbax").rglob("*") if path.is_file()}
    assert tiny_training.run(folder) == result
    assert {path: path.read_bytes() for path in (folder / "orbax").rglob("*") if path.is_file()} == before


def test_training_learns_and_logs(finished):
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


def test_another_run_in_the_same_folder_is_refused(finished):
    folder, _ = finished
    other = tiny_training.TRAINING.model_copy(update={"learning_rate": 1e-4})
    with pytest.raises(InputError, match=r"training\.learning_rate = 0\.003, now 0\.0001; remove the folder"):
        tiny_training.run(folder, training=other)
    with pytest.raises(InputError, match="seed = 0, now 1"):
        tiny_training.run(folder, seed=1)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    wild = tiny_training.TRAINING.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(InputError, match=r"the loss of step [2-8] is not finite; there is no checkpoint yet"):
        tiny_training.run(tmp_path, training=wild)
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None


@pytest.mark.slow
def test_training_starts_from_a_released_checkpoint(tmp_path):
    from torch_t5 import CONFIGS
    from transformers import T5Tokenizer

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(piece, -3.0) for piece in "\u2581abcdeghinoprtvxyz=+-,G0123456789q"]
    config = CONFIGS["t5-1.1"].model_copy(update={"num_layers": 1, "num_decoder_layers": 1})
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
