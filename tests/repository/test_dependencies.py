"""pyproject.toml declares every distribution that the packages import."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from tests.support.declared import requirements

ROOT = Path(__file__).parents[2]
OWN = ("mathderive", "tfds_builders")
KITS = ("anyio", "datasets", "inspect_ai", "lm_eval", "reasoning_gym", "trl", "verifiers")
"""Kits that import this package, and what they bring; their users have them installed."""


def imported_packages() -> Iterator[tuple[str, Path]]:
    """Every top-level package from outside that a file imports, and the file."""
    for package in OWN:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names = [node.module]
                for name in names:
                    top = name.partition(".")[0]
                    if top not in OWN and top not in sys.stdlib_module_names:
                        yield top, path


def test_every_imported_distribution_is_declared() -> None:
    declared = {canonicalize_name(one.name) for one in requirements(["all", "beam"])}
    distributions = packages_distributions()
    undeclared = set()
    for package, path in imported_packages():
        if package in KITS and path.parent.name == "integrations":
            continue
        names = {canonicalize_name(name) for name in distributions.get(package, [package.replace("_", "-")])}
        if not names & declared:
            undeclared.add(f"{path.relative_to(ROOT)}: {package}")
    assert not undeclared


def test_the_packages_are_typed() -> None:
    assert (ROOT / "mathderive" / "py.typed").is_file()
