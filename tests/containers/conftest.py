"""A Docker engine, the images, and clones of the repository that belong to users.

The engine at hand is taken, or else a private one, which a tool beside the checkout starts for root on Debian. That one
cannot pull, and its base image is a stand-in: Debian's own Python, not the official image's.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from containers.engine import IMAGE, ROOT, User, answers, docker, uids

PRIVATE_ENGINE = ROOT.parent / "shared" / "tools" / "docker_engine.sh"
BUILD_SECONDS = 1200


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """A running engine, which `docker` finds by its environment."""
    if answers():
        yield
        return
    if not PRIVATE_ENGINE.exists() or os.getuid() != 0:
        pytest.skip("no Docker engine runs here: nothing about the containers was checked")
    print("a private Docker engine; its python:3.13-slim-trixie is a STAND-IN, Debian's Python", file=sys.stderr)
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        folder = Path(place) / "engine"
        Path(place).chmod(0o755)
        patch.setenv("W", str(folder))
        patch.setenv("DOCKER_HOST", f"unix://{folder}/docker.sock")
        patch.setenv("DOCKER_CONFIG", f"{folder}/cfg")
        policy = _forwarding_policy()
        try:
            subprocess.run([PRIVATE_ENGINE, "start"], stdout=subprocess.DEVNULL, check=True, timeout=BUILD_SECONDS)
            yield
        finally:
            subprocess.run([PRIVATE_ENGINE, "stop"], stdout=subprocess.DEVNULL, check=True, timeout=300)
            # The engine's own, DROP, would stay where no rule had been there to go back to.
            subprocess.run(["iptables", "--policy", "FORWARD", policy], check=True)


def _forwarding_policy() -> str:
    """What this machine does with packets that are not for itself."""
    if shutil.which("iptables") is None:
        return "ACCEPT"
    listed = subprocess.run(["iptables", "--list-rules", "FORWARD"], capture_output=True, text=True, check=True).stdout
    return listed.split()[2]  # -P FORWARD ACCEPT


@pytest.fixture(scope="module")
def users(image: str) -> Iterator[dict[int, User]]:
    """By uid; what compose made for them is removed in the end."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        found: dict[int, User] = {}
        for uid in uids():
            user = User(uid, Path(place) / str(uid) / "mathderive", f"{IMAGE}-{uid}")
            subprocess.run(["git", "clone", "--quiet", ROOT, user.folder], check=True)
            if os.getuid() == 0:
                subprocess.run(["chown", "--recursive", f"{uid}:{uid}", user.folder], check=True)
            found[uid] = user
        try:
            yield found
        finally:
            for user in found.values():
                user.compose("--profile=*", "down", "--volumes", "--timeout=1")


@pytest.fixture(scope="session")
def base(engine: None) -> str:
    name = os.environ.get("MATHDERIVE_BASE_IMAGE", "python:3.13-slim-trixie")
    if docker("image", "inspect", name, check=False).returncode != 0:
        docker("pull", "--quiet", name)
    return name


@pytest.fixture(scope="session")
def image(base: str) -> Iterator[str]:
    """The image for the CPU, built from nothing from a clone."""
    with tempfile.TemporaryDirectory() as place:
        subprocess.run(["git", "clone", "--quiet", ROOT, place], check=True)
        arguments = [f"--build-arg=BASE_IMAGE={base}", place]
        docker("build", "--no-cache", f"--tag={IMAGE}:cpu", *arguments, seconds=BUILD_SECONDS)
        docker("build", "--target=test", f"--tag={IMAGE}:test", *arguments, seconds=BUILD_SECONDS)
    yield f"{IMAGE}:cpu"
    docker("rmi", "--force", f"{IMAGE}:cpu", f"{IMAGE}:test")
