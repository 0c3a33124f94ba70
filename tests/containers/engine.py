"""Calls `docker` and `docker compose` as a user does."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
IMAGE = "mathderive-test"


def docker(*arguments: str, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    """Runs `docker ARGUMENTS`; `stdout` holds the output of both streams."""
    return _run(["docker", *arguments], check, seconds)


def inspect(image: str) -> dict[str, Any]:
    described: list[dict[str, Any]] = json.loads(docker("image", "inspect", image).stdout)
    return described[0]


def engine_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class User:
    """A user with a clone of the repository.

    Attributes:
        uid: the id of the user and of the user's group.
        folder: the clone.
        project: the project name for compose.
    """

    uid: int
    folder: Path
    project: str

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def compose(
        self, *arguments: str, config: str = "configs/smoke.yaml", check: bool = True, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Runs `docker compose ARGUMENTS` in the clone as this user, who may use the engine."""
        settings = {"HOST_UID": str(self.uid), "HOST_GID": str(self.uid), "MATHDERIVE_CONFIG": config}
        settings |= {"MATHDERIVE_IMAGE": IMAGE, "COMPOSE_PROJECT_NAME": self.project, "MATHDERIVE_PORT": "0"}
        return _run(
            ["docker", "compose", "--ansi=never", *arguments],
            check,
            seconds,
            cwd=self.folder,
            env={**os.environ, **settings, "HOME": str(self.folder)},
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        """The options that run root's child process as this user, with access to the engine's socket."""
        if self.uid == os.getuid():
            return {}
        socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        return {"user": self.uid, "group": self.uid, "extra_groups": [socket.stat().st_gid]}


def _run(command: Sequence[str], check: bool, seconds: float, **options: Any) -> subprocess.CompletedProcess[str]:
    result: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        text=True,
        timeout=seconds,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **options,
    )
    assert result.returncode == 0 or not check, f"{' '.join(command)}: {result.stdout[-3000:]}"
    return result


def uids() -> Sequence[int]:
    """The user ids to test as: two of them for root, else only the current one."""
    return (1000, 1234) if os.getuid() == 0 else (os.getuid(),)
