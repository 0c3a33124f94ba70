"""Hugging Face folders with any network: finding or downloading a folder, and reading its tensors by our names.

A folder has `config.json` and `model.safetensors` (or shards with an index; an older one has `pytorch_model.bin`). A
linear layer's matrix is `[out, in]` there and `[in, out]` here.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from mathderive.core.checksums import CHECKSUMS
from mathderive.core.environment import memory_bytes
from mathderive.core.errors import InputError
from mathderive.core.files import read_json
from mathderive.core.regular_files import check_regular_file
from mathderive.model.torch_file import read_torch_file, torch_file_shapes

SAFETENSORS = "model.safetensors"
_TORCH = "pytorch_model.bin"

MAX_CONFIG_BYTES = 2**20
"""Maximum size of `config.json`; a usual one has a few kilobytes."""

MAX_INDEX_BYTES = 2**22
"""Maximum size of an index of shards; that of T5-11B, with a thousand tensors, has a fortieth of it."""

MAX_SHARDS = 2**10
"""Maximum number of shards; T5-11B has about ten."""

MAX_NAME_LENGTH = 200
"""Maximum length of a shard's name."""

MAX_HEADER_BYTES = 2**24
"""Maximum size of the header of a safetensors file; that of T5-11B has a hundredth of it."""

_ANY_SIZE = 2**63
"""A size that no file exceeds."""

_FLOATS = tuple(map(np.dtype, (np.float16, np.float32, np.float64, ml_dtypes.bfloat16)))

Shape = tuple[int, ...]
Item = TypeVar("Item")

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
    # `Path.is_dir` would raise an error for a name that is too long.
    if os.path.isdir(identifier):  # noqa: PTH112
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
    beside = ("*.json", "*.model", "vocab.txt", CHECKSUMS)
    folder = download(*beside, "*.safetensors")
    if not any(folder.glob("*.safetensors")):
        folder = download(*beside, "pytorch_model*.bin")
    return folder


def is_weights(name: str) -> bool:
    """Whether a file of this name holds weights."""
    return name.endswith((".safetensors", ".bin"))


def check_file(path: Path, max_bytes: int, expected: str) -> int:
    """Checks a file of a checkpoint folder without opening it, and returns its size.

    A link may lead to a file in the same folder or, in the hub's cache, to the blobs of the same model.

    Raises:
        InputError: it is missing, no regular file, larger than `max_bytes`, or a link to another place.
    """
    size = check_regular_file(path, max_bytes, expected)
    folder = path.parent.resolve()
    homes = [folder]
    if folder.parent.name == "snapshots":
        homes.append(folder.parent.parent / "blobs")
    if not any(path.resolve().is_relative_to(home) for home in homes):
        raise InputError(f"{path}: a link out of its folder; expected {expected} in the folder itself")
    return size


def read_configuration(folder: Path, expected: str) -> Any:
    """Reads the folder's `config.json`.

    Raises:
        InputError: as `check_file`, or it is not JSON.
    """
    path = folder / "config.json"
    check_file(path, MAX_CONFIG_BYTES, expected)
    return read_json(path, expected, MAX_CONFIG_BYTES)


def check_memory(shapes: Mapping[str, Shape], place: str) -> None:
    """Checks that parameters of these shapes fit the memory of this machine as float32.

    Raises:
        InputError: they do not.
    """
    needed = sum(4 * math.prod(shape) for shape in shapes.values())
    if needed > (available := memory_bytes()):
        raise InputError(
            f"{place}: the network of config.json takes {needed} bytes; expected at most {available},"
            " the memory of this machine"
        )


def read_tensors(folder: Path) -> dict[str, np.ndarray]:
    """Reads every tensor of the folder, with the type it is stored as.

    Raises:
        InputError: a file is missing or damaged, or the files are larger than the memory of this machine.
    """
    return _merge((path, _read_tensors(path)) for path in _weight_files(folder))


