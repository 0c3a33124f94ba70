"""Data parallelism with `pmap` over the devices of one process or of several processes.

A replicated tree has a leading axis with one copy for each device. A sharded batch has the same axis with one part for
each device. The axis is over this process's devices; sums are over the devices of all processes. With one device the
axis has length 1, and everything else is the same.

Several processes run the same program in step. Process 0 is the one that writes. It shares with the others what only it
knows, such as a checkpoint.

The kit uses `jax.pmap` because it was asked for. JAX keeps `pmap` in maintenance mode: new code should use `jax.jit`
with shardings or `jax.shard_map`, and `pmap` itself is built on `jit` and `shard_map` in current versions. No other
file names `pmap`, so this is the one file to change for another kind of parallelism.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mathderive.core.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

_AXIS = "devices"

_START_SECONDS = 900
"""Seconds that a process waits for the other processes to start."""

_WAIT_SECONDS = 6 * 3600
"""Seconds that a process waits for the data of the others, or for process 0 to write the last checkpoint."""

_EXIT_SECONDS = 30
"""Seconds that a process with an error waits for the others, which may not know of the error."""


def connect(coordinator: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Makes this process one of several processes; must be called before anything is computed.

    Args:
        coordinator: HOST:PORT where process 0 listens; None takes all three from the metadata of a Cloud TPU slice.
        count: number of processes.
        index: this process's number, from 0.

    Raises:
        InputError: the other processes cannot be reached.
    """
    # JAX's preemption service would catch SIGTERM in the whole process, outside of training too.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            index,
            # Under SLURM, JAX would detect only one GPU of each node.
            cluster_detection_method="deactivate" if coordinator else None,
            initialization_timeout=_START_SECONDS,
            shutdown_timeout_seconds=_EXIT_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        place = f"--coordinator {coordinator}" if coordinator else "the TPU slice"
        raise InputError(f"{place}: the processes do not find each other ({error})") from None


def disconnect() -> None:
    """Waits for all processes and then separates them; each process can go on with its own devices."""
    wait_for_all("disconnect")
    jax.distributed.shutdown()


def process_index() -> int:
    """This process's number, from 0."""
    return jax.process_index()


def process_count() -> int:
    """Number of processes that train together."""
    return jax.process_count()


def wait_for_all(place: str) -> None:
    """Returns when every process has called it with the same `place`.

    A wait may take hours. A computation over all devices is no substitute: on some platforms it ends with an error if a
    process is half a minute late.
    """
    if process_count() > 1:
        from orbax.checkpoint import multihost  # slow to import

        multihost.sync_global_processes(
            f"mathderive-{place}", timeout=_WAIT_SECONDS, processes=set(range(process_count()))
        )


def share(value: Any) -> Any:
    """Returns process 0's `value`, plain JSON data, in every process."""
    if process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    return json.loads(_share_bytes(text, length).tobytes())


