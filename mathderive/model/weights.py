"""Hugging Face checkpoints to our parameters and back, as one table of names.

A Hugging Face T5 folder holds `config.json` and `model.safetensors` (or shards with an index; older ones
`pytorch_model.bin`). Its linear layers are `[out, in]`, ours `[in, out]`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from mathderive.errors import InputError
from mathderive.files import read_json, write_json
from mathderive.model.config import T5Config
from mathderive.model.parameters import parameter_shapes
from mathderive.model.torch_file import read_torch_file, torch_file_shapes

# Their name, our name, whether the matrix is transposed. STACK is encoder and decoder, N every layer of it,
# LAST the number of the feed-forward within a block, 1 in the encoder and 2 in the decoder.
_EVERYWHERE = (
    ("shared.weight", "embedding", False),
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

# Tensors that some checkpoints carry beside the others: copies of the embedding, and a bias that the
# published code once allocated and never read.
_COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
_UNUSED = ("decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight",)

_SAFETENSORS = "model.safetensors"
_TORCH = "pytorch_model.bin"

_STORED = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
_FLOATS = (*_STORED.values(), np.dtype(np.float16), np.dtype(np.float64))

_COMPUTE_DTYPE = "mathderive_dtype"
"""A key of ours in Hugging Face's `config.json`, which keeps what it does not know: the dtype of matrix products."""

Shape = tuple[int, ...]


def name_table(config: T5Config) -> dict[str, tuple[str, bool]]:
    """Hugging Face's name of every tensor of such a model: our name, and whether it is transposed."""
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
    """Our parameters, float32.

    Args:
        place: where the tensors are from, named in errors.

    Raises:
        InputError: names the tensor that is missing, left over, of another shape, no floats, or a copy that differs.
    """
    check_tensors({theirs: tensor.shape for theirs, tensor in tensors.items()}, config, place)
    table = name_table(config)
    params = {}
    for theirs, (ours, transposed) in table.items():
        if tensors[theirs].dtype not in _FLOATS:
            raise InputError(f"{place}: tensor {theirs} holds {tensors[theirs].dtype}; expected floating-point numbers")
        tensor = np.asarray(tensors[theirs], dtype=np.float32)
        params[ours] = np.ascontiguousarray(tensor.T if transposed else tensor)
    for theirs in sorted(set(tensors) - set(table) - set(_UNUSED)):
        if not np.array_equal(np.asarray(tensors[theirs], dtype=np.float32), params["embedding"]):
            raise InputError(f"{place}: tensor {theirs} should be a copy of shared.weight and differs")
    return params


def check_tensors(found: Mapping[str, Shape], config: T5Config, place: str) -> None:
    """Sees to it that these are the tensors of a T5 of this shape, by their names and shapes alone.

    Raises:
        InputError: names the tensor that is missing, left over or of another shape.
    """
    shapes = parameter_shapes(config)
    table = name_table(config)
    for theirs, (ours, transposed) in table.items():
        if theirs not in found:
            raise InputError(f"{place}: tensor {theirs} is missing")
        expected = shapes[ours][::-1] if transposed else shapes[ours]
        if found[theirs] != expected:
            raise InputError(f"{place}: tensor {theirs} has shape {found[theirs]}; config.json asks for {expected}")
    for theirs in sorted(set(found) - set(table) - set(_UNUSED)):
        if theirs not in _COPIES:
            raise InputError(f"{place}: tensor {theirs} belongs to no T5 of the shape in config.json")


def to_hugging_face(params: Mapping[str, Any], config: T5Config) -> dict[str, np.ndarray]:
    """Hugging Face's tensors, float32; the inverse of `from_hugging_face`."""
    tensors = {}
    for theirs, (ours, transposed) in name_table(config).items():
        array = np.asarray(params[ours], dtype=np.float32)
        tensors[theirs] = np.ascontiguousarray(array.T if transposed else array)
    return tensors


def read_folder(folder: Path) -> tuple[dict[str, np.ndarray], T5Config]:
    """Parameters and shape of a Hugging Face T5 folder.

    Raises:
        InputError: a file is missing or damaged, or the folder is no T5.
    """
    config = read_config(folder)
    tensors = {name: tensor for path in _weight_files(folder) for name, tensor in _read_tensors(path).items()}
    return from_hugging_face(tensors, config, str(folder)), config


def check_folder(folder: Path) -> None:
    """What `read_folder` would refuse, without reading the tensors: it takes a moment whatever their size.

    Raises:
        InputError: as `read_folder`, save for damage in the tensors' own bytes.
    """
    config = read_config(folder)
    shapes = {name: shape for path in _weight_files(folder) for name, shape in _read_shapes(path).items()}
    check_tensors(shapes, config, str(folder))


