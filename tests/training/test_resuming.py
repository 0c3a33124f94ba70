"""Training goes on after damage and full disks, and ends as an uninterrupted run; nothing is passed over silently."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathderive.core.errors import InputError, Terminated
from mathderive.training.checkpoints import Checkpoints
from tests.support import tiny_training
from tests.support.tiny_training import Finished
from tests.training.test_loop import KilledError, assert_close_losses, assert_same_ending, killer, start

EPOCH = 13
"""Number of steps of an epoch of the tiny training: 50 examples in batches of 4."""


def newest(folder: Path) -> Path:
    return max((folder / "orbax").iterdir(), key=lambda path: int(path.name))


def largest_file(checkpoint: Path) -> Path:
    files = (path for path in (checkpoint / "params").rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def truncate(checkpoint: Path) -> None:
    path = largest_file(checkpoint)
    os.truncate(path, path.stat().st_size // 2)


def flip(checkpoint: Path) -> None:
    path = largest_file(checkpoint)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove_marker(checkpoint: Path) -> None:
    """Makes the checkpoint one that Orbax has not committed."""
    checkpoint.rename(checkpoint.with_name(f"{checkpoint.name}.orbax-checkpoint-tmp"))


@pytest.mark.parametrize("step", [EPOCH, 2 * EPOCH, tiny_training.TRAINING.steps])
def test_a_run_goes_on_from_the_end_of_an_epoch_and_from_the_last_step(
    finished: Finished, tmp_path: Path, step: int
) -> None:
    whole, result = finished

    def end(what: str, done: int, wanted: int, note: str = "") -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Terminated):
        tiny_training.run(tmp_path, on_progress=end)
    assert newest(tmp_path).name == str(step)
    assert tiny_training.run(tmp_path) == result
    assert_same_ending(tmp_path, whole)


@pytest.mark.parametrize(("damage", "warns"), [(truncate, True), (flip, True), (remove_marker, False)])
def test_a_damaged_newest_checkpoint_changes_no_ending(
    finished: Finished, tmp_path: Path, damage: Callable[[Path], None], warns: bool
) -> None:
    whole, result = finished
    with pytest.raises(KilledError):
        tiny_training.run(tmp_path, on_progress=killer(21))
    assert newest(tmp_path).name == "20"
    damage(newest(tmp_path))
    begun: list[int] = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert tiny_training.run(tmp_path, on_progress=lambda what, done, *_: begun.append(done)) == result
    assert begun[0] == 18
    assert any("orbax/20: damaged, passed over" in str(warning.message) for warning in said) == warns
    assert_same_ending(tmp_path, whole)


@pytest.mark.slow
def test_a_run_on_four_devices_goes_on_with_one_from_an_undamaged_checkpoint(tmp_path: Path) -> None:
    changes: dict[str, Any] = {"model": {"dropout_rate": 0.0}, "training": {"batch_size": 8}}
    whole, moved = tmp_path / "whole", tmp_path / "moved"
    assert start(whole, **changes).wait(timeout=240) == 0
    assert start(moved, 4, **changes, end_after=EPOCH).wait(timeout=240) == 0
    flip(newest(moved))
    assert start(moved, **changes).wait(timeout=240) == 0
    assert_close_losses(moved, whole)


@pytest.mark.parametrize("position", [{"next_index": 41}, {"next_index": 7}, {"next_index": "20"}, {}])
def test_a_position_in_the_data_that_is_not_the_step_is_one_line(
    finished: Finished, tmp_path: Path, position: dict[str, object]
) -> None:
    with pytest.raises(KilledError):
        tiny_training.run(tmp_path, on_progress=killer(3))
    with Checkpoints(tmp_path) as checkpoints:
        assert checkpoints.restore() is None
        with Checkpoints(finished[0]) as others:
            last = others.restore()
        assert last is not None
        checkpoints.save(20, last.params, last.training, position, None)
    with pytest.raises(InputError, match=r"orbax/20: data: expected the position after step 20"):
        tiny_training.run(tmp_path)


def test_a_step_beyond_the_end_is_one_line(finished: Finished, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(finished[0], tmp_path / "t5"))
    with Checkpoints(folder) as checkpoints:
        last = checkpoints.restore()
        assert last is not None
        checkpoints.save(41, last.params, last.training, {"next_index": 41}, None)
    with pytest.raises(InputError, match=r"orbax/41: its step is beyond the end of the training"):
        tiny_training.run(folder)


def test_a_full_disk_ends_a_save_with_one_line_and_the_run_goes_on_later(finished: Finished, small_disk: Path) -> None:
    whole, result = finished
    ballast = small_disk / "ballast"

    def fill(what: str, done: int, wanted: int, note: str = "") -> None:
        if done == 10:
            with ballast.open("wb") as stream, pytest.raises(OSError, match="No space left"):
                while True:
                    stream.write(bytes(4096))
                    stream.flush()

    folder = small_disk / "t5"
    with pytest.raises((InputError, OSError), match="No space left on device|RESOURCE_EXHAUSTED") as caught:
        tiny_training.run(folder, on_progress=fill)
    assert "\n" not in str(caught.value)
    ballast.unlink()
    assert tiny_training.run(folder) == result
    assert_same_ending(folder, whole)
