"""Converting T5 checkpoints in Hugging Face's format to our parameters and back, by one table of names."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

from mathderive.core.errors import InputError
from mathderive.core.files import write_json
from mathderive.model import hugging_face
from mathderive.model.config import T5Config
from mathderive.model.hugging_face import (
    SAFETENSORS,
    Item,
    Shape,
    check_memory,
    check_shapes,
    read_configuration,
    read_shapes,
    read_tensors,
    to_parameters,
)
from mathderive.model.parameters import parameter_shapes

_EMBEDDING = "shared.weight"

# Their name, our name, and whether the matrix is transposed. STACK stands for encoder and decoder, N for each of its
# layers, and LAST for the number of the feed-forward in a block, which is 1 in the encoder and 2 in the decoder.
_EVERYWHERE = (
    (_EMBEDDING, "embedding", False),
    ("STACK.final_layer_norm.weight", "STACK/final_norm/scale", False),
    ("STACK.block.0.layer.0.SelfAttention.relative_attention_bias.weight", "STACK/relative_bias", False),
    ("STACK.block.N.layer.0.layer_norm.weight", "STACK/blocks/N/self_norm/scale", False),
    ("STACK.block.N.layer.0.SelfAttention.q.weight", "STACK/blocks/N/self_attention/query", True),
    ("STACK.block.N.layer.0.SelfAttention.k.weight", "STACK/blocks/N/self_attention/key", True),
    ("STACK.block.N.layer.0.SelfAttention.v.weight", "STACK/blocks/N/self_attention/value", True),
    ("STACK.block.N.layer.0.SelfAttention.o.weight", "STACK/blocks/N/self_attention/out", True),
    ("decoder.block.N.layer.1.layer_norm.weight", "decoder/blocks/N/cross_norm/scale", False),
    ("decoder.block.N.layer.1.EncDecAttention.q.weight", "decoder/blocks/N/cross_attention/query", True),
    ("decoder.block.N.layer.1.EncDecAttention.k.weight", "decoder/blocks/N/cross_attention/key", True),
    ("decoder.block.N.layer.1.EncDecAttention.v.weight", "decoder/blocks/N/cross_attention/value", True),
    ("decoder.block.N.layer.1.EncDecAttention.o.weight", "decoder/blocks/N/cross_attention/out", True),
    ("STACK.block.N.layer.LAST.layer_norm.weight", "STACK/blocks/N/feed_forward_norm/scale", False),
    ("STACK.block.N.layer.LAST.DenseReluDense.wo.weight", "STACK/blocks/N/feed_forward/wo", True),
)
_RELU = (("STACK.block.N.layer.LAST.DenseReluDense.wi.weight", "STACK/blocks/N/feed_forward/wi", True),)
_GATED = (
    ("STACK.block.N.layer.LAST.DenseReluDense.wi_0.weight", "STACK/blocks/N/feed_forward/gate", True),
    ("STACK.block.N.layer.LAST.DenseReluDense.wi_1.weight", "STACK/blocks/N/feed_forward/wi", True),
)
_UNTIED = (("lm_head.weight", "head", True),)

# Additional tensors of some checkpoints: copies of the embedding, and a bias that the published code allocated in the
# past and never read. Tensors with common memory are stored once, so the only copy may have any of these names.
_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
_UNUSED = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)

_STORED = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16)}

_EXPECTED = "a Hugging Face T5's configuration"

_COMPUTE_DTYPE = "mathderive_dtype"
"""Our key for the type of matrix products in Hugging Face's `config.json`; transformers keeps unknown keys."""


