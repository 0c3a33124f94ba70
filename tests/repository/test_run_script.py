"""The script that makes the environment and hands over to the command."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _checkout_with_environment(place: Path) -> None:
    """Makes a checkout whose environment holds exactly what its lock file says, with a command that only speaks."""
    (place / "requirements").mkdir()
    shutil.copy(ROOT / "run.sh", place)
    lock, project = place / "requirements/cpu.txt", place / "pyproject.toml"
    lock.write_text("a==1\n")
    project.write_text("[project]\n")
    command = place / ".venv/bin/mathderive"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/bash\necho the command has: $*\n")
    command.chmod(0o755)
    digest = hashlib.sha256(lock.read_bytes() + project.read_bytes()).hexdigest()
    (place / ".venv/.installed-cpu").write_text(f"{digest}  -\n")


@pytest.mark.parametrize("checksum", ["sha256sum", "shasum"])
def test_an_environment_is_recognised_with_the_checksums_of_linux_and_of_macos(tmp_path: Path, checksum: str) -> None:
    programs = {name: shutil.which(name) for name in ("bash", "cat", "basename", "dirname", checksum)}
    if None in programs.values():
        pytest.skip(f"no {checksum} on this machine")
    _checkout_with_environment(tmp_path)
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, path in programs.items():
        (tools / name).symlink_to(str(path))
    ran = subprocess.run(
        [str(tools / "bash"), "run.sh", "data", "--help"],
        cwd=tmp_path,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "the command has: data --help\n", "")


def test_the_command_runs_in_the_folder_of_the_caller(tmp_path: Path) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    checkout.mkdir()
    elsewhere.mkdir()
    _checkout_with_environment(checkout)
    (checkout / ".venv/bin/mathderive").write_text("#!/bin/bash\npwd\n")
    environment = {"PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["bash", "../checkout/run.sh"], cwd=elsewhere, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(ran.stdout.strip()) == elsewhere.resolve()
