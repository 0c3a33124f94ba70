"""What a run ran on: recorded with its results, compared only where a library's version decides them."""

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
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def describe() -> dict[str, Any]:
    """Code, libraries and machine, as plain JSON data."""
    return {
        "mathderive": importlib.metadata.version("mathderive"),
        "git_revision": git_revision(Path(__file__).parent),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "versions": versions(_RECORDED),
    }


def git_revision(folder: Path) -> str | None:
    """The commit the code is at, `+` behind it where files differ from it; null where that cannot be found out.

    An image has no checkout; it was told at its build.
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
