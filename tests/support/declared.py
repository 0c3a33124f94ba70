"""The distributions that pyproject.toml declares."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

PROJECT: dict[str, Any] = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def requirements(extras: Sequence[str] = ()) -> list[Requirement]:
    """The requirements of the package with these extras, and with those that they include."""
    lines = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    found: list[Requirement] = []
    for requirement in map(Requirement, lines):
        if requirement.name == PROJECT["name"]:
            found += requirements(sorted(requirement.extras))
        else:
            found.append(requirement)
    return list(dict.fromkeys(found))
