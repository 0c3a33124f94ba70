"""Malformed files of derivations in physics: each ends as one line and exit code 2, and nothing is written."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import TINY, Command, folder_contents
from tests.support.physics_files import ROWS, physics_file


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, monkeypatch, capsys)


FORM = "expected a list of objects with the texts name, field, derivation and prompt and the list of texts premises"

MALFORMED: list[tuple[dict[str, object], str]] = [
    ({"name": None}, f"row 1: name: Field required; {FORM}"),
    ({"field": 7}, f"row 1: field: Input should be a valid string; {FORM}"),
    ({"field": ""}, "row 1: field: String should have at least 1 character"),
    ({"field": "x" * 101}, "row 1: field: String should have at most 100 characters"),
    ({"author": "x"}, f"row 1: author: Extra inputs are not permitted; {FORM}"),
    ({"premises": []}, "row 1: premises: List should have at least 1 item"),
    ({"premises": "T = 0"}, f"row 1: premises: Input should be a valid list; {FORM}"),
    ({"premises": ["T = 0", 1]}, f"row 1: premises.1: Input should be a valid string; {FORM}"),
    ({"premises": ["T = 0"]}, "row 1: prompt: expected 'Given ', the premises with ' and ' between"),
    ({"prompt": "Find T = 0"}, "row 1: prompt: expected 'Given ', the premises with ' and ' between"),
    ({"derivation": "T = \\frac{m v^{2}}{2}"}, "row 1: derivation: its end is not the goal of the prompt"),
    ({"derivation": "T = 0 and dv = 0"}, "row 1: derivation: its end is not the goal of the prompt"),
    (
        {
            "premises": ["v = 0"],
            "prompt": "Given v = 0, then obtain a, then obtain b",
            "derivation": "a, then obtain b",
        },
        "row 1: prompt: a prompt has ', then obtain ' once",
    ),
    (
        {"premises": ["v = 0, then derive w = 0"], "prompt": "Given v = 0, then derive w = 0, then obtain v = 0"},
        "row 1: prompt: it asks for intermediate results",
    ),
]
"""Changes of a derivation that make its file malformed, and the complaint about each."""


@pytest.mark.parametrize(("changes", "complaint"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_derivation_is_one_line(
    command: Command, tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    path = physics_file(tmp_path, **changes)
    before = folder_contents(tmp_path)
    line = command.refused("data", "--config", TINY, "--physics", path)
    assert "derivations.json: " in line
    assert complaint in line
    assert folder_contents(tmp_path) == before


CONTENTS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not valid JSON"),
    "no JSON": (b"[{", "not valid JSON"),
    "no UTF-8": (b'[{"name": "\xff"}]', "not valid JSON"),
    "half a surrogate pair": (rb'[{"name": "\ud800"}]', "not valid JSON"),
    "deep": (b"[" * 100_000, "not valid JSON"),
    "an object": (json.dumps(ROWS[0]).encode(), "Input should be a valid list"),
    "no rows": (b"[]", "List should have at least 1 item"),
    "a row of another form": (b"[null]", "row 0: Input should be"),
    "a result file": (b'[{"prompt": "Given a = b, then obtain b = a", "derivation": "a = b"}]', "row 0: name: "),
    "too large": (b" " * (2**22 + 1), "expected at most 4194304"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_another_kind_of_content_is_one_line(command: Command, tmp_path: Path, name: str) -> None:
    content, complaint = CONTENTS[name]
    (tmp_path / "file.json").write_bytes(content)
    line = command.refused("data", "--config", TINY, "--physics", "file.json")
    assert "/file.json: " in line
    assert complaint in line
    assert FORM.removeprefix("expected ") in line
    assert list(folder_contents(tmp_path)) == ["file.json"]


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda path: None, "no such file"),
    "a folder": (lambda path: path.mkdir(), "found a folder"),
    "a pipe": (os.mkfifo, "found a named pipe"),
    "a link to an endless file": (lambda path: path.symlink_to("/dev/zero"), "found a device"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
}


@pytest.mark.parametrize("name", KINDS)
def test_another_kind_of_file_is_one_line(command: Command, tmp_path: Path, name: str) -> None:
    make, complaint = KINDS[name]
    make(tmp_path / "file.json")
    line = command.refused("data", "--config", TINY, "--physics", "file.json")
    assert "file.json" in line
    assert complaint in line
    assert not (tmp_path / "runs").exists()


def test_options_that_exclude_each_other_are_one_line(command: Command, tmp_path: Path) -> None:
    path = physics_file(tmp_path)
    assert "expected one of the two" in command.refused("data", "--config", TINY, "--physics", path, "--released", ".")
    assert "expected it without --physics" in command.refused("eval", "--physics", path, "--predictions", path)


def test_a_malformed_file_leaves_earlier_results(command: Command, tmp_path: Path) -> None:
    arguments = ("data", "--config", TINY, "data=null", "model=null", "training=null", "--physics")
    command.accepted(*arguments, physics_file(tmp_path))
    before = folder_contents(tmp_path / "runs")
    command.refused(*arguments, physics_file(tmp_path, field=7))
    assert folder_contents(tmp_path / "runs") == before
