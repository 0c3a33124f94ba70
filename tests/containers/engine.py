"""Docker, as a user calls it."""

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
    """`docker ARGUMENTS`, with what it says on both streams as `stdout`."""
    return _run(["docker", *arguments], check, seconds)


def inspect(image: str) -> dict[str, Any]:
    return json.loads(docker("image", "inspect", image).stdout)[0]


def answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "version"], capture_output=True, check=False).returncode == 0


@dataclass(frozen=True)
class User:
    """A user with a clone of the repository.

    Attributes:
        uid: of the user, and the group's.
        folder: the clone.
        project: the name that compose gives to what it makes.
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
        """`docker compose ARGUMENTS` in the clone, as this user, who may use the engine, would give it."""
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
        """What makes root's child this user's, who may use the engine."""
        if self.uid == os.getuid():
            return {}
        socket = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
        return {"user": self.uid, "group": self.uid, "extra_groups": [socket.stat().st_gid]}


def _run(command: Sequence[str], check: bool, seconds: float, **how: Any) -> subprocess.CompletedProcess[str]:
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    result = subprocess.run(command, text=True, timeout=seconds, check=False, **streams, **how)
    assert result.returncode == 0 or not check, f"{' '.join(command)}: {result.stdout[-3000:]}"
    return result


def uids() -> Sequence[int]:
    """Whom root plays; anyone else is only themselves."""
    return (1000, 1234) if os.getuid() == 0 else (os.getuid(),)
