"""Options and environment variables that every command obeys, and libraries that are not installed."""

import os
import pty
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.command import complaint, run

PROMPT = r"Given f{(x)} = \sin{(x)}, then obtain \frac{d}{d x} f{(x)} = \cos{(x)}"
DERIVATION = (
    r"f{(x)} = \sin{(x)} and \frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)} and \frac{d}{d x} f{(x)} = \cos{(x)}"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "prompt.txt").write_text(PROMPT)
    (tmp_path / "derivation.txt").write_text(DERIVATION)
    return tmp_path


def test_the_version_is_that_of_the_distribution(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).stdout == f"mathderive {version('mathderive')}\n"


def test_a_shell_completes_commands(tmp_path: Path) -> None:
    completed = run(cwd=tmp_path, _MATHDERIVE_COMPLETE="complete_bash", COMP_WORDS="mathderive con", COMP_CWORD="1")
    assert completed.stdout.split() == ["convert", "conformance"]


@pytest.mark.parametrize("arguments", [("--quiet", "convert"), ("convert", "--quiet")])
def test_a_quiet_command_prints_its_result_only(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    quiet = run(*arguments, "checkpoints/mini", "quiet", cwd=tmp_path)
    assert (quiet.stdout, quiet.stderr) == ("quiet\n", "")


def test_a_quiet_command_prints_its_error(tmp_path: Path) -> None:
    assert complaint(run("check", "missing.txt", "x", "--quiet", cwd=tmp_path, code=2).stderr).startswith(
        "mathderive: missing.txt"
    )


def on_terminal(folder: Path, **environment: str) -> str:
    """What `check` prints on a terminal."""
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "mathderive", "check", "prompt.txt", "derivation.txt"]
    subprocess.run(command, cwd=folder, stdout=follower, env={**os.environ, "TERM": "xterm", **environment}, check=True)
    os.close(follower)
    written = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        written += part
    os.close(leader)
    return written.decode()


@pytest.mark.slow
def test_colours_are_shown_on_terminals_that_have_them_and_not_where_the_user_forbids_them(folder: Path) -> None:
    coloured = on_terminal(folder)
    assert COLOUR.search(coloured)
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert on_terminal(folder, **environment) == COLOUR.sub("", coloured)


@pytest.mark.parametrize("platform", ["cuda", "none-such"])
def test_an_accelerator_that_is_not_there_is_one_line(tmp_path: Path, platform: str) -> None:
    refused = run("train", "--config", "configs/smoke.yaml", cwd=tmp_path, code=2, JAX_PLATFORMS=platform)
    assert complaint(refused.stderr).startswith(f"mathderive: JAX_PLATFORMS={platform}: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("library", "extra", "arguments"),
    [
        ("jax", "train", ("train",)),
        ("tensorflow_datasets", "train", ("data",)),
        ("uvicorn", "serve", ("serve",)),
        ("flax", "train", ("convert", "checkpoints/mini", "out")),
    ],
)
def test_a_library_that_is_not_installed_is_one_line(
    tmp_path: Path, library: str, extra: str, arguments: tuple[str, ...]
) -> None:
    program = f"import sys; sys.modules[{library!r}] = None; from mathderive.cli.main import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 2
    assert complaint(ended.stderr) == (
        f"mathderive: {library} is not installed, and this needs it; expected: pip install 'mathderive[{extra}]'"
    )
    assert list(tmp_path.iterdir()) == []
