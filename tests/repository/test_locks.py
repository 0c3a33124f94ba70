"""The lock files satisfy pyproject.toml, pin by hash, and name no index or machine."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.declared import requirements

ROOT = Path(__file__).parents[2]
LOCKS = {"cpu": ["all"], "cuda": ["cuda"], "tpu": ["tpu"], "dev": ["dev"], "beam": ["beam", "dev"]}


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
    build = (ROOT / "requirements" / "build.in").read_text(encoding="utf-8").splitlines()
    tools = [Requirement(line.partition("#")[0]) for line in build if not line.startswith("#")]
    for requirement in [*requirements(LOCKS[name]), *tools]:
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert any(requirement.specifier.contains(version, prereleases=True) for version in versions), requirement


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