def name_table(config: T5Config) -> dict[str, tuple[str, bool]]:
    """Maps Hugging Face's name of each tensor to our name and whether the matrix is transposed."""
    rows = (
        _EVERYWHERE
        + (_GATED if config.feed_forward == "gated-gelu" else _RELU)
        + (() if config.tie_word_embeddings else _UNTIED)
    )
    table = {}
    for theirs, ours, transposed in rows:
        for stack, layers, last in (
            ("encoder", config.num_layers, 1),
            ("decoder", config.num_decoder_layers, 2),
        ):
            if theirs.startswith("decoder.") and stack == "encoder":
                continue
            for layer in range(layers):
                parts = {"STACK": stack, "N": str(layer), "LAST": str(last)}
                key = ".".join(parts.get(part, part) for part in theirs.split("."))
                value = "/".join(parts.get(part, part) for part in ours.split("/"))
                table[key] = (value, transposed)
    return table


def from_hugging_face(tensors: Mapping[str, np.ndarray], config: T5Config, place: str) -> dict[str, np.ndarray]:
    """Converts Hugging Face's tensors to our parameters, float32.

    Args:
        place: where the tensors come from, for error messages.

    Raises:
        InputError: names a tensor that is missing or unknown, has another shape, has no floating-point numbers, or
            differs from the tensor that it should be a copy of.
    """
    check_tensors({theirs: tensor.shape for theirs, tensor in tensors.items()}, config, place)
    named, table = _name_embedding(tensors, config), name_table(config)
    params = to_parameters(named, table, place)
    for theirs in sorted(set(named) - set(table) - set(_UNUSED)):
        if not np.array_equal(np.asarray(named[theirs], dtype=np.float32), params["embedding"]):
            raise InputError(f"{place}: tensor {theirs} should be a copy of {_EMBEDDING} and differs")
    return params


def check_tensors(stored: Mapping[str, Shape], config: T5Config, place: str) -> None:
    """Checks by names and shapes that these are the tensors of a T5 of this shape.

    Raises:
        InputError: names a tensor that is missing or unknown, or has another shape; or the network does not fit memory.
    """
    named, table, shapes = _name_embedding(stored, config), name_table(config), parameter_shapes(config)
    check_memory(shapes, place)
    if not config.tie_word_embeddings and "lm_head.weight" not in named:
        raise InputError(
            f"{place}: tensor lm_head.weight is missing; config.json has tie_word_embeddings false,"
            " which asks for a head of its own"
        )
    copies = {theirs: ("embedding", False) for theirs in _COPIES if theirs in named}
    check_shapes(named, copies | table, shapes, place)
    for theirs in sorted(set(named) - set(table) - set(_UNUSED)):
        if theirs not in _COPIES:
            raise InputError(f"{place}: tensor {theirs:.80} belongs to no T5 of the shape in config.json")


def _name_embedding(items: Mapping[str, Item], config: T5Config) -> Mapping[str, Item]:
    """The items, where the embedding has its own name if it was stored only under the name of a copy.

    An untied `lm_head.weight` is no copy of the embedding.
    """
    table = name_table(config)
    copies = [theirs for theirs in _COPIES if theirs in items and theirs not in table]
    if _EMBEDDING in items or not copies:
        return items
    return {**items, _EMBEDDING: items[copies[0]]}


def to_hugging_face(params: Mapping[str, Any], config: T5Config) -> dict[str, np.ndarray]:
    """Converts our parameters to Hugging Face's tensors, float32; the inverse of `from_hugging_face`."""
    tensors = {}
    for theirs, (ours, transposed) in name_table(config).items():
        array = np.asarray(params[ours], dtype=np.float32)
        tensors[theirs] = np.ascontiguousarray(array.T if transposed else array)
    return tensors


def read_folder(folder: Path) -> tuple[dict[str, np.ndarray], T5Config]:
    """Reads parameters and shape of a Hugging Face T5 folder.

    Raises:
        InputError: a file is missing or damaged, or the folder is no T5.
    """
    config = check_folder(folder)
    return from_hugging_face(read_tensors(folder), config, str(folder)), config


def check_folder(folder: Path) -> T5Config:
    """Checks that `read_folder` can read the folder, without reading the tensors, and returns the network's shape.

    Raises:
        InputError: as `read_folder`, except for damage in the bytes of a tensor.
    """
    config = read_config(folder)
    check_tensors(read_shapes(folder), config, str(folder))
    return config


