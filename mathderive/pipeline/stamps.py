"""Runs a stage once for the same inputs, resumes it after a kill, and keeps what an earlier run of it left.

A stage's stamp is everything that decides its output: its part of the config, the hashes of what it reads, its
version, and the versions of the libraries it depends on. Its manifest, `STAGE.json`, holds the stamp and says whether
the stage is done. Output without a manifest of the same stamp is never overwritten: it is moved to `old/`.
"""

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from mathderive.core.environment import describe
from mathderive.core.errors import InputError
from mathderive.core.files import existing_folder, remove_unfinished, write_json
from mathderive.core.progress import say
from mathderive.core.regular_files import read_regular_file
from mathderive.pipeline.paths import RunPaths

Stamp = dict[str, Any]
"""Plain JSON data; see the module's text."""

MAX_MANIFEST_BYTES = 2**26
"""Maximum size of a manifest, which names files with their checksums."""

ResultsT = TypeVar("ResultsT", bound=BaseModel)


@dataclass(frozen=True)
class Stage(Generic[ResultsT]):
    """A stage to run.

    Attributes:
        name: also the name of its manifest.
        stamp: see the module's text.
        outputs: the files or folders in the run folder that the stage writes.
        results: the type of its results.
    """

    name: str
    stamp: Stamp
    outputs: Sequence[Path]
    results: type[ResultsT]


class Manifest(BaseModel):
    """The contents of `STAGE.json`; `ended`, `environment` and `results` are there once the stage is done.

    Attributes:
        seconds: the time of all calls that worked on the stage together.
        environment: the code, libraries and machine of the last call.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    stage: str = ""
    done: bool
    stamp: Stamp
    started: str = ""
    seconds: float
    ended: str | None = None
    environment: dict[str, Any] | None = None
    results: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _has_results_if_done(self) -> "Manifest":
        if self.done and self.results is None:
            raise ValueError("a stage that is done has results")
        return self


def run_stage(paths: RunPaths, stage: Stage[ResultsT], work: Callable[[], ResultsT]) -> ResultsT:
    """Runs `work` unless the stage is done with the same stamp.

    Args:
        work: does the stage's work, and resumes what a killed call left.

    Returns:
        The results, from this call or an earlier one.

    Raises:
        InputError: `work` raised it; if it had written no file by then, the run folder is as it was before.
    """
    name = stage.name
    finished = finished_results(paths, stage)
    if finished is not None:
        say(f"{name}: nothing to do, it is done with the same inputs")
        return finished
    manifest = read_manifest(paths.manifest(name))
    aside = None
    if manifest and manifest.stamp == stage.stamp and not manifest.done:
        say(f"{name}: goes on from where it was")
    else:
        aside = _set_aside(paths, [paths.manifest(name), *stage.outputs])
        manifest = Manifest(stage=name, done=False, stamp=stage.stamp, started=_now(), seconds=0.0)
        _write_manifest(paths, manifest)
        say(f"{name}: begins")
    started = time.monotonic()
    try:
        results = work()
    except InputError:
        if not any(map(_holds_files, stage.outputs)):
            _undo_begin(paths, stage, aside)
        raise
    seconds = manifest.seconds + time.monotonic() - started
    done = {"done": True, "ended": _now(), "seconds": round(seconds, 1), "environment": describe()}
    done["results"] = results.model_dump(mode="json", exclude_unset=True)
    _write_manifest(paths, manifest.model_copy(update=done))
    say(f"{name}: done in {seconds:.0f} s, output in {', '.join(map(str, stage.outputs))}")
    return results


def finished_results(paths: RunPaths, stage: Stage[ResultsT]) -> ResultsT | None:
    """The results of a stage that is done with the same stamp and has its outputs; None for any other."""
    manifest = read_manifest(paths.manifest(stage.name))
    if manifest is None or not manifest.done or manifest.stamp != stage.stamp:
        return None
    if not all(output.exists() for output in stage.outputs):
        return None
    try:
        return stage.results.model_validate(manifest.results)
    except ValidationError:
        return None


def is_done_so_far(paths: RunPaths, name: str, known: Stamp, outputs: Sequence[Path]) -> bool:
    """Whether a stage is done with a stamp that holds `known`, the part of it that earlier stages do not decide."""
    manifest = read_manifest(paths.manifest(name))
    if manifest is None or not manifest.done:
        return False
    same = all(key in manifest.stamp and manifest.stamp[key] == value for key, value in known.items())
    return same and all(output.exists() for output in outputs)


def read_manifest(path: Path) -> Manifest | None:
    """A stage's manifest; None if there is none that can be read, so that the stage begins anew."""
    try:
        return Manifest.model_validate_json(read_regular_file(path, MAX_MANIFEST_BYTES, "a stage's manifest"))
    except (InputError, ValidationError):
        return None


def _write_manifest(paths: RunPaths, manifest: Manifest) -> None:
    write_json(paths.manifest(manifest.stage), manifest.model_dump(mode="json", exclude_unset=True))


@contextmanager
def locked(paths: RunPaths) -> Iterator[None]:
    """Keeps a second process out of the run folder; the lock ends with the process that holds it.

    Files that a killed process had not finished are removed.

    If the block raises before anything was written, a new run folder is removed again.

    Raises:
        InputError: another process works in the folder, or it cannot be made or written.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(existing_folder(paths.folder))
            is_new = not paths.lock.exists()
            # Opening a pipe for reading and writing does not wait, and nothing is written to the file.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            stream = stack.enter_context(os.fdopen(os.open(paths.lock, flags, 0o666), "r+b", buffering=0))
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise InputError(f"{paths.lock}: expected a regular file, or none yet")
        except PermissionError as error:
            raise InputError(
                f"{error.filename}: may not be written by user {os.getuid()}; expected a folder of that user's"
            ) from None
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}; expected a folder, or none yet") from None
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not paths.lock.exists() or not os.path.samestat(os.fstat(stream.fileno()), paths.lock.stat()):
                raise BlockingIOError  # a process that was refused has removed the file
        except BlockingIOError:
            raise InputError(
                f"{paths.folder}: another process is at work on this run; expected one at a time"
            ) from None
        try:
            remove_unfinished(paths.folder, paths.lock.name)
            yield
        except BaseException:
            if is_new and [paths.lock] == list(paths.folder.iterdir()):
                paths.lock.unlink()
            raise


def _set_aside(paths: RunPaths, outputs: Sequence[Path]) -> Path | None:
    present = [path for path in outputs if path.exists()]
    if not present:
        return None
    aside = paths.old / datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    # The manifest is moved first: output without one is moved as well, so a kill in between loses nothing.
    for path in present:
        target = aside / path.relative_to(paths.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    say(f"earlier results are kept in {aside}")
    return aside


def _undo_begin(paths: RunPaths, stage: Stage[Any], aside: Path | None) -> None:
    """Removes the manifest and the empty folders of a stage that wrote nothing, and puts earlier results back."""
    paths.manifest(stage.name).unlink()
    for output in stage.outputs:
        shutil.rmtree(output, ignore_errors=True)
    if aside is None:
        return
    for path in sorted(aside.rglob("*"), key=lambda path: len(path.parts)):
        target = paths.folder / path.relative_to(aside)
        if path.exists() and (path.is_file() or not target.exists()):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
    shutil.rmtree(aside)
    if not any(paths.old.iterdir()):
        paths.old.rmdir()
    say(f"earlier results are back in {paths.folder}")


def _holds_files(path: Path) -> bool:
    return path.is_file() or any(inner.is_file() for inner in path.rglob("*"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
