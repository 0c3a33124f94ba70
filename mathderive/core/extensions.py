"""Python files outside the package that register an operator, a text metric, a predictor or an evaluation set.

A config names them under `extensions`; docs/extending.md shows one of each. They are loaded before the rest of the
config is validated, and again in every worker process, which starts without anything registered.
"""

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from mathderive.core.errors import InputError
from mathderive.core.files import sha256

VARIABLE = "MATHDERIVE_EXTENSIONS"
"""The environment variable that tells worker processes which files to load."""

_digests: dict[Path, str] = {}


def load_extensions(paths: Iterable[Path]) -> None:
    """Runs each file once in this process, as the module `mathderive_extension_NAME`.

    Raises:
        InputError: a file is missing, is no Python, or raises an exception; names the file.
    """
    for path in map(_resolved, paths):
        if path not in _digests:
            _load(path)
    os.environ[VARIABLE] = os.pathsep.join(map(str, _digests))


def load_inherited_extensions() -> None:
    """Loads the files that the process which started this one had loaded."""
    load_extensions(Path(path) for path in os.environ.get(VARIABLE, "").split(os.pathsep) if path)


def extension_digests() -> dict[str, str]:
    """The SHA-256 of each loaded file by its name, for the stages' stamps."""
    return {path.name: digest for path, digest in _digests.items()}


def _resolved(path: Path) -> Path:
    """The absolute path of a Python file that `VARIABLE` can hold."""
    try:
        resolved = path.resolve()
        is_usable = resolved.suffix == ".py" and resolved.is_file()
    except (OSError, RuntimeError, ValueError):  # too long a name, a loop of links, a NUL character
        is_usable = False
    if not is_usable:
        raise InputError(f"{path}: no such file; expected a Python file, as docs/extending.md shows")
    if os.pathsep in str(resolved) or not str(resolved).isprintable():
        raise InputError(f"{path}: expected a path of printable characters without {os.pathsep}")
    return resolved


def _load(path: Path) -> None:
    digest = sha256(path)
    name = f"mathderive_extension_{path.stem}"
    if any(loaded.stem == path.stem for loaded in _digests):
        raise InputError(f"{path}: another extension has this file name; expected a different one")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs, so that its classes can be pickled
    try:
        spec.loader.exec_module(module)
    except InputError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise InputError(f"{path}: raises {type(error).__name__}: {error}; expected it to load") from error
    _digests[path] = digest
