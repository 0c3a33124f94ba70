"""Digests of arrays: of a model's parameters, and of everything in a checkpoint, so that damage is noticed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from mathderive.core.errors import InputError


def digest(params: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, shapes and values of the parameters; it does not depend on the files they are stored in."""
    sha256 = hashlib.sha256()
    for name in sorted(params):
        sha256.update(f"{name} {params[name].shape} ".encode() + np.ascontiguousarray(params[name]).tobytes())
    return sha256.hexdigest()


def compute_checksums(
    params: Mapping[str, np.ndarray], training: Mapping[str, np.ndarray], data: Mapping[str, Any]
) -> dict[str, str]:
    """The SHA-256 of each item of a checkpoint; the arguments are described at `checkpoints.Restored`."""
    position = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
    return {"params": _checksum(params), "training": _checksum(training), "data": position}


def verify_items(stored: Mapping[str, str], found: Mapping[str, str]) -> None:
    """Raises an `InputError` if an item that was read has another checksum than the one that was written with it."""
    for name, checksum in found.items():
        if stored.get(name) != checksum:
            raise InputError(f"{name}: another checksum than when it was written")


def _checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names, types, shapes and bytes, without a copy of the arrays."""
    sha256 = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        sha256.update(f"{name} {array.dtype} {np.shape(arrays[name])} ".encode())
        sha256.update(array.reshape(-1).view(np.uint8).data)
    return sha256.hexdigest()
