"""Reads the tensors of a `pytorch_model.bin` without PyTorch and without trusting the file.

Older checkpoints, such as the paper's, exist in this form only. The file is a zip with storages as raw bytes, and with
a pickle that describes each tensor as a view of a storage. The reader of the pickle (`torch_pickle`) can call only the
functions that are named here, and no allocation is larger than the file.
"""

import io
import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from mathderive.core.errors import InputError
from mathderive.core.regular_files import check_regular_file
from mathderive.model.torch_pickle import read_pickle

MAX_PICKLE_BYTES = 2**20
"""Maximum size of the pickle in the file; that of T5-11B, with the names of a thousand tensors, has a fifth of it."""

MAX_DIRECTORY_BYTES = 2**20
"""Maximum size of the zip's directory; that of T5-11B, with a thousand entries, has a tenth of it."""

_MAX_FILE_BYTES = 2**63
_MAX_DIMENSIONS = 8
"""Maximum number of dimensions of a tensor; a network's weights have one or two."""

_DTYPES = {
    "torch.FloatStorage": np.dtype(np.float32),
    "torch.HalfStorage": np.dtype(np.float16),
    "torch.BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch.DoubleStorage": np.dtype(np.float64),
    "torch.LongStorage": np.dtype(np.int64),
    "torch.IntStorage": np.dtype(np.int32),
    "torch.ShortStorage": np.dtype(np.int16),
    "torch.CharStorage": np.dtype(np.int8),
    "torch.ByteStorage": np.dtype(np.uint8),
    "torch.BoolStorage": np.dtype(np.bool_),
}
_LEGACY_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
"""The first bytes of every file of PyTorch before 1.6: the pickle of a number that its authors chose."""


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype[Any]
    size: int


class _View(NamedTuple):
    """A tensor: `offset` and `strides` in elements of its storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.storage.dtype.itemsize


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a state dictionary that PyTorch 1.6 or later saved; tied tensors share their memory.

    Raises:
        InputError: the file is missing, damaged or older, its pickle names something that no tensor needs, or its
            tensors need more memory than the file has bytes.
    """
    with _opened(path) as (archive, prefix, views):
        storages = {storage: _read_storage(archive, prefix, storage) for storage in {v.storage for v in views.values()}}
    return {name: _array(view, storages[view.storage]) for name, view in views.items()}


def torch_file_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Reads the shapes of the tensors only.

    Raises:
        InputError: as `read_torch_file`, except for damage in the bytes of a tensor.
    """
    with _opened(path) as (_, _, views):
        return {name: view.shape for name, view in views.items()}


class _File(io.FileIO):
    """A file that refuses to read much at once while the zip's directory, which may claim any size, is read."""

    reads_directory = True

    def read(self, size: int | None = -1, /) -> bytes:
        asked = os.fstat(self.fileno()).st_size - self.tell() if size is None or size < 0 else size
        if self.reads_directory and asked > MAX_DIRECTORY_BYTES:
            raise InputError(f"its directory has {asked} bytes; expected at most {MAX_DIRECTORY_BYTES}")
        return super().read(size) or b""


@contextmanager
def _opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, str, dict[str, _View]]]:
    """Opens the archive, and gives it with the folder inside it and the checked views of its tensors."""
    size = check_regular_file(path, _MAX_FILE_BYTES, "a PyTorch file")
    try:
        with path.open("rb") as stream:
            if stream.read(len(_LEGACY_MAGIC)) == _LEGACY_MAGIC:
                raise InputError("saved by PyTorch before 1.6; expected a newer file: load this one there and save it")
        with _File(path) as file, zipfile.ZipFile(file) as archive:
            file.reads_directory = False
            _check_entries(archive, size)
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise InputError(f"expected one data.pkl inside, found {len(pickles)}")
            prefix = pickles[0].removesuffix("data.pkl")
            views = _read_views(archive, prefix)
            _check_views(views, archive, prefix, size)
            yield archive, prefix, views
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can raise any error
        raise InputError(f"{path}: not a whole PyTorch file ({type(error).__name__}: {str(error)[:200]})") from None


def _check_entries(archive: zipfile.ZipFile, file_size: int) -> None:
    entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise InputError("its entries are compressed; expected them stored, as PyTorch writes them")
    if sum(entry.file_size for entry in entries) > file_size:
        raise InputError("its entries claim more bytes than the file has")


def _read_views(archive: zipfile.ZipFile, prefix: str) -> dict[str, _View]:
    entry = archive.getinfo(f"{prefix}data.pkl")
    if entry.file_size > MAX_PICKLE_BYTES:
        raise InputError(f"its pickle has {entry.file_size} bytes; expected at most {MAX_PICKLE_BYTES}")
    order = archive.NameToInfo.get(f"{prefix}byteorder")
    if order is not None and (order.file_size > len("little") or archive.read(order) != b"little"):
        raise InputError("saved on a big-endian machine; expected little-endian numbers")
    views = read_pickle(archive.read(entry), _NAMES, _storage)
    if not isinstance(views, dict) or not all(isinstance(view, _View) for view in views.values()):
        raise InputError("expected a dictionary of tensors")
    return views


def _check_views(views: dict[str, _View], archive: zipfile.ZipFile, prefix: str, file_size: int) -> None:
    for name, (storage, offset, shape, strides) in views.items():
        held = archive.getinfo(f"{prefix}data/{storage.key}").file_size
        if storage.size * storage.dtype.itemsize != held:
            raise InputError(f"tensor {name}: its storage should have {storage.size} numbers and has {held} bytes")
        last = offset + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
        elements = math.prod(shape)
        # A stride of 0 repeats numbers without end, so the number of elements needs a bound of its own.
        if elements > storage.size or (elements > 0 and last >= storage.size):
            raise InputError(f"tensor {name} reaches beyond its storage")
    if sum(view.nbytes for view in set(views.values())) > file_size:
        raise InputError("its tensors overlap and would take more memory than the file has bytes")


def _read_storage(archive: zipfile.ZipFile, prefix: str, storage: _Storage) -> np.ndarray:
    return np.frombuffer(archive.read(f"{prefix}data/{storage.key}"), storage.dtype)


def _array(view: _View, numbers: np.ndarray) -> np.ndarray:
    strides = [stride * numbers.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides, writeable=False)


def _storage(identifier: Any) -> _Storage:
    kind, dtype, key, _device, size = identifier
    if kind != "storage" or not isinstance(dtype, np.dtype) or not _is_natural(size):
        raise InputError("its pickle refers to something that is no storage of numbers")
    if not (isinstance(key, str) and len(key) < 10 and key.isascii() and key.isdigit()):
        raise InputError("its pickle refers to a storage that has no number")
    return _Storage(key, dtype, size)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    if not (isinstance(storage, _Storage) and isinstance(shape, tuple) and isinstance(strides, tuple)):
        raise InputError("its pickle describes a tensor of another kind than numbers in rows")
    # The product of many extents would be a number of millions of digits.
    if (
        len(shape) > _MAX_DIMENSIONS
        or len(shape) != len(strides)
        or not all(map(_is_natural, (offset, *shape, *strides)))
    ):
        raise InputError("its pickle describes a tensor without a valid shape")
    return _View(storage, offset, shape, strides)


def _ordered_dict() -> dict[str, Any]:
    """Makes an empty dictionary. `dict` itself would accept contents with keys that are not checked."""
    return {}


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    """Returns the tensor; a parameter is a tensor that some older files mark as trained."""
    return tensor


def _is_natural(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**48


_NAMES: dict[str, Any] = {
    **_DTYPES,
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
}