def read_shapes(folder: Path) -> dict[str, Shape]:
    """Reads the shapes of the tensors, which takes a moment for tensors of any size.

    Raises:
        InputError: as `read_tensors`, except for damage in the bytes of a tensor.
    """
    return _merge((path, _read_shapes(path)) for path in _weight_files(folder))


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
        InputError: names a tensor without floating-point numbers, or with a number that is not finite as float32.
    """
    params = {}
    for theirs, (ours, transposed) in table.items():
        if tensors[theirs].dtype not in _FLOATS:
            raise InputError(f"{place}: tensor {theirs} holds {tensors[theirs].dtype}; expected floating-point numbers")
        with np.errstate(over="ignore", invalid="ignore"):
            tensor = np.asarray(tensors[theirs], dtype=np.float32)
        if not np.isfinite(tensor).all():
            raise InputError(f"{place}: tensor {theirs} holds NaN or infinity; expected finite float32 numbers")
        params[ours] = np.ascontiguousarray(tensor.T if transposed else tensor)
    return params


def _weight_files(folder: Path) -> list[Path]:
    """`model.safetensors`, its shards, PyTorch's file or its shards: the first of these that exists."""
    for name in (SAFETENSORS, _TORCH):
        index = folder / f"{name}.index.json"
        # A link that leads nowhere and a pipe count as well, so that the message names them.
        if os.path.lexists(folder / name):
            paths = [folder / name]
        elif os.path.lexists(index):
            paths = _shards(index, Path(name).suffix)
        else:
            continue
        size = sum(check_file(path, _ANY_SIZE, "weights") for path in paths)
        if size > (available := memory_bytes()):
            raise InputError(
                f"{folder}: its weights have {size} bytes; expected at most {available}, the memory of this machine"
            )
        return paths
    raise InputError(f"{folder}: no {SAFETENSORS} here, nor shards of it, nor {_TORCH}")


def _shards(index: Path, suffix: str) -> list[Path]:
    """The files that an index of shards names."""
    check_file(index, MAX_INDEX_BYTES, "an index of shards")
    tree = read_json(index, "an index of shards", MAX_INDEX_BYTES)
    places = tree.get("weight_map") if isinstance(tree, dict) else None
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise InputError(f"{index}: weight_map: expected the shard of every tensor")
    names = sorted(set(places.values()))
    if len(names) > MAX_SHARDS:
        raise InputError(f"{index}: weight_map: it names {len(names)} shards; expected at most {MAX_SHARDS}")
    for name in names:
        is_plain = Path(name).name == name and len(name) <= MAX_NAME_LENGTH and "\0" not in name
        if not is_plain or Path(name).suffix != suffix:
            raise InputError(f"{index}: weight_map: expected the name of a {suffix} file beside it, found {name!r:.80}")
        if not os.path.lexists(index.parent / name):
            raise InputError(f"{index.parent / name}: no such file; the index names it")
    return [index.parent / name for name in names]


def _merge(parts: Iterator[tuple[Path, dict[str, Item]]]) -> dict[str, Item]:
    """The items of all files by their names."""
    merged: dict[str, Item] = {}
    for path, items in parts:
        if repeated := sorted(merged.keys() & items.keys()):
            raise InputError(f"{path}: tensor {repeated[0]} is in another shard as well; expected it in one")
        merged |= items
    return merged


def _read_tensors(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".bin":
        return read_torch_file(path)
    with _safetensors_errors(path):
        _check_header(path)
        return load_file(path)


def _read_shapes(path: Path) -> dict[str, Shape]:
    if path.suffix == ".bin":
        return torch_file_shapes(path)
    with _safetensors_errors(path):
        _check_header(path)
        with safe_open(path, framework="np") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def _check_header(path: Path) -> None:
    """Checks the size of the header, which the first eight bytes of a safetensors file give."""
    with path.open("rb") as stream:
        size = int.from_bytes(stream.read(8), "little")
    if size > MAX_HEADER_BYTES:
        raise InputError(
            f"{path}: not a whole safetensors file (a header of {size} bytes; expected at most {MAX_HEADER_BYTES})"
        )


@contextmanager
def _safetensors_errors(path: Path) -> Iterator[None]:
    try:
        yield
    # NumPy lacks some of the types, which is an AttributeError.
    except (SafetensorError, OSError, TypeError, LookupError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({str(error)[:200]})") from None