def share_arrays(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns process 0's arrays by name in every process, bit for bit; arguments of the others are ignored."""
    if process_count() == 1:
        return arrays
    shared = {}
    for name, shape, dtype in share([(name, array.shape, array.dtype.name) for name, array in arrays.items()]):
        mine = np.asarray(arrays[name]).reshape(-1).view(np.uint8) if process_index() == 0 else np.empty(0, np.uint8)
        length = int(np.prod(shape)) * np.dtype(dtype).itemsize
        shared[name] = _share_bytes(mine, length).view(dtype).reshape(shape)
    return shared


def _share_bytes(mine: np.ndarray, length: int) -> np.ndarray:
    # Arrays are sent as bytes, because JAX broadcasts by adding zeros, and -0.0 + 0.0 is 0.0.
    given = mine if process_index() == 0 else np.zeros(length, np.uint8)
    return np.ascontiguousarray(multihost_utils.broadcast_one_to_all(given))


def device_count() -> int:
    """Number of devices of all processes; a batch is shared among them."""
    return jax.device_count()


def local_device_count() -> int:
    """Number of devices of this process."""
    return jax.local_device_count()


def replicate(tree: Any) -> Any:
    """Copies every array to every device of this process: `[...]` -> `[devices, ...]`."""
    devices = jax.local_devices()
    sharding = NamedSharding(Mesh(np.array(devices), (_AXIS,)), PartitionSpec(_AXIS))

    def copy(array: Any) -> jax.Array:
        host = np.asarray(array)
        return jax.device_put(np.broadcast_to(host, (len(devices), *host.shape)), sharding)

    return jax.tree.map(copy, tree)


def unreplicate(tree: Any) -> Any:
    """Copies the arrays of the first device to NumPy arrays, which stay valid when the originals are donated."""
    return jax.tree.map(lambda array: np.array(array.addressable_data(0))[0], tree)


def shard(batch: Any) -> Any:
    """Divides this process's rows of a batch among its devices.

    `[rows, ...]` -> `[devices, rows / all devices, ...]`.
    """

    def part(array: Any) -> Any:
        return array.reshape(process_count(), -1, *array.shape[1:])[process_index()]

    return shard_locally(jax.tree.map(part, batch))


def shard_locally(batch: Any) -> Any:
    """Divides all rows among this process's devices, for `each_device`.

    `[rows, ...]` -> `[devices, rows / devices, ...]`.
    """
    return jax.tree.map(lambda array: array.reshape(local_device_count(), -1, *array.shape[1:]), batch)


def round_up_to_devices(rows: int) -> int:
    """The smallest number of rows, of at least `rows`, that this process's devices can share evenly."""
    return -(-rows // local_device_count()) * local_device_count()


def check_divides(batch_size: int, accumulate: int) -> None:
    """Checks that every device gets equally many rows in every part of a batch.

    Raises:
        InputError: it does not; names the config's keys and the nearest values that fit.
    """
    devices = device_count()
    parts = devices * accumulate
    if batch_size % parts == 0:
        return
    below = batch_size // parts * parts
    sizes = f"{below} or {below + parts}" if below else f"{parts}"
    fitting = [str(number) for number in range(1, batch_size // devices + 1) if batch_size % (devices * number) == 0]
    other = f"training.accumulate of {', '.join(fitting)}" if fitting else "a number of devices that divides it"
    raise InputError(
        f"training.batch_size: {batch_size} rows cannot be shared evenly among {devices} devices and"
        f" training.accumulate = {accumulate}; expected {sizes}, or {other}"
    )


def parallel_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `step(state, *rest)` to run on all devices at once, with a replicated state and sharded batches.

    The result takes over the memory of the state, so the caller must not use the state again. `step` may call
    `sum_over_devices` and `device_index`.
    """
    return jax.pmap(step, axis_name=_AXIS, donate_argnums=0)


def each_device(
    function: Callable[..., Any], static_argnums: int | tuple[int, ...] = (), donate_argnums: int | tuple[int, ...] = ()
) -> Callable[..., Any]:
    """Compiles `function` to run separately on each device of this process, with replicated and sharded arguments.

    Args:
        static_argnums: arguments that are passed as they are; another value needs another compilation.
        donate_argnums: arguments with memory that the result takes over.
    """

    @cache
    def compiled() -> Callable[..., Any]:
        # Not before the first call, because asking for the devices fixes which devices there are.
        devices = jax.local_devices()
        return jax.pmap(
            function, static_broadcasted_argnums=static_argnums, donate_argnums=donate_argnums, devices=devices
        )

    return lambda *arguments: compiled()(*arguments)


def overlapped(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """Yields `function(item)` of each item in order, and runs two calls at once.

    XLA's CPU code reads a decoder's keys and values with one core, so a second batch can use the other cores. An
    accelerator computes one batch while the host prepares the other. The function must not wait for other processes.
    """
    with ThreadPoolExecutor(2) as threads:
        yield from threads.map(function, items)


def sum_over_devices(tree: Any) -> Any:
    """Sums each array over all devices; may be called inside `parallel_step` only."""
    return jax.lax.psum(tree, _AXIS)


def device_index() -> jax.Array:
    """This device's number, from 0; may be called inside `parallel_step` only."""
    return jax.lax.axis_index(_AXIS)


def largest(number: int) -> jax.Array:
    """The largest number of all processes, replicated; every process must call it at the same point of the program."""
    return _largest(np.full(local_device_count(), number, np.int32))


_largest = jax.pmap(lambda number: jax.lax.pmax(number, _AXIS), axis_name=_AXIS)
