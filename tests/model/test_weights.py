"""Weights in Hugging Face's files and ours: conversion both ways, compared with PyTorch, and messages for bad files."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.parameters import parameter_shapes
from mathderive.model.weights import (
    check_folder,
    config_to_hugging_face,
    fetch,
    from_hugging_face,
    name_table,
    read_compute_dtype,
    read_folder,
    to_hugging_face,
    write_folder,
)
from tests.support.torch_t5 import Arrays, random_batch, random_params, torch_logits, torch_model


@pytest.fixture
def folder(tmp_path: Path, config: T5Config) -> Path:
    write_folder(tmp_path / "hf", random_params(config, 3), config)
    return tmp_path / "hf"


def assert_equal(found: Arrays, expected: Arrays) -> None:
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_the_table_names_every_parameter_once(config: T5Config) -> None:
    ours = [name for name, _ in name_table(config).values()]
    assert sorted(ours) == sorted(parameter_shapes(config))


def test_there_and_back(config: T5Config) -> None:
    params = random_params(config, 4)
    assert_equal(from_hugging_face(to_hugging_face(params, config), config, "here"), params)


def test_a_written_folder_reads_back(folder: Path, config: T5Config) -> None:
    params, found = read_folder(folder)
    assert found == config
    assert_equal(params, random_params(config, 3))


def test_bfloat16_takes_half_the_bytes_and_reads_back_rounded(tmp_path: Path, folder: Path, config: T5Config) -> None:
    write_folder(tmp_path / "half", random_params(config, 3), config, dtype="bfloat16", compute_dtype="bfloat16")
    sizes = [(place / "model.safetensors").stat().st_size for place in (folder, tmp_path / "half")]
    assert sizes[1] < 0.6 * sizes[0]
    params, found = read_folder(tmp_path / "half")
    assert found == config
    for name, array in random_params(config, 3).items():
        np.testing.assert_allclose(params[name], array, rtol=2**-8, err_msg=name)
    assert read_compute_dtype(tmp_path / "half") == "bfloat16"
    assert read_compute_dtype(folder) == "float32"


def test_transformers_loads_what_we_write(folder: Path, config: T5Config) -> None:
    pytest.importorskip("torch")
    import transformers

    loaded = transformers.T5ForConditionalGeneration.from_pretrained(folder).eval()
    batch = random_batch(config, 3)
    np.testing.assert_array_equal(torch_logits(loaded, batch), torch_logits(torch_model(config, 3), batch))
    write_folder(folder, random_params(config, 3), config, dtype="bfloat16")
    rounded = transformers.T5ForConditionalGeneration.from_pretrained(folder)
    assert str(rounded.dtype) == "torch.bfloat16"


def test_we_load_what_transformers_writes(tmp_path: Path, config: T5Config) -> None:
    pytest.importorskip("torch")
    torch_model(config, 5).save_pretrained(tmp_path / "whole")
    torch_model(config, 5).save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    for name in ("whole", "shards"):
        params, found = read_folder(tmp_path / name)
        assert found == config
        assert_equal(params, random_params(config, 5))


def test_we_load_pytorchs_own_files(tmp_path: Path, config: T5Config) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "config.json").write_text(json.dumps(config_to_hugging_face(config)))
    torch.save(torch_model(config, 6).state_dict(), tmp_path / "pytorch_model.bin")
    params, _ = read_folder(tmp_path)
    assert_equal(params, random_params(config, 6))


def test_a_wrong_tensor_is_named(folder: Path, config: T5Config) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    wrong: dict[str, dict[str, np.ndarray | None]] = {
        "encoder.block.1.layer.0.SelfAttention.q.weight is missing": {
            "encoder.block.1.layer.0.SelfAttention.q.weight": None
        },
        "shared.weight has shape": {"shared.weight": np.zeros((3, 4), np.float32)},
        "decoder.extra belongs to no T5": {"decoder.extra": np.zeros(1, np.float32)},
        "encoder.embed_tokens.weight should be a copy": {"encoder.embed_tokens.weight": tensors["shared.weight"] + 1},
    }
    for message, change in wrong.items():
        changed = {name: tensor for name, tensor in {**tensors, **change}.items() if tensor is not None}
        save_file(changed, path)
        with pytest.raises(InputError, match=message):
            read_folder(folder)
        if "copy" not in message:
            with pytest.raises(InputError, match=message):
                check_folder(folder)
    save_file(tensors | {"shared.weight": tensors["shared.weight"].astype(np.int32)}, path)
    with pytest.raises(InputError, match=r"shared\.weight holds int32; expected floating-point numbers"):
        read_folder(folder)
    save_file(tensors, path)
    check_folder(folder)


def test_what_checkpoints_carry_beside_the_parameters_is_no_error(config: T5Config) -> None:
    tensors = to_hugging_face(random_params(config, 3), config)
    unused = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    more = {"decoder.embed_tokens.weight": tensors["shared.weight"], unused: np.zeros((32, 3))}
    assert_equal(from_hugging_face({**tensors, **more}, config, "here"), random_params(config, 3))


def test_a_folder_that_is_no_t5_is_one_line(folder: Path) -> None:
    description = json.loads((folder / "config.json").read_text())
    for change, message in (
        ({"model_type": "bert"}, 'config.json: model_type: expected "t5"'),
        ({"feed_forward_proj": "gated-silu"}, "config.json: feed_forward"),
        ({"d_model": None}, "config.json: d_model"),
        ({"num_layers": 10**9}, "config.json: num_layers"),
    ):
        (folder / "config.json").write_text(json.dumps({**description, **change}))
        for read in (read_folder, check_folder):
            with pytest.raises(InputError, match=message):
                read(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match="no such file"):
        read_folder(folder)


def test_truncated_weights_are_one_line(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    for read in (read_folder, check_folder):
        with pytest.raises(InputError, match="not a whole safetensors file"):
            read(folder)
    path.unlink()
    for read in (read_folder, check_folder):
        with pytest.raises(InputError, match=r"no model\.safetensors"):
            read(folder)


def test_an_unreachable_hub_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(InputError, match=r"^nobody/nothing: no such folder, and the .* \(no route\)$"):
        fetch("nobody/nothing")
    assert fetch(str(tmp_path)) == tmp_path


def test_the_hub_is_asked_for_the_least_that_is_needed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = []

    def download(identifier: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    fetch("some/model")
    assert asked[0] == ["config.json"]
    assert not any("bin" in pattern for patterns in asked for pattern in patterns)
    (folder / "model.safetensors").unlink()
    fetch("some/model")
    assert any("bin" in pattern for pattern in asked[-1])
    asked.clear()
    (folder / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InputError, match='expected "t5"'):
        fetch("another/model")
    assert asked == [["config.json"]], "another model's weights are not downloaded"
