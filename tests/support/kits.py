"""An environment with other kits, made once for all processes of a test session."""

import fcntl
import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGES = (
    *("trl==1.16.0", "reasoning-gym==0.1.25", "verifiers==0.4.0", "lm_eval[api]==0.4.13", "inspect-ai==0.3.285"),
    "uv>=0.9",  # with which verifiers starts its programs
)
OPENAI = "openai>=3.4"
"""Inspect's client of OpenAI-compatible endpoints; verifiers needs an older one, so it lies in a folder of its own."""

ROOT = Path(__file__).parents[2]


def kits_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment with the kits and the wheel; skips the test where there is none.

    The environment also sees the libraries of this one, so PyTorch and much else is not installed again.
    """
    if find_spec("torch") is None:
        pytest.skip("PyTorch is not installed, and the kits need it: pip install torch==2.13.0")
    shared = factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    folder, outcome = shared / "kits", shared / "kits.outcome"
    with (shared / "kits.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not outcome.exists():
            outcome.write_text(_install(folder))
    if fault := outcome.read_text():
        pytest.skip(f"{', '.join(PACKAGES)} cannot be installed here: {fault}")
    return folder / "bin"


def _install(folder: Path) -> str:
    """Makes the environment; the end of pip's complaint, or nothing."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (packages,) = (folder / "lib").glob("python3*/site-packages")
    places = [place for place in sys.path if place.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(places))
    pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        subprocess.run([*pip, *PACKAGES], check=True, capture_output=True, text=True, timeout=900)
        subprocess.run(
            [*pip, "--no-deps", "--target", folder / "openai", OPENAI],
            check=True,
            capture_output=True,
            text=True,
            timeout=300,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        return str(error.stderr or error)[-300:]
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
    ]
    subprocess.run([*build, folder, ROOT], check=True, timeout=300)
    subprocess.run([*pip, "--no-deps", "--force-reinstall", *folder.glob("*.whl")], check=True, timeout=300)
    return ""
