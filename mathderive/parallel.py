"""Data parallelism over this process's devices: the only file that names `pmap`.

A replicated tree has a leading axis with one copy a device, a sharded batch the same axis with one part a
device. With one device everything works alike, the axis being of length one.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mathderive.errors import InputError

_AXIS = "devices"


def device_count() -> int:
    """Devices a batch is shared among."""
    return jax.local_device_count()


def replicate(tree: Any) -> Any:
    """A copy of every array on every device: `[...]` -> `[devices, ...]`."""
    devices = jax.local_devices()
    sharding = NamedSharding(Mesh(np.array(devices), (_AXIS,)), PartitionSpec(_AXIS))

    def copy(array: Any) -> jax.Array:
        host = np.asarray(array)
        return jax.device_put(np.broadcast_to(host, (len(devices), *host.shape)), sharding)

    return jax.tree.map(copy, tree)


def unreplicate(tree: Any) -> Any:
    """The first device's copy as NumPy arrays, which stay as they are when the originals are donated."""
    return jax.tree.map(lambda array: np.array(array.addressable_data(0))[0], tree)


def shard(batch: Any) -> Any:
    """Splits the rows among the devices: `[rows, ...]` -> `[devices, rows / devices, ...]`."""
    count = device_count()
    return jax.tree.map(lambda array: array.reshape(count, -1, *array.shape[1:]), batch)


def check_divides(batch_size: int, accumulate: int) -> None:
    """Whether every device gets as many rows in every part of a batch.

    Raises:
        InputError: it does not; names the config's keys.
    """
    parts = device_count() * accumulate
    if batch_size % parts:
        raise InputError(
            f"training.batch_size: {batch_size} rows cannot be shared evenly among {device_count()} devices"
            f" and training.accumulate = {accumulate}; expected a multiple of {parts}"
        )


def parallel_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `step(state, *rest)` to run on every device at once, on replicated state and sharded batches.

    The state's memory is given to the result: the caller must not use it again. Inside `step`,
    `sum_over_devices` and `device_index` may be called.
    """
    return jax.pmap(step, axis_name=_AXIS, donate_argnums=0)


def each_device(
    function: Callable[..., Any], static_argnums: int | tuple[int, ...] = (), donate_argnums: int | tuple[int, ...] = ()
) -> Callable[..., Any]:
    """Compiles `function` to run on each device by itself, on replicated and sharded arguments.

    Args:
        static_argnums: arguments to compile anew for, given as they are.
        donate_argnums: arguments whose memory is given to the result.
    """

    @cache
    def compiled() -> Callable[..., Any]:
        # Not before the first call: asking for the devices settles which there are.
        devices = jax.local_devices()
        return jax.pmap(
            function, static_broadcasted_argnums=static_argnums, donate_argnums=donate_argnums, devices=devices
        )

    return lambda *arguments: compiled()(*arguments)


def sum_over_devices(tree: Any) -> Any:
    """Each array's sum over the devices, the same on all of them; inside `parallel_step` only."""
    return jax.lax.psum(tree, _AXIS)


def device_index() -> jax.Array:
    """This device's number, from 0; inside `parallel_step` only."""
    return jax.lax.axis_index(_AXIS)
