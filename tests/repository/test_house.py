"""Limits on the size of packages, modules and functions, and the form of docstrings and headings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("mathderive", "tfds_builders")
MAX_ENTRIES = 18
MAX_PACKAGES = 24
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 60
RIDDLES = ("Of ", "That ", "What ")
"""First words of docstrings that do not name their subject."""


def python_files() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def parsed_files() -> Iterator[tuple[str, ast.Module]]:
    for path in python_files():
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The line and text of every docstring: of modules, classes, functions, constants and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def test_the_package_has_few_entries() -> None:
    entries = sorted(path.name for path in (ROOT / "mathderive").iterdir() if path.name != "__pycache__")
    assert len(entries) <= MAX_ENTRIES, entries


def test_the_upper_two_levels_have_few_packages() -> None:
    inits = [*(ROOT / "mathderive").glob("*/__init__.py"), *(ROOT / "mathderive").glob("*/*/__init__.py")]
    packages = sorted(str(path.parent.relative_to(ROOT)) for path in inits)
    assert len(packages) <= MAX_PACKAGES, packages


def test_no_module_is_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files()
    }
    assert not {path: length for path, length in lengths.items() if length > MAX_MODULE_LINES}


def test_no_function_is_long() -> None:
    found = []
    for path, tree in parsed_files():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                length = node.end_lineno - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno}: {node.name} has {length} lines")
    assert not found


def test_docstrings_name_their_subject() -> None:
    found = [
        f"{path}:{line}: {text.splitlines()[0]}"
        for path, tree in parsed_files()
        for line, text in docstrings(tree)
        if text.startswith(RIDDLES)
    ]
    assert not found


def test_headings_name_topics() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    found = [
        f"{page.relative_to(ROOT)}: {heading}"
        for page in pages
        for heading in re.findall(r"(?m)^#+ .*\?\s*$", page.read_text(encoding="utf-8"))
    ]
    assert not found
