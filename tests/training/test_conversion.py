"""Folders of both formats: each converts to the other without loss, and works where it is meant to."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mathderive.config.schema import ModelSettings
from mathderive.core import devices
from mathderive.core.errors import InputError
from mathderive.model.decoding import decode
from mathderive.model.parameters import bind
from mathderive.model.weights import write_folder
from mathderive.training.conversion import OpenedCheckpoint, convert, load_model, open_checkpoint
from mathderive.training.description import is_model_folder
from mathderive.training.start import prepare
from tests.support import tiny_training
from tests.support.tiny_training import Finished
from tests.support.torch_t5 import CONFIGS, random_batch, random_params, torch_logits, torch_model

PROMPTS = [prompt for prompt, _ in tiny_training.PAIRS[::13]]
TOKENS = ["\\", "{", "}", "_", "^"]
"""Tokens that the paper adds to T5's vocabulary."""


def assert_same_model(found: OpenedCheckpoint, expected: OpenedCheckpoint) -> None:
    assert found.config == expected.config
    assert found.dtype == expected.dtype
    assert found.params().keys() == expected.params().keys()
    for name, array in expected.params().items():
        np.testing.assert_array_equal(found.params()[name], array, err_msg=name)
    for prompt in PROMPTS:
        ids = expected.tokenizer.encode(prompt)
        assert found.tokenizer.encode(prompt) == ids
        assert found.tokenizer.decode(ids) == expected.tokenizer.decode(ids)


@pytest.fixture
def ours(finished: Finished) -> str:
    """A folder of a training run, with a tokenizer that was trained for it."""
    return str(finished[0])


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Hugging Face folder like a released T5's: sentinel tokens, spare rows in the embedding."""
    folder = tmp_path_factory.mktemp("released") / "t5"
    config = replace(CONFIGS["t5-1.1"], vocab_size=80)
    write_folder(folder, random_params(config, 0), config)
    released_tokenizer().save_pretrained(folder)
    return str(folder)


def released_tokenizer() -> Any:
    from transformers import T5Tokenizer

    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces = [(piece, -3.0) for piece in "\u2581abcdeghinoprtvxyz=+-,G0123456789q"]
    return T5Tokenizer(vocab=special + pieces, extra_ids=20)


def test_our_folder_goes_there_and_back(ours: str, tmp_path: Path) -> None:
    convert(ours, tmp_path / "hf")
    assert not is_model_folder(tmp_path / "hf")
    assert_same_model(open_checkpoint(str(tmp_path / "hf")), open_checkpoint(ours))
    convert(str(tmp_path / "hf"), tmp_path / "back")
    assert is_model_folder(tmp_path / "back")
    assert_same_model(open_checkpoint(str(tmp_path / "back")), open_checkpoint(ours))


def test_a_folder_may_keep_its_format(ours: str, released: str, tmp_path: Path) -> None:
    convert(ours, tmp_path / "ours", to="mathderive")
    assert is_model_folder(tmp_path / "ours")
    assert_same_model(open_checkpoint(str(tmp_path / "ours")), open_checkpoint(ours))
    convert(released, tmp_path / "hf", to="hugging-face")
    assert not is_model_folder(tmp_path / "hf")
    assert_same_model(open_checkpoint(str(tmp_path / "hf")), open_checkpoint(released))


def test_a_released_folder_goes_there_and_back(released: str, tmp_path: Path) -> None:
    convert(released, tmp_path / "ours")
    assert_same_model(open_checkpoint(str(tmp_path / "ours")), open_checkpoint(released))
    convert(str(tmp_path / "ours"), tmp_path / "back")
    assert_same_model(open_checkpoint(str(tmp_path / "back")), open_checkpoint(released))


def test_the_dtype_of_matrix_products_is_kept(ours: str, tmp_path: Path) -> None:
    half = shutil.copytree(ours, tmp_path / "half")
    description = json.loads((half / "config.json").read_text())
    (half / "config.json").write_text(json.dumps({**description, "dtype": "bfloat16"}))
    (half / "SHA256SUMS").unlink()
    convert(str(half), tmp_path / "hf")
    convert(str(tmp_path / "hf"), tmp_path / "back")
    assert load_model(tmp_path / "back").dtype == "bfloat16"


@pytest.mark.slow
def test_transformers_generates_our_tokens(ours: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    convert(ours, tmp_path / "hf")
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "hf").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "hf")
    with torch.no_grad():
        generated = model.generate(**tokenizer(PROMPTS, return_tensors="pt", padding=True), max_new_tokens=24)
    expected = tokenizer.batch_decode(generated, skip_special_tokens=True)
    opened = open_checkpoint(ours)
    sources = [opened.tokenizer.encode(prompt) for prompt in PROMPTS]
    outputs = decode(opened.config, devices.replicate(dict(opened.params())), sources, 24)
    assert [opened.tokenizer.decode(output) for output in outputs] == expected
    assert any(expected), "the model should write something"


def saved_by_transformers(folder: Path, form: str) -> Any:
    """A model and tokenizer that grew by the paper's five tokens, as `transformers` and PyTorch save them."""
    import torch

    tokenizer = released_tokenizer()
    tokenizer.add_tokens(TOKENS)
    model = torch_model(CONFIGS["t5"], 7)
    torch.manual_seed(7)
    model.resize_token_embeddings(len(tokenizer))
    tokenizer.save_pretrained(folder)
    if form == "pytorch_model.bin":
        model.config.save_pretrained(folder)
        torch.save(model.state_dict(), folder / form)
    else:
        model.save_pretrained(folder, max_shard_size="20KB" if form == "shards" else "1GB")
    return model


