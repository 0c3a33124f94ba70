"""The command line as a user runs it, in a process of its own or in this one."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from mathderive.cli.main import main

COMPILED = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(tempfile.gettempdir()) / f"mathderive-tests-{os.getpid()}"),
    "JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0",
}
"""Environment variables that let the processes of one test session share compiled code."""

TINY = Path(__file__).with_name("tiny.yaml")


def start(*arguments: str | Path, cwd: Path, **environment: str) -> "subprocess.Popen[str]":
    """Starts `mathderive` with these arguments in `cwd`."""
    return subprocess.Popen(
        [sys.executable, "-m", "mathderive", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **COMPILED, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments: str | Path, cwd: Path, code: int = 0, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs `mathderive` to its end and checks the exit code."""
    process = start(*arguments, cwd=cwd, **environment)
    stdout, stderr = process.communicate(timeout=500)
    assert process.returncode == code, stderr[-3000:]
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_for_step(process: "subprocess.Popen[str]", metrics: Path, step: int) -> None:
    """Returns when training has logged a step; fails if the process ends before."""
    while True:
        # The last line may be half written.
        lines = metrics.read_text().splitlines()[:-1] if metrics.exists() else []
        if lines and json.loads(lines[-1])["step"] >= step:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.002)


def complaint(stderr: str) -> str:
    """The single line of `mathderive` that names the error."""
    lines = stderr.splitlines()
    complaints = [line for line in lines if line.startswith("mathderive: ")]
    assert len(complaints) == 1, lines
    assert "Traceback" not in stderr
    return complaints[0]


class Command:
    """`mathderive` in this process, called in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        monkeypatch.chdir(folder)

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        return code, self._capsys.readouterr().err

    def accepted(self, *arguments: str | Path) -> None:
        code, stderr = self.run(*arguments)
        assert code == 0, stderr

    def refused(self, *arguments: str | Path) -> str:
        """Checks exit code 2 and the single line of the message, which is returned."""
        code, stderr = self.run(*arguments)
        assert code == 2, stderr
        return complaint(stderr)


def jsonl_files(run_folder: Path) -> dict[str, bytes]:
    """Every `.jsonl` file below predictions/ and scores/, by its place."""
    found = {}
    for part in ("predictions", "scores"):
        for path in sorted((run_folder / part).rglob("*.jsonl")):
            found[str(path.relative_to(run_folder))] = path.read_bytes()
    return found


def folder_contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, and every folder below it."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
