"""Data parallelism over the devices of one process or of several: the only file that names `pmap`.

A replicated tree has a leading axis with one copy a device, a sharded batch the same axis with one part a
device; that axis holds this process's devices, sums go over those of all processes. With one device everything
works alike, the axis being of length one.

Several processes run the same program in step. The first one, of index 0, is the one that writes; what only it
knows, such as a checkpoint, it shares.
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
"""How long a process waits for the others to be started."""

_WAIT_SECONDS = 6 * 3600
"""How long a process waits for the others' data, or for process 0 to write the last checkpoint."""

_EXIT_SECONDS = 30
"""How long a process that ends with an error waits for the others, which may not know of it."""


def connect(coordinator: str | None = None, count: int | None = None, index: int | None = None) -> None:
    """Makes this process one of several; to be called before anything is computed.

    Args:
        coordinator: HOST:PORT where process 0 listens; null finds the others by what Cloud TPU says of its slice.
        count: of processes; null like `coordinator`.
        index: this one's, from 0; null like `coordinator`.

    Raises:
        InputError: they cannot be reached.
    """
    # JAX's preemption service would catch SIGTERM for the whole process, and so outside of training too.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            coordinator,
            count,
            index,
            # Under SLURM, what JAX detects is one GPU of each node only.
            cluster_detection_method="deactivate" if coordinator else None,
            initialization_timeout=_START_SECONDS,
            shutdown_timeout_seconds=_EXIT_SECONDS,
        )
    except (RuntimeError, ValueError) as error:
        place = f"--coordinator {coordinator}" if coordinator else "the TPU slice"
        raise InputError(f"{place}: the processes do not find each other ({error})") from None


def disconnect() -> None:
    """Waits until all processes are here, then leaves each to itself; its own devices go on working."""
    wait_for_all("disconnect")
    jax.distributed.shutdown()


def process_index() -> int:
    """This process's number, from 0."""
    return jax.process_index()


def process_count() -> int:
    """Processes that train together."""
    return jax.process_count()


def wait_for_all(place: str) -> None:
    """Returns when every process has called it; `place` may be waited at once.

    For waits of any length: a computation over all devices ends with an error, on some platforms, where a process
    is half a minute late.
    """
    if process_count() > 1:
        from orbax.checkpoint import multihost  # slow to import

        multihost.sync_global_processes(
            f"mathderive-{place}", timeout=_WAIT_SECONDS, processes=set(range(process_count()))
        )


def share(value: Any) -> Any:
    """Process 0's `value`, plain JSON data, in every process."""
    if process_count() == 1:
        return value
    text = np.frombuffer(json.dumps(value).encode(), np.uint8)
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    return json.loads(_share_bytes(text, length).tobytes())


def share_arrays(arrays: Mapping[str, Any]) -> Mapping[str, Any]:
    """Process 0's arrays by name in every process, bit for bit; the others may give any."""
    if process_count() == 1:
        return arrays
    shared = {}
    for name, shape, dtype in share([(name, array.shape, array.dtype.name) for name, array in arrays.items()]):
        mine = np.asarray(arrays[name]).reshape(-1).view(np.uint8) if process_index() == 0 else np.empty(0, np.uint8)
        length = int(np.prod(shape)) * np.dtype(dtype).itemsize
        shared[name] = _share_bytes(mine, length).view(dtype).reshape(shape)
    return shared


def _share_bytes(mine: np.ndarray, length: int) -> np.ndarray:
    # As bytes, because JAX broadcasts by adding zeros, and -0.0 + 0.0 is another number.
    given = mine if process_index() == 0 else np.zeros(length, np.uint8)
    return np.ascontiguousarray(multihost_utils.broadcast_one_to_all(given))


def device_count() -> int:
    """Devices a batch is shared among, those of all processes."""
    return jax.device_count()


def local_device_count() -> int:
    """Those of this process."""
    return jax.local_device_count()


def replicate(tree: Any) -> Any:
    """A copy of every array on every device of this process: `[...]` -> `[devices, ...]`."""
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
    """This process's rows of the whole batch, by device: `[rows, ...]` -> `[devices, rows / all devices, ...]`."""

    def part(array: Any) -> Any:
        return array.reshape(process_count(), -1, *array.shape[1:])[process_index()]

    return shard_locally(jax.tree.map(part, batch))


def shard_locally(batch: Any) -> Any:
    """All rows among this process's devices, for `each_device`: `[rows, ...]` -> `[devices, rows / devices, ...]`."""
    return jax.tree.map(lambda array: array.reshape(local_device_count(), -1, *array.shape[1:]), batch)


def round_up_to_devices(rows: int) -> int:
    """The smallest number of rows, of at least `rows`, that this process's devices can share evenly."""
    return -(-rows // local_device_count()) * local_device_count()


def check_divides(batch_size: int, accumulate: int) -> None:
    """Whether every device gets as many rows in every part of a batch.

    Raises:
        InputError: it does not; names the config's keys and the values nearest to it that fit.
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
    """Compiles `step(state, *rest)` to run on every device at once, on replicated state and sharded batches.

    The state's memory is given to the result: the caller must not use it again. Inside `step`,
    `sum_over_devices` and `device_index` may be called.
    """
    return jax.pmap(step, axis_name=_AXIS, donate_argnums=0)


def each_device(
    function: Callable[..., Any], static_argnums: int | tuple[int, ...] = (), donate_argnums: int | tuple[int, ...] = ()
) -> Callable[..., Any]:
    """Compiles `function` to run on each of this process's devices by itself, on replicated and sharded arguments.

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


def overlapped(function: Callable[[T], R], items: Sequence[T]) -> Iterator[R]:
    """`function` of each item, in order, two of them under way at once; for functions that wait for no other process.

    XLA's code on CPUs reads a decoder's keys and values with one core, which leaves the other cores to a second batch;
    an accelerator works on one batch while the host looks after the other.
    """
    with ThreadPoolExecutor(2) as threads:
        yield from threads.map(function, items)


def sum_over_devices(tree: Any) -> Any:
    """Each array's sum over the devices, the same on all of them; inside `parallel_step` only."""
    return jax.lax.psum(tree, _AXIS)


def device_index() -> jax.Array:
    """This device's number, from 0; inside `parallel_step` only."""
    return jax.lax.axis_index(_AXIS)


def largest(number: int) -> jax.Array:
    """The largest of all processes' numbers, replicated; every process calls it at the same point of the program."""
    return _largest(np.full(local_device_count(), number, np.int32))


_largest = jax.pmap(lambda number: jax.lax.pmax(number, _AXIS), axis_name=_AXIS)
