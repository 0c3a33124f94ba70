"""Reads the tensors of a `pytorch_model.bin` without PyTorch and without trusting the file.

Older checkpoints, the paper's among them, exist in this form only. The file is a zip: a pickle that says
which slice of which storage each tensor is, and the storages as raw bytes. A pickle can call anything it
names, so this reader resolves four names and refuses every other.
"""

import collections
import pickle
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from mathderive.errors import InputError

_DTYPES = {
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "DoubleStorage": np.dtype(np.float64),
}


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a state dictionary saved by PyTorch 1.6 or later.

    Raises:
        InputError: the file is missing, damaged, older, or its pickle names something that no tensor needs.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise InputError(f"{path}: expected one data.pkl inside, found {len(pickles)}")
            with archive.open(pickles[0]) as stream:
                tensors = _TensorUnpickler(stream, archive, pickles[0].removesuffix("data.pkl")).load()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # a damaged pickle can fail in any way at all
        raise InputError(f"{path}: not a whole PyTorch file ({type(error).__name__}: {error})") from None
    if not isinstance(tensors, dict) or not all(isinstance(value, np.ndarray) for value in tensors.values()):
        raise InputError(f"{path}: expected a dictionary of tensors")
    return dict(tensors)


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(stream)
        self._archive = archive
        self._prefix = prefix

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise InputError(f"its pickle asks for {module}.{name}, which no T5 weight needs")

    def persistent_load(self, identifier: Any) -> np.ndarray:
        kind, dtype, key, _device, _size = identifier
        if kind != "storage" or not isinstance(dtype, np.dtype) or not str(key).isdigit():
            raise InputError("its pickle refers to something that is no storage of numbers")
        return np.frombuffer(self._archive.read(f"{self._prefix}data/{key}"), dtype)


def _rebuild_tensor(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    last = offset + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides), default=0) < 0 or last >= storage.size:
        raise InputError("a tensor reaches beyond its storage")
    return np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [stride * storage.itemsize for stride in strides], writeable=False
    )
