"""Our BERT compared with PyTorch's, by recorded numbers or by torch if it is installed; and messages for bad files."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mathderive.core.errors import InputError
from mathderive.model.bert import BertRegressor
from mathderive.model.bert_weights import check_folder, fetch, name_table, read_config, read_folder
from mathderive.model.config import BertConfig
from mathderive.model.hugging_face import to_parameters
from mathderive.model.parameters import network_shapes, with_parameters
from tests.support.torch_bert import (
    BASE,
    CONFIG,
    GOLDEN,
    random_batch,
    random_tensors,
    torch_model,
    torch_numbers,
    write_bleurt,
)
from tests.support.torch_t5 import Arrays


def numbers(config: BertConfig, params: Arrays, batch: Arrays) -> np.ndarray:
    @jax.jit
    def run(params: Arrays, input_ids: jax.Array, mask: jax.Array, segment_ids: jax.Array) -> jax.Array:
        return with_parameters(BertRegressor, config, params)(input_ids, mask, segment_ids)

    return np.asarray(run(params, batch["input_ids"], batch["mask"], batch["segment_ids"]))


def parameters(config: BertConfig, tensors: Arrays) -> Arrays:
    return to_parameters(tensors, name_table(config), "here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bleurt(tmp_path / "bleurt")


def test_the_numbers_are_the_recorded_ones() -> None:
    with np.load(Path(__file__).parent / "golden" / "bert.npz") as arrays:
        golden = dict(arrays)
    tensors = {name.removeprefix("weights/"): array for name, array in golden.items() if name.startswith("weights/")}
    np.testing.assert_allclose(numbers(GOLDEN, parameters(GOLDEN, tensors), golden), golden["numbers"], atol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 7, 64, 512])
def test_the_numbers_are_pytorchs(length: int) -> None:
    pytest.importorskip("torch")
    batch = random_batch(CONFIG, 5, length)
    batch["mask"][:, 0] = True
    expected = torch_numbers(torch_model(CONFIG, 5), batch)
    ours = numbers(CONFIG, parameters(CONFIG, random_tensors(CONFIG, 5)), batch)
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    assert np.ptp(expected) > 1e-3 or length == 1, "the pairs should give different numbers"


@pytest.mark.slow
@pytest.mark.long
def test_the_published_shape_computes_what_pytorch_does() -> None:
    pytest.importorskip("torch")
    batch = random_batch(BASE, 1, 512)
    expected = torch_numbers(torch_model(BASE, 1), batch)
    ours = numbers(BASE, parameters(BASE, random_tensors(BASE, 1)), batch)
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_we_load_what_transformers_writes(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = torch_model(CONFIG, 6)
    model.save_pretrained(tmp_path / "whole")
    model.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    (tmp_path / "torch").mkdir()
    shutil.copy(tmp_path / "whole" / "config.json", tmp_path / "torch")
    # Until 2023, transformers also wrote the numbers of the positions.
    state = {**model.state_dict(), "bert.embeddings.position_ids": torch.arange(512)[None]}
    torch.save(state, tmp_path / "torch" / "pytorch_model.bin")
    expected = parameters(CONFIG, random_tensors(CONFIG, 6))
    for name in ("whole", "shards", "torch"):
        assert check_folder(tmp_path / name) == CONFIG
        found = read_folder(tmp_path / name)
        assert found.keys() == expected.keys()
        for parameter, array in expected.items():
            np.testing.assert_array_equal(found[parameter], array, err_msg=parameter)


def test_the_table_names_every_parameter_once() -> None:
    ours = [name for name, _ in name_table(CONFIG).values()]
    assert sorted(ours) == sorted(network_shapes(BertRegressor, CONFIG))


def test_a_pair_is_alone_in_its_batch() -> None:
    params = parameters(CONFIG, random_tensors(CONFIG, 7))
    batch = random_batch(CONFIG, 7, 40)
    together = numbers(CONFIG, params, batch)
    for row, count in enumerate(batch["mask"].sum(axis=1)):
        alone = {name: array[row : row + 1, :count] for name, array in batch.items()}
        np.testing.assert_allclose(numbers(CONFIG, params, alone), together[row : row + 1], atol=1e-6)
    # Tokens have no influence where the mask is false.
    masked = {**batch, "input_ids": np.where(batch["mask"], batch["input_ids"], 3)}
    np.testing.assert_array_equal(numbers(CONFIG, params, masked), together)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bleurt"}, r'config\.json: model_type: expected "bert", found \'bleurt\'; supported is a Bert'),
        ({"model_type": None}, "model_type: expected"),
        ({"architectures": ["BertForMaskedLM"]}, "architectures: expected .* such as Elron/bleurt-large-512"),
        ({"hidden_act": "relu"}, "hidden_act: expected 'gelu', found 'relu'"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder: expected False"),
        ({"id2label": None}, "id2label: expected one label, found 2"),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "id2label: expected one label, found 3"),
        ({"hidden_size": 25}, "hidden_size: expected a multiple of num_attention_heads, 3, found 25"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers: expected an integer from 1 to 128"),
        ({"layer_norm_eps": "small"}, "layer_norm_eps: expected a number"),
        ({"type_vocab_size": 1}, "type_vocab_size: expected an integer from 2"),
        ({"num_hidden_layers": 4}, r"tensor bert\.encoder\.layer\.3\.\S+ is missing"),
        ({"num_hidden_layers": 2}, r"tensor bert\.encoder\.layer\.2\.\S+ belongs to no Bert"),
        ({"hidden_size": 12}, r"word_embeddings\.weight has shape \(\d+, 24\); config\.json asks for \(\d+, 12\)"),
    ],
)
def test_another_architecture_is_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_bleurt(tmp_path, **changes)
    for read in (check_folder, read_folder):
        with pytest.raises(InputError, match=message):
            read(tmp_path)


def test_a_missing_key_is_named(folder: Path) -> None:
    tree = json.loads((folder / "config.json").read_text())
    del tree["intermediate_size"]
    (folder / "config.json").write_text(json.dumps(tree))
    with pytest.raises(InputError, match="intermediate_size: missing"):
        read_config(folder)
    for text in ("[]", "{", ""):
        (folder / "config.json").write_text(text)
        with pytest.raises(InputError, match=r"config\.json: .*BertForSequenceClassification"):
            read_config(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config\.json: no such file"):
        read_config(folder)


def test_wrong_weights_are_one_line(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"classifier.bias": np.zeros(1, np.int32)}, path)
    with pytest.raises(InputError, match=r"classifier\.bias holds int32"):
        read_folder(folder)
    save_file({name: tensor for name, tensor in tensors.items() if name != "bert.pooler.dense.bias"}, path)
    with pytest.raises(InputError, match=r"bert\.pooler\.dense\.bias is missing"):
        check_folder(folder)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="not a whole safetensors file"):
        check_folder(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        check_folder(folder)


def test_the_hub_is_asked_for_the_least_that_is_needed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    asked = []

    def download(identifier: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert fetch("some/bleurt") == folder
    assert asked[0] == ["config.json"]
    assert "vocab.txt" in asked[1]
    asked.clear()
    (folder / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(InputError, match='expected "bert"'):
        fetch("another/model")
    assert asked == [["config.json"]], "another model's weights are not downloaded"
