"""Hugging Face folders with any network: finding or downloading a folder, and reading its tensors by our names.

A folder has `config.json` and `model.safetensors` (or shards with an index; an older one has `pytorch_model.bin`). A
linear layer's matrix is `[out, in]` there and `[in, out]` here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from mathderive.core.errors import InputError
from mathderive.core.files import read_json
from mathderive.model.torch_file import read_torch_file, torch_file_shapes

SAFETENSORS = "model.safetensors"
_TORCH = "pytorch_model.bin"

_FLOATS = tuple(map(np.dtype, (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)))

Shape = tuple[int, ...]

NameTable = Mapping[str, tuple[str, bool]]
"""A mapping of Hugging Face's name of each tensor to our name and whether the matrix is transposed."""


def fetch(identifier: str, check: Callable[[Path], object]) -> Path:
    """The local folder of a checkpoint; a Hugging Face id is downloaded to the hub's cache.

    Args:
        identifier: a folder or a Hugging Face id.
        check: called with the folder of an id, which has only `config.json` so far; raises if the model is of no use.

    Raises:
        InputError: there is no such folder or id, the hub cannot be reached, or `check` raises.
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

    # The smallest file comes first, so that the weights of another model are never downloaded.
    check(download("config.json"))
    beside = ("*.json", "*.model", "vocab.txt")
    folder = download(*beside, "*.safetensors")
    if not any(folder.glob("*.safetensors")):
        folder = download(*beside, "pytorch_model*.bin")
    return folder


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Reads every tensor of the folder, with the type it is stored as.

    Raises:
        InputError: a file is missing or damaged.
    """
    return {name: tensor for path in _weight_files(folder) for name, tensor in _read_tensors(path).items()}


def read_shapes(folder: Path) -> dict[str, Shape]:
    """Reads the shapes of the tensors, which takes a moment for tensors of any size.

    Raises:
        InputError: as `read_tensors`, except for damage in the bytes of a tensor.
    """
    return {name: shape for path in _weight_files(folder) for name, shape in _read_shapes(path).items()}


def check_shapes(stored: Mapping[str, Shape], table: NameTable, shapes: Mapping[str, Shape], place: str) -> None:
    """Checks that all tensors of the table are there; there may be others.

    Args:
        stored: shapes of the stored tensors, by Hugging Face's names.
        shapes: shapes of our parameters, by our names.
        place: where the tensors come from, for error messages.

    Raises:
        InputError: names the tensor that is missing or has another shape.
    """
    for theirs, (ours, transposed) in table.items():
        if theirs not in stored:
            raise InputError(f"{place}: tensor {theirs} is missing")
        expected = shapes[ours][::-1] if transposed else shapes[ours]
        if stored[theirs] != expected:
            raise InputError(f"{place}: tensor {theirs} has shape {stored[theirs]}; config.json asks for {expected}")


def to_parameters(tensors: Mapping[str, np.ndarray], table: NameTable, place: str) -> dict[str, np.ndarray]:
    """Converts tensors that `check_shapes` accepted to our parameters, float32.

    Raises:
        InputError: names a tensor without floating-point numbers.
    """
    params = {}
    for theirs, (ours, transposed) in table.items():
        if tensors[theirs].dtype not in _FLOATS:
            raise InputError(f"{place}: tensor {theirs} holds {tensors[theirs].dtype}; expected floating-point numbers")
        tensor = np.asarray(tensors[theirs], dtype=np.float32)
        params[ours] = np.ascontiguousarray(tensor.T if transposed else tensor)
    return params


def _weight_files(folder: Path) -> list[Path]:
    """`model.safetensors`, its shards, PyTorch's file or its shards: the first of these that exists."""
    for name in (SAFETENSORS, _TORCH):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return [folder / name]
        if index.is_file():
            tree = read_json(index, "an index of shards")
            places = tree.get("weight_map") if isinstance(tree, dict) else None
            if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
                raise InputError(f"{index}: weight_map: expected the shard of every tensor")
            # Only the file name counts, because an index must not lead out of its folder.
            return [folder / Path(shard).name for shard in sorted(set(places.values()))]
    raise InputError(f"{folder}: no {SAFETENSORS} here, nor shards of it, nor {_TORCH}")


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
