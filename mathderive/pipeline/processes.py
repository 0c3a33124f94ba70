"""Several processes that train one model: which of them does what.

Every process runs the same command. Each makes the data for itself, in a folder of its own: the contents are the
same, and so no disk need be shared. All train. Process 0 alone has the run folder, writes, speaks, and carries out
what follows training; the others end there.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mathderive.config.schema import ProcessSettings
from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import say
from mathderive.pipeline.stamps import is_done, run_stage


def join(processes: ProcessSettings | None) -> int | None:
    """Makes this process one of several, where it is to be; on a Cloud TPU VM that is found out.

    Returns:
        Its number, from 0; null if it is alone.

    Raises:
        InputError: the others cannot be reached.
    """
    if processes is None and not _on_cloud_tpu():
        return None
    from mathderive.core import devices  # JAX takes a second

    if processes is None:
        devices.connect()
    else:
        if processes.index == 0:
            say(f"train: process 0 waits for {processes.count - 1} more at {processes.coordinator}")
        devices.connect(processes.coordinator, processes.count, processes.index)
    if devices.process_count() == 1:
        return None
    if devices.process_index() == 0:
        say(f"train: {devices.process_count()} processes, {devices.device_count()} devices")
    return devices.process_index()


def own_folder(folder: Path, process: int | None) -> Path:
    """The run folder as this process has it."""
    return folder / f"process-{process}" if process else folder


@contextmanager
def silence(process: int | None) -> Iterator[None]:
    """Lets only process 0 speak while the block runs; an error that leaves it is heard from any."""
    if not process:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        yield


def run_stage_together(
    folder: Path,
    name: str,
    stamp: dict[str, Any],
    outputs: Sequence[str],
    work: Callable[[], dict[str, Any]],
    take_part: Callable[[], None],
) -> dict[str, Any]:
    """`run_stage` in process 0 while the others take part; afterwards each is on its own.

    Args:
        work: process 0's; the other arguments are those of `run_stage` as well.
        take_part: the others' work, called if process 0 works and does not find the stage done.

    Returns:
        The results in process 0, nothing in the others.

    Raises:
        InputError: `work` did, or a process has another stamp than process 0.
        Terminated: `work` and `take_part` did, all of them together.
    """
    from mathderive.core import devices

    process = devices.process_index()
    devices.wait_for_all(f"{name} begins")
    first = devices.share({"stamp": stamp, "works": not is_done(folder, name, stamp, outputs)})
    _check_alike(process, next(_differences(stamp, first["stamp"]), None))
    results = {}
    try:
        if process == 0:
            results = run_stage(folder, name, stamp, outputs, work)
        elif first["works"]:
            take_part()
    except Terminated:
        devices.disconnect()  # not before process 0 has written its checkpoint
        raise
    devices.disconnect()
    return results


def _check_alike(process: int, difference: str | None) -> None:
    """Ends all processes if there is a difference between process 0 and any of them."""
    from mathderive.core import devices

    other = int(devices.unreplicate(devices.largest(process if difference else 0)))
    if difference:
        raise InputError(f"process {process}: {difference}; expected the same code and command in every process")
    if other:
        raise InputError(f"process {other} has other settings, data or libraries than process 0; it says which")


def _differences(mine: Mapping[str, Any], first: Mapping[str, Any], below: str = "") -> Iterator[str]:
    for key in sorted({*mine, *first}):
        here, there = mine.get(key), first.get(key)
        if isinstance(here, dict) and isinstance(there, dict):
            yield from _differences(here, there, f"{below}{key}.")
        elif here != there:
            yield f"{below}{key} is {here!r} here and {there!r} in process 0"


def _on_cloud_tpu() -> bool:
    chips = (*Path("/dev").glob("accel*"), *Path("/dev/vfio").glob("[0-9]*"))
    return bool(chips) and find_spec("libtpu") is not None
