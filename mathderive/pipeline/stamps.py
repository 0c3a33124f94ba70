"""A stage runs once for the same inputs, goes on after a kill, and keeps aside what an earlier one left.

A stage's stamp is everything that decides its output: its part of the config, the hashes of what it reads, its
version, and the versions of the libraries it rests on. Its manifest, `STAGE.json`, holds the stamp and whether the
stage is done; output without a manifest of the same stamp is never written over, it is moved to `old/`.
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mathderive.core.environment import describe
from mathderive.core.errors import InputError
from mathderive.core.files import write_json
from mathderive.core.progress import say


def run_stage(
    folder: Path, name: str, stamp: dict[str, Any], outputs: Sequence[str], work: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Runs `work` unless it is done with the same stamp.

    Args:
        folder: the run folder.
        name: the stage's name, that of its manifest.
        stamp: plain JSON data; see the module's text.
        outputs: files or folders below `folder` that the stage writes.
        work: does the stage's work, going on from what a killed call left; returns its results as JSON data.

    Returns:
        The results, from this call or an earlier one.

    Raises:
        InputError: `work` did; if it had written nothing by then, the earlier results are back in their place.
    """
    manifest_path = folder / f"{name}.json"
    manifest = read_manifest(manifest_path)
    aside = None
    if manifest and is_done(folder, name, stamp, outputs):
        say(f"{name}: nothing to do, it is done with the same inputs")
        return manifest["results"]
    if manifest and manifest["stamp"] == stamp and not manifest["done"]:
        say(f"{name}: goes on from where it was")
    else:
        aside = _set_aside(folder, [manifest_path.name, *outputs])
        manifest = {"stage": name, "done": False, "stamp": stamp, "started": _now(), "seconds": 0.0}
        write_json(manifest_path, manifest)
        say(f"{name}: begins")
    started = time.monotonic()
    try:
        results = work()
    except InputError:
        if aside and not any((folder / output).exists() for output in outputs):
            _put_back(folder, aside)
        raise
    seconds = manifest["seconds"] + time.monotonic() - started
    finished = {"done": True, "ended": _now(), "seconds": round(seconds, 1)}
    write_json(manifest_path, {**manifest, **finished, "environment": describe(), "results": results})
    places = ", ".join(str(folder / output) for output in outputs)
    say(f"{name}: done in {seconds:.0f} s, output in {places}")
    return results


def is_done(folder: Path, name: str, stamp: dict[str, Any], outputs: Sequence[str]) -> bool:
    """Whether `run_stage` would find nothing to do."""
    manifest = read_manifest(folder / f"{name}.json")
    same = manifest is not None and manifest["done"] and manifest["stamp"] == stamp
    return same and all((folder / output).exists() for output in outputs)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A stage's manifest; null where there is none that can be read, so that the stage begins anew."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        complete = {"stamp", "done", "seconds"} <= manifest.keys() and ("results" in manifest or not manifest["done"])
    except (OSError, ValueError, AttributeError):
        return None
    return manifest if complete else None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a second process out of the run folder; the lock falls with the process that holds it.

    Raises:
        InputError: another process is at work there, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(f"{error.filename}: {error.strerror}; expected a folder, or none yet") from None
    except PermissionError as error:
        raise InputError(
            f"{error.filename}: may not be written by user {os.getuid()}; expected a folder of that user's, "
            "or, with docker compose, HOST_UID=$(id -u) HOST_GID=$(id -g) before it"
        ) from None
    with lock as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is at work on this run; expected one at a time") from None
        yield


def _set_aside(folder: Path, names: Sequence[str]) -> Path | None:
    present = [folder / name for name in names if (folder / name).exists()]
    if not present:
        return None
    aside = folder / "old" / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    # The manifest goes first: output without one is moved aside as well, so a kill in between loses nothing.
    for path in present:
        target = aside / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    say(f"earlier results are kept in {aside}")
    return aside


def _put_back(folder: Path, aside: Path) -> None:
    for path in sorted(aside.rglob("*"), key=lambda path: len(path.parts)):
        target = folder / path.relative_to(aside)
        if path.exists() and (path.is_file() or not target.exists()):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(aside)
    say(f"earlier results are back in {folder}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
