"""`convert` and `eval --checkpoint` as a user runs them, on every format of checkpoint."""

import json
import re
import shutil
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import pytest

from mathderive.records import Prediction, read_jsonl
from tests.support.command import TINY, complaint, run, start
from tests.support.released_files import released_file

pytestmark = pytest.mark.slow


class Environment(TypedDict):
    """Environment variables of a command."""

    https_proxy: str
    no_proxy: str
    HF_HUB_OFFLINE: str


OFFLINE: Environment = {"https_proxy": "http://127.0.0.1:9", "no_proxy": "", "HF_HUB_OFFLINE": "1"}
"""An environment without network: no server listens at the proxy."""

SMALL = ("decoding.max_target_length=16", "data.sizes.train=30", "training.steps=5")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained run, and its model as a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("place")
    said = run("train", "--config", TINY, *SMALL, cwd=folder).stderr
    assert re.search(r"^train: steps 0/5, \d+ s, compiling$", said, re.MULTILINE)
    result = run("convert", "runs/tiny/checkpoints/t5", "hf", cwd=folder)
    assert result.stdout == "hf\n"
    assert "convert: hf is a Hugging Face folder with weights in float32" in result.stderr
    return folder


def texts(run_folder: Path, model: str) -> list[str]:
    return [
        prediction.text for prediction in read_jsonl(run_folder / "predictions" / model / "static.jsonl", Prediction)
    ]


@pytest.mark.long
def test_every_form_of_a_model_predicts_the_same(place: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    run("convert", "hf", "back", cwd=place)
    binary = place / "binary"
    binary.mkdir()
    for path in (place / "hf").glob("*.json"):
        (binary / path.name).write_bytes(path.read_bytes())
    torch.save(load_file(place / "hf" / "model.safetensors"), binary / "pytorch_model.bin")
    forms = {"t5": "runs/tiny/checkpoints/t5", "hf": "hf", "back": "back", "binary": "binary"}
    checkpoints = [argument for form in forms.values() for argument in ("--checkpoint", form)]
    result = run("eval", *checkpoints, "--config", TINY, *SMALL, cwd=place, **OFFLINE)
    assert "eval: on the run's own examples, as the released ones cannot be had" in result.stderr
    expected = texts(place / "runs" / "eval-tiny", "t5")
    assert expected
    assert any(expected)
    for form in forms:
        assert texts(place / "runs" / "eval-tiny", form) == expected


@pytest.mark.long
def test_the_kits_own_checkpoint_is_scored_by_default(place: Path) -> None:
    result = run("eval", "--config", TINY, *SMALL, cwd=place, **OFFLINE)
    assert "eval: on the run's own examples, as the released ones cannot be had" in result.stderr
    assert any(texts(place / "runs" / "eval-tiny", "mini"))


@pytest.mark.long
def test_a_model_with_added_tokens_answers_the_released_examples(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import transformers

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -3.0) for letter in "\u2581abcdefgx=+()123")]
    tokenizer = transformers.T5Tokenizer(vocab=pieces, extra_ids=4)
    shape = {"vocab_size": 30, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 1}
    config = transformers.T5Config.from_dict({**shape, "decoder_start_token_id": 0})
    model = transformers.T5ForConditionalGeneration(config)
    tokenizer.add_tokens(["\\", "{", "}", "_", "^"])
    model.resize_token_embeddings(max(len(tokenizer), 40))
    for part in (tokenizer, model):
        part.save_pretrained(tmp_path / "grown")
    released_file(tmp_path)
    arguments: list[str | Path] = ["--checkpoint", "grown", "--released", tmp_path, "--config", TINY, *SMALL]
    result = run("eval", *arguments, cwd=tmp_path, **OFFLINE)
    assert "eval: on the authors' released examples" in result.stderr
    assert len(texts(tmp_path / "runs" / "eval-tiny", "grown")) == 1


def break_bert(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": 4}), encoding="utf-8")


def break_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "sentencepiece.model"):
        (folder / name).unlink()


def break_weights(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def put_code_in(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch hacked\x85R.")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (break_bert, "config.json: model_type: expected \"t5\", found 'bert'"),
        (break_tokenizer, "no tokenizer here"),
        (break_weights, "model.safetensors: not a whole safetensors file"),
        (put_code_in, "pytorch_model.bin: its pickle asks for posix.system"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_before_anything_is_made(
    place: Path, tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(Path(shutil.copytree(place / "hf", tmp_path / "spoilt")))
    result = run("eval", "--checkpoint", "spoilt", "--config", TINY, cwd=tmp_path, code=2, **OFFLINE)
    assert said in complaint(result.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["spoilt"]


def test_the_format_to_make_can_be_said(place: Path) -> None:
    said = run("convert", "hf", "half", "--to", "hugging-face", "--dtype", "bfloat16", cwd=place).stderr
    assert "convert: half is a Hugging Face folder with weights in bfloat16" in said
    said = run("convert", "runs/tiny/checkpoints/t5", "best", "--to", "mathderive", cwd=place).stderr
    assert "convert: best is a model folder of mathderive" in said
    result = run("convert", "hf", "other", "--dtype", "bfloat16", cwd=place, code=2)
    assert "convert: --dtype is for Hugging Face folders to be made; other would be one of ours" in result.stderr
    assert not (place / "other").exists()


def test_a_taken_destination_is_refused(place: Path) -> None:
    result = run("convert", "runs/tiny/checkpoints/t5", "hf", cwd=place, code=2)
    assert complaint(result.stderr) == "mathderive: hf: exists already; expected a new or empty folder"


def test_a_killed_conversion_leaves_nothing_under_the_name(place: Path) -> None:
    process = start("convert", "hf", "killed", cwd=place)
    while process.poll() is None and not list(place.glob(".killed.*/*")):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    assert not (place / "killed").exists()
    run("convert", "hf", "killed", cwd=place)
    assert (place / "killed" / "orbax" / "0").is_dir()
