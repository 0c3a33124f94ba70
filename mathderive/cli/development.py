"""The commands for developers: `test`, `lint` and `docs`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mathderive.core.bundled import CHECKOUT
from mathderive.core.errors import InputError
from mathderive.core.files import replacing


def run_tests(
    context: typer.Context,
    slow: Annotated[bool, typer.Option("--slow", help="Run slow tests too.")] = False,
    containers: Annotated[
        bool,
        typer.Option("--containers", help="Run only the tests of the images and compose.yaml; needs a Docker engine."),
    ] = False,
) -> None:
    """Run the test suite on all cores; further arguments go to pytest (`-n 0` for one process)."""
    # A file's tests share fixtures, so each file runs in one process; tests/conftest.py decides the order of files.
    cores = ["--numprocesses=auto", "--dist=loadfile", "--no-loadscope-reorder"]
    selection = ["-m", "not containers" if slow else "not containers and not slow"]
    if containers:
        cores, selection = [], ["-m", "containers", "-rs", "-s"]
    _run_tools([[sys.executable, "-m", "pytest", *cores, *selection, *context.args]])


def run_linters() -> None:
    """Check style, types, the layers' import contracts, the shell scripts and the Dockerfile."""
    python, tools = [sys.executable, "-m"], Path(sys.executable).parent
    root = _checkout()
    scripts = [
        str(path) for place in ("*.sh", "requirements/*.sh", "scripts/*.sh", ".ci/*") for path in root.glob(place)
    ]
    _run_tools(
        [
            [*python, "ruff", "check", "."],
            [*python, "ruff", "format", "--check", "."],
            [*python, "mypy"],
            [str(tools / "lint-imports")],
            [str(tools / "shellcheck"), *sorted(scripts)],
            [str(tools / "hadolint"), "Dockerfile"],
        ]
    )


def build_docs(
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder to make; an earlier site in it is replaced.")
    ] = Path("site"),
    update: Annotated[
        bool, typer.Option("--update", help="First write the keys in docs/configuration.md from the config's types.")
    ] = False,
) -> None:
    """Build the documentation as a web site, and check its links."""
    root = _checkout()
    # MkDocs deletes what the folder holds.
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir()) and not (folder / "sitemap.xml").is_file()):
        raise InputError(f"{folder}: not a site; expected a new folder, or one that this command made")
    if update:
        from mathderive.config.reference import updated_page

        page = root / "docs" / "configuration.md"
        updated = updated_page(page.read_text(encoding="utf-8"))
        with replacing(page, "w") as stream:
            stream.write(updated)
    _run_tools([[sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder.resolve())]])


def _run_tools(commands: Sequence[Sequence[str]]) -> None:
    """Runs each command in the repository and exits with the first exit code that is not 0."""
    root = _checkout()
    codes = [subprocess.run(command, cwd=root, check=False).returncode for command in commands]
    raise typer.Exit(next((code for code in codes if code), 0))


def _checkout() -> Path:
    """The folder of the repository.

    Raises:
        InputError: the package was installed without one.
    """
    if CHECKOUT is None:
        raise InputError(
            "test, lint and docs are for a checkout of the repository; this package was installed without one"
        )
    return CHECKOUT
