"""A checkpoint that a command names is read once in that command."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
import pytest

from mathderive.metrics import bleurt
from mathderive.model import weights
from mathderive.training.conversion import convert
from tests.support.command import TINY, Command
from tests.support.released_files import released_file
from tests.support.torch_bert import write_bleurt

MINI = Path(__file__).parents[2] / "checkpoints" / "mini"
"""A Hugging Face folder."""

SHORT = ("--config", TINY, "score.validity=false", "decoding.max_target_length=4")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """Replaces a function by one that does the same and notes each call."""
    calls: list[Any] = []
    original: Callable[..., Any] = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


def test_eval_restores_our_checkpoint_once(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convert(str(MINI), tmp_path / "ours")
    restored = count_calls(monkeypatch, ocp.CheckpointManager, "restore")
    released_file(tmp_path)
    command.accepted("eval", "--checkpoint", tmp_path / "ours", "--released", tmp_path, *SHORT)
    assert len(restored) == 1


def test_eval_reads_the_weights_of_other_checkpoints_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer = write_bleurt(tmp_path / "bleurt")
    read = count_calls(monkeypatch, weights, "read_tensors")
    opened = count_calls(monkeypatch, bleurt, "check_folder")
    read_for_bleurt = count_calls(monkeypatch, bleurt, "read_folder")
    released_file(tmp_path)
    evaluate = ("eval", "--checkpoint", MINI, "--bleurt", scorer, "--released", tmp_path)
    command.accepted(*evaluate, *SHORT)
    assert [len(calls) for calls in (read, opened, read_for_bleurt)] == [1, 1, 1]


def test_a_checkpoint_of_the_config_is_restored_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(str(MINI), tmp_path / "ours")
    restored = count_calls(monkeypatch, ocp.CheckpointManager, "restore")
    released_file(tmp_path)
    predictors = "predictors=[{kind: t5, checkpoint: ours}]"
    arguments = ("predict", "--released", tmp_path, *SHORT, "data=null", "model=null", "training=null", predictors)
    command.accepted(*arguments)
    assert len(restored) == 1
    command.accepted(*arguments)
    assert len(restored) == 1, "a stage that is done opens no checkpoint"


@pytest.mark.slow
def test_training_restores_the_checkpoint_that_it_starts_from_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(str(MINI), tmp_path / "ours")
    restored = count_calls(monkeypatch, ocp.CheckpointManager, "restore")
    command.accepted("train", *SHORT, "model.init_from=ours", "training.steps=2", "training.batch_size=2")
    places = [Path(str(manager.directory)).parent.name for manager, *_ in restored]
    assert places.count("ours") == 1
