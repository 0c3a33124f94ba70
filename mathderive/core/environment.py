"""The code, libraries and machine of a run: recorded with its results and, for some libraries, compared."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_RECORDED = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "sympy", "tensorflow-datasets",
             "sentencepiece", "transformers", "rouge-score", "nltk", "sacrebleu", "openai")  # fmt: skip


def versions(names: Sequence[str]) -> dict[str, str]:
    """The installed version of each distribution."""
    return {name: importlib.metadata.version(name) for name in names}


def cores() -> int:
    """Number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """Size of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def describe() -> dict[str, Any]:
    """Describes code, libraries and machine as plain JSON data."""
    return {
        "mathderive": importlib.metadata.version("mathderive"),
        "git_revision": git_revision(Path(__file__).parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(memory_bytes() / 2**30, 1),
        "versions": versions(_RECORDED),
    }


def git_revision(folder: Path) -> str | None:
    """The commit of the checkout, with `+` after it if files differ from the commit; None if it is unknown.

    A container image has no checkout. Its build sets `MATHDERIVE_REVISION` instead.
    """
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("MATHDERIVE_REVISION") or None
    return answer.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()
