"""Reading BERT checkpoints in Hugging Face's format that give a number for a pair of texts."""

from dataclasses import MISSING, fields
from pathlib import Path

import numpy as np

from mathderive.core.errors import InputError
from mathderive.model import hugging_face
from mathderive.model.bert import BertRegressor
from mathderive.model.config import BertConfig
from mathderive.model.hugging_face import (
    check_memory,
    check_shapes,
    read_configuration,
    read_shapes,
    read_tensors,
    to_parameters,
)
from mathderive.model.parameters import network_shapes

ARCHITECTURE = "BertForSequenceClassification"

# Their module and our module. The weight of a norm is our scale, and that of a linear layer is our kernel, transposed.
# N stands for each layer.
_EMBEDDINGS = (
    ("bert.embeddings.word_embeddings", "embeddings/word"),
    ("bert.embeddings.position_embeddings", "embeddings/position"),
    ("bert.embeddings.token_type_embeddings", "embeddings/segment"),
)
_NORMS = (
    ("bert.embeddings.LayerNorm", "embeddings/norm"),
    ("bert.encoder.layer.N.attention.output.LayerNorm", "blocks/N/attention_norm"),
    ("bert.encoder.layer.N.output.LayerNorm", "blocks/N/feed_forward_norm"),
)
_LINEAR = (
    ("bert.encoder.layer.N.attention.self.query", "blocks/N/attention/query"),
    ("bert.encoder.layer.N.attention.self.key", "blocks/N/attention/key"),
    ("bert.encoder.layer.N.attention.self.value", "blocks/N/attention/value"),
    ("bert.encoder.layer.N.attention.output.dense", "blocks/N/attention/out"),
    ("bert.encoder.layer.N.intermediate.dense", "blocks/N/wi"),
    ("bert.encoder.layer.N.output.dense", "blocks/N/wo"),
    ("bert.pooler.dense", "pooler"),
    ("classifier", "regressor"),
)
_TENSORS = (
    *((f"{theirs}.weight", ours, False) for theirs, ours in _EMBEDDINGS),
    *((f"{theirs}.weight", f"{ours}/scale", False) for theirs, ours in _NORMS),
    *((f"{theirs}.weight", f"{ours}/kernel", True) for theirs, ours in _LINEAR),
    *((f"{theirs}.bias", f"{ours}/bias", False) for theirs, ours in (*_NORMS, *_LINEAR)),
)

_UNUSED = ("bert.embeddings.position_ids",)
"""A tensor with the numbers 0, 1, 2, …, which transformers wrote until 2023."""


def name_table(config: BertConfig) -> dict[str, tuple[str, bool]]:
    """Maps Hugging Face's name of each tensor to our name and whether the matrix is transposed."""
    table = {}
    for theirs, ours, transposed in _TENSORS:
        for layer in range(config.num_hidden_layers if ".N." in theirs else 1):
            table[theirs.replace(".N.", f".{layer}.")] = (ours.replace("/N/", f"/{layer}/"), transposed)
    return table


def fetch(identifier: str) -> Path:
    """The local folder of such a BERT; see `hugging_face.fetch`.

    Raises:
        InputError: as there, or the id belongs to another model.
    """
    return hugging_face.fetch(identifier, read_config)


def check_folder(folder: Path) -> BertConfig:
    """Checks that `read_folder` can read the folder, without reading the tensors, and returns the network's shape.

    Raises:
        InputError: as `read_folder`, except for damage in the bytes of a tensor.
    """
    config = read_config(folder)
    stored, table = read_shapes(folder), name_table(config)
    shapes = network_shapes(BertRegressor, config)
    check_memory(shapes, str(folder))
    check_shapes(stored, table, shapes, str(folder))
    if unknown := sorted(stored.keys() - table.keys() - set(_UNUSED)):
        raise InputError(f"{folder}: tensor {unknown[0]:.80} belongs to no {ARCHITECTURE} of the shape in config.json")
    return config


def read_folder(folder: Path) -> dict[str, np.ndarray]:
    """Reads the parameters, float32.

    Raises:
        InputError: a file is missing or damaged, or the folder has another model.
    """
    return to_parameters(read_tensors(folder), name_table(check_folder(folder)), str(folder))


def read_config(folder: Path) -> BertConfig:
    """Reads the network's shape.

    Raises:
        InputError: the architecture is another one, or a value is missing or impossible; names file and key.
    """
    path = folder / "config.json"
    tree = read_configuration(folder, f"that of a {ARCHITECTURE}")
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected a mapping, that of a {ARCHITECTURE}")
    if (model_type := tree.get("model_type")) != "bert":
        raise InputError(f'{path}: model_type: expected "bert", found {model_type!r:.80}; {_SUPPORTED}')
    for key, expected in _FIXED.items():
        if tree.get(key, expected) != expected:
            raise InputError(f"{path}: {key}: expected {expected!r}, found {tree[key]!r:.80}; {_SUPPORTED}")
    labels = tree.get("id2label")
    # transformers omits the labels if there are two.
    if (count := len(labels) if isinstance(labels, dict) else 2) != 1:
        raise InputError(f"{path}: id2label: expected one label, found {count}; {_SUPPORTED}")
    try:
        for field in fields(BertConfig):
            if field.default is MISSING and field.name not in tree:
                raise ValueError(f"{field.name}: missing")
        return BertConfig(**{field.name: tree[field.name] for field in fields(BertConfig) if field.name in tree})
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


_FIXED = {
    "architectures": [ARCHITECTURE],
    "hidden_act": "gelu",
    "position_embedding_type": "absolute",
    "is_decoder": False,
}
_SUPPORTED = f"supported is a {ARCHITECTURE} with one label, such as Elron/bleurt-large-512"
