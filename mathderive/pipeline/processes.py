"""The division of work among several processes that train one model.

Every process runs the same command. Each makes the data for itself, in a folder of its own; the contents are the same,
so the processes need no shared disk. All processes train. Process 0 alone has the run folder, writes the results,
prints messages and runs the stages after training; the others end after training.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mathderive.config.command_line import ProcessSettings
from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import say
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.stamps import ResultsT, Stage, finished_results, run_stage


def join(processes: ProcessSettings | None) -> int | None:
    """Connects this process to the others that train with it.

    Args:
        processes: this process's place among them; None lets a Cloud TPU VM find out, and stays alone elsewhere.

    Returns:
        This process's number, from 0; None if it is alone.

    Raises:
        InputError: the other processes cannot be reached.
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


@contextmanager
def silence(process: int | None) -> Iterator[None]:
    """Lets only process 0 print messages while the block runs; an error that leaves the block is printed by any."""
    if not process:
        yield
        return
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        yield


def run_stage_together(
    paths: RunPaths, stage: Stage[ResultsT], work: Callable[[], ResultsT], take_part: Callable[[], None]
) -> ResultsT | None:
    """Runs a stage in process 0 while the others take part; afterwards the processes are disconnected.

    Args:
        work: the work of process 0; see `run_stage`.
        take_part: the work of the others, called unless process 0 finds the stage done.

    Returns:
        The results in process 0, None in the others.

    Raises:
        InputError: `work` raised it, or a process has another stamp than process 0.
        Terminated: `work` and `take_part` raised it, in all processes together.
    """
    from mathderive.core import devices

    process = devices.process_index()
    devices.wait_for_all(f"{stage.name} begins")
    first = devices.share({"stamp": stage.stamp, "works": finished_results(paths, stage) is None})
    _check_alike(process, next(_differences(stage.stamp, first["stamp"]), None))
    results = None
    try:
        if process == 0:
            results = run_stage(paths, stage, work)
        elif first["works"]:
            take_part()
    except Terminated:
        devices.disconnect()  # not before process 0 has written its checkpoint
        raise
    devices.disconnect()
    return results


def _check_alike(process: int, difference: str | None) -> None:
    """Ends all processes if one of them has other inputs than process 0."""
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
