"""The lock files satisfy pyproject.toml, pin by hash, and name no index or machine."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCKS = {"cpu": [], "cuda": ["cuda"], "tpu": ["tpu"], "dev": ["dev"], "beam": ["beam", "dev"]}


def pins(name: str) -> dict[str, list[str]]:
    """The versions of each distribution; several where they differ between Pythons."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;]+)", line):
            found.setdefault(canonicalize_name(match[1]), []).append(match[2])
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_in_step(name: str) -> None:
    locked = pins(name)
    wanted = PROJECT["dependencies"] + [one for extra in LOCKS[name] for one in PROJECT["optional-dependencies"][extra]]
    wanted += (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()
    for line in wanted:
        if line.startswith("#"):
            continue
        requirement = Requirement(line.partition("#")[0])
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(version, prereleases=True) for version in versions), line


@pytest.mark.parametrize(("name", "plugin"), [("cuda", "jax-cuda12-plugin"), ("tpu", "libtpu")])
def test_an_accelerators_lock_has_its_plugin(name: str, plugin: str) -> None:
    assert plugin in pins(name)
    assert plugin not in pins("cpu")
    shared = pins("cpu")
    assert {one: pins(name)[one] for one in shared} == shared  # the same library everywhere else


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place(name: str) -> None:
    for line in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(
            r"[A-Za-z0-9._-]+(\[[a-z0-9,-]+\])?==[^\s;]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line
