"""Folders as other programs write them are read; hostile ones are refused in one line, before their bytes are read."""

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mathderive.core.errors import InputError
from mathderive.model import hugging_face
from mathderive.model.config import T5Config
from mathderive.model.tokenizer import HuggingFaceTokenizer, load_tokenizer
from mathderive.model.tokenizer_files import MAX_TOKENIZER_BYTES, slow_pattern
from mathderive.model.weights import (
    check_folder,
    read_compute_dtype,
    read_config,
    read_folder,
    write_folder,
)
from tests.support.torch_t5 import CONFIGS, Arrays, random_params

SHARED, HEAD = "shared.weight", "lm_head.weight"
ENCODER, DECODER = "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"


@pytest.fixture
def folder(tmp_path: Path, config: T5Config) -> Path:
    write_folder(tmp_path / "hf", random_params(config, 3), config)
    return tmp_path / "hf"


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    write_folder(tmp_path / "tied", random_params(CONFIGS["t5"], 3), CONFIGS["t5"])
    return tmp_path / "tied"


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder: Path, change: Callable[[Arrays], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def split(folder: Path) -> Path:
    """Divides the weights into two shards, and returns the index."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    places = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(sorted(tensors))}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in tensors if places[name] == shard}, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def refusal(use: Callable[[], object]) -> str:
    """The line with which a use ends, in less than ten seconds."""
    started = time.monotonic()
    with pytest.raises(InputError) as caught:
        use()
    assert time.monotonic() - started < 10
    assert "\n" not in str(caught.value)
    assert len(str(caught.value).encode()) < 1000
    return str(caught.value)


@pytest.mark.parametrize("names", [(ENCODER,), (DECODER,), (HEAD,), (DECODER, HEAD), (ENCODER, DECODER, HEAD)])
def test_a_tied_embedding_has_any_of_its_names(tied: Path, names: tuple[str, ...]) -> None:
    def rename(tensors: Arrays) -> None:
        embedding = tensors.pop(SHARED)
        tensors.update({name: embedding.copy() for name in names})

    change_weights(tied, rename)
    params, _ = read_folder(tied)
    for name, array in random_params(CONFIGS["t5"], 3).items():
        np.testing.assert_array_equal(params[name], array, err_msg=name)


def test_the_head_of_an_untied_model_is_no_embedding(tmp_path: Path) -> None:
    config = CONFIGS["t5-1.1"]
    write_folder(tmp_path, random_params(config, 3), config)
    embedding = load_file(tmp_path / "model.safetensors")[SHARED]
    change_weights(tmp_path, lambda tensors: tensors.pop(SHARED))
    assert "shared.weight is missing" in refusal(lambda: check_folder(tmp_path))
    change_weights(tmp_path, lambda tensors: tensors.update({DECODER: embedding}))
    np.testing.assert_array_equal(read_folder(tmp_path)[0]["embedding"], random_params(config, 3)["embedding"])
    change_weights(tmp_path, lambda tensors: tensors.pop(HEAD))
    for use in (check_folder, read_folder):
        said = refusal(lambda use=use: use(tmp_path))  # type: ignore[misc]
        assert "lm_head.weight is missing; config.json has tie_word_embeddings false" in said


def test_copies_that_differ_and_copies_of_another_shape_are_refused(tied: Path) -> None:
    change_weights(tied, lambda tensors: tensors.update({ENCODER: tensors[SHARED], DECODER: tensors.pop(SHARED) + 1}))
    assert "decoder.embed_tokens.weight should be a copy" in refusal(lambda: read_folder(tied))
    change_weights(tied, lambda tensors: tensors.update({DECODER: np.zeros((3, 4), np.float32)}))
    assert "decoder.embed_tokens.weight has shape (3, 4)" in refusal(lambda: check_folder(tied))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_weights_of_every_floating_point_type_are_read(folder: Path, config: T5Config, dtype: Any) -> None:
    rounded = {name: array.astype(dtype) for name, array in load_file(folder / "model.safetensors").items()}
    save_file(rounded, folder / "model.safetensors")
    params, _ = read_folder(folder)
    for name, array in random_params(config, 3).items():
        np.testing.assert_array_equal(params[name], array.astype(dtype).astype(np.float32), err_msg=name)


def test_weights_of_eight_bits_are_one_line(tied: Path) -> None:
    change_weights(tied, lambda tensors: tensors.update({SHARED: tensors[SHARED].astype(ml_dtypes.float8_e4m3fn)}))
    assert "model.safetensors: not a whole safetensors file" in refusal(lambda: read_folder(tied))


def test_a_list_with_one_end_is_that_end_and_a_longer_one_is_refused(folder: Path) -> None:
    change_config(folder, eos_token_id=[5])
    assert read_config(folder).eos_token_id == 5
    for ends in ([], [1, 5], [[1]], list(range(10**4))):
        change_config(folder, eos_token_id=ends)
        assert "config.json: eos_token_id: expected" in refusal(lambda: check_folder(folder))


@pytest.mark.parametrize("layers", [(1, 3), (3, 1)])
def test_encoder_and_decoder_may_differ_in_depth(tmp_path: Path, layers: tuple[int, int]) -> None:
    config = replace(CONFIGS["t5"], num_layers=layers[0], num_decoder_layers=layers[1])
    write_folder(tmp_path, random_params(config, 3), config)
    assert read_folder(tmp_path)[1] == config


def test_shards_are_read_and_a_missing_one_is_named(folder: Path, config: T5Config) -> None:
    split(folder)
    for name, array in random_params(config, 3).items():
        np.testing.assert_array_equal(read_folder(folder)[0][name], array, err_msg=name)
    (folder / "model-00002-of-00002.safetensors").unlink()
    for use in (check_folder, read_folder):
        with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors: no such file; the index names it"):
            use(folder)


@pytest.mark.parametrize(
    ("shard", "message"),
    [
        ("../outside.safetensors", "expected the name of a .safetensors file beside it"),
        ("/etc/passwd", "expected the name of a .safetensors file beside it"),
        ("..", "expected the name of a .safetensors file beside it"),
        ("", "expected the name of a .safetensors file beside it"),
        ("config.json", "expected the name of a .safetensors file beside it"),
        ("x" * 10**5 + ".safetensors", "expected the name of a .safetensors file beside it"),
        ("a\0b.safetensors", "expected the name of a .safetensors file beside it"),
        ("\ud800.safetensors", "not valid JSON"),
        (7, "expected the shard of every tensor"),
    ],
)
def test_an_index_that_names_no_file_beside_it_is_refused(tied: Path, shard: Any, message: str) -> None:
    shutil.copy(tied / "model.safetensors", tied.parent / "outside.safetensors")
    index = split(tied)
    tree = json.loads(index.read_text())
    tree["weight_map"][SHARED] = shard
    index.write_text(json.dumps(tree))
    said = refusal(lambda: check_folder(tied))
    assert message in said


def test_an_index_of_a_million_entries_is_refused_at_once(tied: Path) -> None:
    index = split(tied)
    index.write_text(json.dumps({"weight_map": {f"t{n}": f"{n}.safetensors" for n in range(10**6)}}))
    assert "index.json: it has" in refusal(lambda: check_folder(tied))
    index.write_text(json.dumps({"weight_map": {f"t{n}": f"{n}.safetensors" for n in range(10**4)}}))
    assert "it names 10000 shards; expected at most" in refusal(lambda: check_folder(tied))


def test_a_tensor_in_two_shards_is_refused(tied: Path) -> None:
    index = split(tied)
    shutil.copy(tied / "model-00001-of-00002.safetensors", tied / "more.safetensors")
    tree = json.loads(index.read_text())
    tree["weight_map"]["extra"] = "more.safetensors"
    index.write_text(json.dumps(tree))
    assert "is in another shard as well" in refusal(lambda: check_folder(tied))


def replace_by_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def replace_by_endless(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def replace_by_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (replace_by_pipe, "expected a regular file with .*, found a named pipe"),
        (replace_by_endless, "expected a regular file with .*, found a device"),
        (replace_by_folder, "expected a regular file with .*, found a folder"),
    ],
)
@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "pytorch_model.bin", "shard", "index"])
def test_only_regular_files_are_read(tied: Path, name: str, spoil: Callable[[Path], None], message: str) -> None:
    path = tied / name
    if name == "pytorch_model.bin":
        (tied / "model.safetensors").unlink()
    elif name in ("shard", "index"):
        index = split(tied)
        path = index if name == "index" else tied / "model-00001-of-00002.safetensors"
    spoil(path)
    for use in (check_folder, read_folder):
        with pytest.raises(InputError, match=message):
            use(tied)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_link_out_of_the_folder_is_refused_and_the_hubs_links_are_followed(tied: Path, name: str) -> None:
    hub = tied.parent / "hub" / "models--some--t5"
    (hub / "blobs").mkdir(parents=True)
    snapshot = Path(shutil.copytree(tied, hub / "snapshots" / "abc"))
    shutil.move(snapshot / name, hub / "blobs" / "123")
    (snapshot / name).symlink_to("../../blobs/123")
    check_folder(snapshot)
    shutil.move(tied / name, tied.parent / "elsewhere")
    (tied / name).symlink_to(tied.parent / "elsewhere")
    with pytest.raises(InputError, match="a link out of its folder"):
        check_folder(tied)


def test_a_header_of_gigabytes_is_refused_before_it_is_read(tied: Path) -> None:
    path = tied / "model.safetensors"
    for size in (2**31, 2**63, 99 * 2**20):
        with path.open("wb") as stream:
            stream.write(size.to_bytes(8, "little") + b"{")
            stream.truncate(2**34)  # without blocks on the disk
        for use in (check_folder, read_folder):
            with pytest.raises(InputError, match="a header of"):
                use(tied)


def test_sizes_beyond_memory_are_refused_before_allocation(
    tied: Path, config: T5Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_config(tied, d_model=2**17, d_ff=2**20, vocab_size=2**24)
    assert "expected at most" in refusal(lambda: check_folder(tied))
    write_folder(tied, random_params(config, 3), config)
    monkeypatch.setattr(hugging_face, "memory_bytes", lambda: 10_000)
    assert "its weights have" in refusal(lambda: read_folder(tied))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(tied: Path, value: float) -> None:
    def spoil(tensors: Arrays) -> None:
        tensors["decoder.final_layer_norm.weight"][1] = value

    change_weights(tied, spoil)
    with pytest.raises(InputError, match=r"decoder\.final_layer_norm\.weight holds NaN or infinity"):
        read_folder(tied)


def test_a_number_beyond_float32_is_not_finite(tied: Path) -> None:
    change_weights(tied, lambda tensors: tensors.update({SHARED: np.full((60, 24), 1e300)}))
    with pytest.raises(InputError, match=r"shared\.weight holds NaN or infinity"):
        read_folder(tied)


@pytest.mark.parametrize("key", ["eos_token_id", "pad_token_id", "decoder_start_token_id"])
def test_a_special_token_beyond_the_vocabulary_is_refused(folder: Path, key: str) -> None:
    change_config(folder, **{key: 60})
    with pytest.raises(InputError, match=rf"config\.json: {key}: expected an integer from 0 to 59, found 60"):
        check_folder(folder)


@pytest.mark.parametrize("dtype", [[], {}, None, 3, "float16", ["float32"]])
def test_an_unknown_type_of_matrix_products_is_refused(folder: Path, dtype: Any) -> None:
    change_config(folder, mathderive_dtype=dtype)
    with pytest.raises(InputError, match=r"config\.json: mathderive_dtype: expected float32 or bfloat16"):
        read_compute_dtype(folder)


@pytest.mark.parametrize(
    "content",
    [
        '{"model_type": "t5", "d_model": ' + "9" * 5000 + "}",
        '{"model_type": "t5", "d_model": ' + "9" * 4000 + "}",
        '{"model_type": "\\ud800"}',
        '{"model_type": ' + "[" * 10**5 + "]" * 10**5 + "}",
        '{"model_type": "t5", "d_model": "' + "x" * 10**5 + '"}',
        '{"model_type": "t5"}' + " " * 2**20,
        "[]",
        "null",
        "\0",
    ],
)
def test_a_hostile_config_is_one_line(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    assert "config.json" in refusal(lambda: check_folder(folder))


def tokenizer_description(**parts: Any) -> dict[str, Any]:
    vocab = [["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0], ["a", -1.0], ["b", -1.0]]
    return {"version": "1.0", "added_tokens": [], "model": {"type": "Unigram", "unk_id": 2, "vocab": vocab}, **parts}


def write_tokenizer(folder: Path, **parts: Any) -> None:
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_description(**parts)))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def splitting(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def test_a_tokenizer_with_a_fast_pattern_is_read(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, pre_tokenizer=splitting(" {2,}"))
    assert load_tokenizer(tmp_path).encode("ab") == [3, 4]


@pytest.mark.parametrize("part", ["pre_tokenizer", "normalizer", "decoder"])
def test_a_tokenizer_with_a_pattern_that_backtracks_is_refused(tmp_path: Path, part: str) -> None:
    replacing = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}
    slow = splitting("(a+)+$") if part == "pre_tokenizer" else replacing
    write_tokenizer(tmp_path, **{part: {"type": "Sequence", f"{part}s": [slow]}})
    assert r"tokenizer.json: the tokenizer cannot be read (Regex '(a+)+$'" in refusal(lambda: load_tokenizer(tmp_path))


@pytest.mark.parametrize(
    "pattern", ["(a|a)*b", "a*a*b", "(a|a){30}", "(a|b)" * 9, r"(a)\1", "a?" * 30, "a{1,9}{1,9}", "a" * 2000]
)
def test_slow_patterns_are_recognised(pattern: str) -> None:
    assert slow_pattern(pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        " {2,}",
        r"<(?=/s>|<unk>|0x[0-9A-F]{2}>)",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    ],
)
def test_patterns_of_published_tokenizers_are_accepted(pattern: str) -> None:
    assert slow_pattern(pattern) is None


@pytest.mark.parametrize("name", ["tokenizer.json", "sentencepiece.model", "spiece.model", "special_tokens_map.json"])
def test_tokenizer_files_are_regular_and_small(tmp_path: Path, name: str) -> None:
    write_tokenizer(tmp_path)
    for spoil in (replace_by_pipe, replace_by_endless):
        spoil(tmp_path / name)
        assert f"{name}: expected a regular file" in refusal(lambda: load_tokenizer(tmp_path))
    (tmp_path / name).unlink()
    with (tmp_path / name).open("wb") as stream:
        stream.truncate(MAX_TOKENIZER_BYTES + 1)
    assert f"{name}: it has {MAX_TOKENIZER_BYTES + 1} bytes" in refusal(lambda: load_tokenizer(tmp_path))


def test_the_size_of_a_vocabulary_with_gaps_counts_the_largest_id(tmp_path: Path) -> None:
    token = {"content": "<far>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    vocab = {"<unk>": 0, "a": 1, "b": 70}
    model = {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}
    write_tokenizer(tmp_path, model=model, added_tokens=[{**token, "id": 70, "content": "b", "special": True}])
    tokenizer = load_tokenizer(tmp_path)
    assert isinstance(tokenizer, HuggingFaceTokenizer)
    assert tokenizer.vocab_size == 72  # `</s>` gets the id after the largest one
