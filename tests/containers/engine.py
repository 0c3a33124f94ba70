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
        image: the name of the image that compose uses, or builds if there is none.
    """

    uid: int
    folder: Path
    project: str
    image: str = IMAGE

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def compose(
        self,
        *arguments: str,
        config: str = "configs/smoke.yaml",
        host_uid: str | None = None,
        check: bool = True,
        seconds: float = 300,
    ) -> subprocess.CompletedProcess[str]:
        """Runs `docker compose ARGUMENTS` in the clone as this user, who may use the engine.

        The variables HOST_UID and HOST_GID are absent unless `host_uid` is given, which is the value of both.
        """
        settings = {"MATHDERIVE_CONFIG": config, "MATHDERIVE_IMAGE": self.image, "MATHDERIVE_PORT": "0"}
        settings |= {"COMPOSE_PROJECT_NAME": self.project, "HOME": str(self.folder)}
        settings["BUILDX_CONFIG"] = str(self.folder.parent / "buildx")  # a build writes there
        if host_uid is not None:
            settings |= {"HOST_UID": host_uid, "HOST_GID": host_uid}
        inherited = {name: value for name, value in os.environ.items() if name not in ("HOST_UID", "HOST_GID")}
        return _run(
            ["docker", "compose", "--ansi=never", *arguments],
            check,
            seconds,
            cwd=self.folder,
            env={**inherited, **settings},
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
    """The user ids to test as: for root, those of root, the image's user and another one; else only the current one."""
    return (0, 1000, 4242) if os.getuid() == 0 else (os.getuid(),)
