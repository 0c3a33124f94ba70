"""A Docker engine, the images, and clones of the repository that belong to users."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import IMAGE, ROOT, User, docker, engine_runs, uids

BUILD_SECONDS = 1200

PRIVATE_IMAGE = f"{IMAGE}-private"


@pytest.fixture(scope="session")
def engine() -> None:
    """A running engine, which `docker` finds by its environment variables; skips the tests if there is none."""
    if not engine_runs():
        pytest.skip("no Docker engine runs here: nothing about the containers was checked")


@pytest.fixture(scope="module")
def users(base: str, image: str) -> Iterator[dict[int, User]]:
    """The users by uid; everything that compose made for them is removed at the end.

    The last user has an image of their own, built from a clone made with the settings of git for Windows, and under a
    umask that lets only the owner read it.
    """
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        found: dict[int, User] = {}
        for uid in uids():
            last = uid == uids()[-1]
            user = User(uid, Path(place) / str(uid) / "mathderive", f"{IMAGE}-{uid}", PRIVATE_IMAGE if last else IMAGE)
            user.folder.parent.mkdir()
            options = ["-c", "core.autocrlf=true"] if last else []
            command = ["git", *options, "clone", "--quiet", str(ROOT), str(user.folder)]
            subprocess.run(command, check=True, umask=0o077 if last else 0o022)
            if os.getuid() == 0:
                subprocess.run(["chown", "--recursive", f"{uid}:{uid}", user.folder.parent], check=True)
            found[uid] = user
        try:
            user.compose("build", f"--build-arg=BASE_IMAGE={base}", seconds=BUILD_SECONDS)
            yield found
        finally:
            for user in found.values():
                user.compose("--profile=*", "down", "--volumes", "--timeout=1")
            docker("rmi", "--force", f"{PRIVATE_IMAGE}:cpu")


@pytest.fixture(scope="session")
def base(engine: None) -> str:
    name = os.environ.get("MATHDERIVE_BASE_IMAGE", "python:3.13-slim-trixie")
    if docker("image", "inspect", name, check=False).returncode != 0:
        docker("pull", "--quiet", name)
    return name


@pytest.fixture(scope="session")
def image(base: str) -> Iterator[str]:
    """The image for the CPU, built from a clone without a cache."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["git", "clone", "--quiet", ROOT, place], check=True)
        arguments = [f"--build-arg=BASE_IMAGE={base}", place]
        docker("build", "--no-cache", f"--tag={IMAGE}:cpu", *arguments, seconds=BUILD_SECONDS)
        docker("build", "--target=test", f"--tag={IMAGE}:test", *arguments, seconds=BUILD_SECONDS)
    yield f"{IMAGE}:cpu"
    docker("rmi", "--force", f"{IMAGE}:cpu", f"{IMAGE}:test")