@pytest.mark.slow
@pytest.mark.parametrize("form", ["safetensors", "shards", "pytorch_model.bin"])
def test_what_transformers_saved_becomes_ours(tmp_path: Path, form: str) -> None:
    pytest.importorskip("torch")
    model = saved_by_transformers(tmp_path / "hf", form)
    convert(str(tmp_path / "hf"), tmp_path / "ours")
    loaded = load_model(tmp_path / "ours")
    assert loaded.config.vocab_size == len(released_tokenizer()) + len(TOKENS)
    ids = loaded.tokenizer.encode("\\a{b}_c^2")
    assert set(range(loaded.config.vocab_size - 5, loaded.config.vocab_size)) <= set(ids)
    batch = random_batch(loaded.config, 7)
    network: Any = bind(loaded.config, loaded.params)
    logits = network(batch["input_ids"], batch["encoder_mask"], batch["decoder_input_ids"])
    np.testing.assert_allclose(logits, torch_logits(model, batch), atol=1e-4)


def test_a_folder_of_before_there_were_fast_tokenizers(tmp_path: Path, released: str) -> None:
    """The paper's folders have `spiece.model` and `added_tokens.json`, with ids after those of a hundred sentinels."""
    import sentencepiece

    folder = tmp_path / "old"
    folder.mkdir()
    options: Any = {"vocab_size": 40, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "hard_vocab_limit": False}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["given x = p + 3 then derive y = 2 q"] * 3),
        model_prefix=str(folder / "spiece"),
        minloglevel=2,
        **options,
    )
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model")).GetPieceSize()
    added = {token: pieces + 100 + number for number, token in enumerate(TOKENS)}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "T5Tokenizer", "extra_ids": 100}))
    config = replace(CONFIGS["t5-1.1"], vocab_size=pieces + 105)
    write_folder(folder, random_params(config, 0), config)
    opened = open_checkpoint(str(folder))
    assert opened.tokenizer.vocab_size == pieces + 105
    ids = opened.tokenizer.encode("x = \\{y_2^p}")
    assert [token for token in ids if token >= pieces] == [added[token] for token in ("\\", "{", "_", "^", "}")]
    convert(str(folder), tmp_path / "ours")
    assert_same_model(open_checkpoint(str(tmp_path / "ours")), opened)
    convert(str(tmp_path / "ours"), tmp_path / "back")
    assert_same_model(open_checkpoint(str(tmp_path / "back")), opened)


def test_training_starts_from_a_folder_of_ours(ours: str, tmp_path: Path) -> None:
    start = prepare(ModelSettings(init_from=ours), [], tmp_path, {}, seed=0)
    source = open_checkpoint(ours)
    assert start.config == source.config
    params = start.params()
    for name, array in source.params().items():
        np.testing.assert_array_equal(params[name], array, err_msg=name)


def test_a_destination_that_is_not_empty_is_refused_and_left_alone(ours: str, tmp_path: Path) -> None:
    (tmp_path / "dst").mkdir()
    convert(ours, tmp_path / "dst")  # empty: taken
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").iterdir()}
    for taken in (tmp_path / "dst", tmp_path / "dst" / "config.json"):
        with pytest.raises(InputError, match="exists already; expected a new or empty folder"):
            convert(ours, taken)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "dst").iterdir()} == before
    with pytest.raises(InputError, match=r"config\.json: expected a folder, to make dst in"):
        convert(ours, tmp_path / "dst" / "config.json" / "dst")
    assert [path.name for path in tmp_path.iterdir()] == ["dst"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda hf: (hf / "config.json").write_text('{"model_type": "bert"}'), 'model_type: expected "t5"'),
        (lambda hf: (hf / "config.json").unlink(), r"config\.json: no such file"),
        (lambda hf: (hf / "tokenizer.json").unlink(), "no tokenizer here"),
        (lambda hf: (hf / "tokenizer.json").write_text("{"), "the tokenizer cannot be read"),
        (lambda hf: (hf / "model.safetensors").unlink(), r"no model\.safetensors here"),
        (lambda hf: (hf / "model.safetensors").write_bytes(b"\x80\x02}."), "not a whole safetensors file"),
        (lambda hf: (hf / "model.safetensors").rename(hf / "pytorch_model.bin"), "not a whole PyTorch file"),
    ],
)
def test_what_cannot_be_used_is_refused_when_opened(
    released: str, tmp_path: Path, break_it: Callable[[Path], object], message: str
) -> None:
    folder = shutil.copytree(released, tmp_path / "broken")
    break_it(folder)
    for use in (open_checkpoint, lambda place: convert(place, tmp_path / "dst")):
        with pytest.raises(InputError, match=message) as caught:
            use(str(folder))
        assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"], "no incomplete folder remains"


def test_a_tokenizer_larger_than_the_embedding_is_refused(tmp_path: Path) -> None:
    tokenizer = released_tokenizer()
    tokenizer.add_tokens(TOKENS)
    tokenizer.save_pretrained(tmp_path)
    write_folder(tmp_path, random_params(CONFIGS["t5"], 0), CONFIGS["t5"])
    assert len(tokenizer) > CONFIGS["t5"].vocab_size
    with pytest.raises(InputError, match=r"the tokenizer has 62 tokens and the embedding 60 rows"):
        open_checkpoint(str(tmp_path))


def test_a_dtype_for_a_folder_of_ours_is_refused(released: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--dtype is for Hugging Face folders"):
        convert(released, tmp_path / "dst", "bfloat16")