def read_config(folder: Path) -> T5Config:
    """The shape alone of a Hugging Face T5 folder.

    Raises:
        InputError: as `read_folder`.
    """
    path = folder / "config.json"
    return config_from_hugging_face(read_json(path, "a Hugging Face T5's configuration"), str(path))


def read_compute_dtype(folder: Path) -> str:
    """The dtype of matrix products: what `write_folder` noted, `float32` in anyone else's folder."""
    tree = read_json(folder / "config.json", "a Hugging Face T5's configuration")
    noted = tree.get(_COMPUTE_DTYPE)
    return noted if noted in _STORED else "float32"


def write_folder(
    folder: Path,
    params: Mapping[str, Any],
    config: T5Config,
    dtype: str = "float32",
    compute_dtype: str = "float32",
) -> None:
    """Writes what `transformers` reads a network from: two `.json` files and `model.safetensors`; no tokenizer.

    Args:
        dtype: what the weights are stored as, `float32` or `bfloat16` (rounded to the nearest, in half the bytes).
        compute_dtype: of matrix products in this package; `transformers` computes in `dtype`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.astype(_STORED[dtype]) for name, tensor in to_hugging_face(params, config).items()}
    save_file(tensors, folder / _SAFETENSORS, metadata={"format": "pt"})
    # The older name of the key, which every version of transformers reads.
    dtypes = {"torch_dtype": dtype, _COMPUTE_DTYPE: compute_dtype}
    write_json(folder / "config.json", {**config_to_hugging_face(config), **dtypes})
    token_ids = {name: getattr(config, name) for name in ("decoder_start_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", token_ids)


def config_from_hugging_face(tree: Any, place: str) -> T5Config:
    """Reads the content of a Hugging Face `config.json`.

    Raises:
        InputError: it is of another architecture, or a value is missing or impossible; names `place` and key.
    """
    if not isinstance(tree, dict) or tree.get("model_type") != "t5":
        found = tree.get("model_type") if isinstance(tree, dict) else None
        raise InputError(f'{place}: model_type: expected "t5", found {found!r}')
    known = {key: tree[key] for key in (field.name for field in fields(T5Config)) if tree.get(key) is not None}
    known["feed_forward"] = tree.get("feed_forward_proj", "relu")
    known.setdefault("num_decoder_layers", tree.get("num_layers"))
    # transformers 5 leaves `tie_word_embeddings` out of the files it writes, or writes it true, whatever the
    # model; it keeps the truth, whether logits are scaled, under a name of its own.
    if "scale_decoder_outputs" in tree:
        known["tie_word_embeddings"] = tree["scale_decoder_outputs"]
    try:
        return T5Config.from_json(known)
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
    """The local folder of a checkpoint: a folder as it is, a Hugging Face id by way of the hub's cache.

    Raises:
        InputError: no such folder, and no such id, the hub cannot be reached, or the id is of no T5.
    """
    if Path(identifier).is_dir():
        return Path(identifier)
    # Imported here, because it is slow and a local folder does not need it.
    from huggingface_hub import snapshot_download

    def download(*patterns: str) -> Path:
        try:
            return Path(snapshot_download(identifier, allow_patterns=list(patterns)))
        except (OSError, ValueError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{identifier}: no such folder, and the Hugging Face hub gives no such model ({reason})"
            ) from None

    # The smallest file first: the weights of another model are not downloaded only to be refused.
    read_config(download("config.json"))
    folder = download("*.json", "*.model", "*.safetensors")
    if not any(folder.glob("*.safetensors")):
        folder = download("*.json", "*.model", "pytorch_model*.bin")
    return folder


def _weight_files(folder: Path) -> list[Path]:
    """`model.safetensors`, its shards, or PyTorch's own file or shards: the first there is."""
    for name in (_SAFETENSORS, _TORCH):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            tree = read_json(index, "an index of shards")
            places = tree.get("weight_map") if isinstance(tree, dict) else None
            if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
                raise InputError(f"{index}: weight_map: expected the shard of every tensor")
            # Only the name: an index must not lead out of its folder.
            return [folder / Path(shard).name for shard in sorted(set(places.values()))]
    raise InputError(f"{folder}: no {_SAFETENSORS} here, nor shards of it, nor {_TORCH}")


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".bin":
        return read_torch_file(path)
    with _safetensors_errors(path):
        return load_file(path)


def _read_shapes(path: Path) -> dict[str, Shape]:
    if path.suffix == ".bin":
        return torch_file_shapes(path)
    with _safetensors_errors(path), safe_open(path, framework="np") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


@contextmanager
def _safetensors_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; the index names it") from None
    except (SafetensorError, OSError, TypeError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error})") from None