def read_config(folder: Path) -> T5Config:
    """Reads the shape of a Hugging Face T5 folder.

    Raises:
        InputError: as `read_folder`.
    """
    return config_from_hugging_face(read_configuration(folder, _EXPECTED), str(folder / "config.json"))


def read_compute_dtype(folder: Path) -> str:
    """Reads the type of matrix products that `write_folder` wrote; it is `float32` for folders from elsewhere.

    Raises:
        InputError: as `read_folder`, or the type is unknown.
    """
    dtype = read_configuration(folder, _EXPECTED).get(_COMPUTE_DTYPE, "float32")
    if not isinstance(dtype, str) or dtype not in _STORED:
        expected = " or ".join(_STORED)
        raise InputError(f"{folder / 'config.json'}: {_COMPUTE_DTYPE}: expected {expected}, found {dtype!r:.80}")
    return dtype


def write_folder(
    folder: Path,
    params: Mapping[str, Any],
    config: T5Config,
    dtype: str = "float32",
    compute_dtype: str = "float32",
) -> None:
    """Writes the files from which `transformers` loads a network: two `.json` files and `model.safetensors`.

    Args:
        dtype: the type of the stored weights, `float32` or `bfloat16` (rounded to the nearest, with half the bytes).
        compute_dtype: the type of matrix products in this package; `transformers` computes in `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.astype(_STORED[dtype]) for name, tensor in to_hugging_face(params, config).items()}
    save_file(tensors, folder / SAFETENSORS, metadata={"format": "pt"})
    # `torch_dtype` is the older name of the key; every version of transformers reads it.
    dtypes = {"torch_dtype": dtype, _COMPUTE_DTYPE: compute_dtype}
    write_json(folder / "config.json", {**config_to_hugging_face(config), **dtypes})
    token_ids = {name: getattr(config, name) for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", token_ids)


def config_from_hugging_face(tree: Any, place: str) -> T5Config:
    """Reads the content of a Hugging Face `config.json`.

    Raises:
        InputError: the architecture is another one, or a value is missing or impossible; names `place` and key.
    """
    if not isinstance(tree, dict) or tree.get("model_type") != "t5":
        model_type = tree.get("model_type") if isinstance(tree, dict) else None
        raise InputError(f'{place}: model_type: expected "t5", found {model_type!r:.80}')
    known = {key: tree[key] for key in (field.name for field in fields(T5Config)) if tree.get(key) is not None}
    known["feed_forward"] = tree.get("feed_forward_proj", "relu")
    known.setdefault("num_decoder_layers", tree.get("num_layers"))
    # transformers 5 omits `tie_word_embeddings` or writes true for every model. Whether logits are scaled, and so
    # whether the head is tied, is under another key.
    if "scale_decoder_outputs" in tree:
        known["tie_word_embeddings"] = tree["scale_decoder_outputs"]
    # transformers ends a text at any of several ids; here it ends at one.
    if isinstance(ends := known.get("eos_token_id"), list):
        if len(ends) != 1:
            raise InputError(f"{place}: eos_token_id: expected one id, found {ends!r:.80}")
        known["eos_token_id"] = ends[0]
    try:
        config = T5Config.from_json(known)
        config.check_token_ids()
        return config
    except ValueError as error:
        raise InputError(f"{place}: {error}") from None


def config_to_hugging_face(config: T5Config) -> dict[str, Any]:
    """The content of a `config.json` that `transformers` reads as this model."""
    tree = asdict(config)
    feed_forward = tree.pop("feed_forward")
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        "feed_forward_proj": feed_forward,
        **tree,
    }


def fetch(identifier: str) -> Path:
    """The local folder of a T5; see `hugging_face.fetch`.

    Raises:
        InputError: as there, or the id belongs to no T5.
    """
    return hugging_face.fetch(identifier, read_config)
