"""`--help` of every command says everything, in lines of a terminal that is 80 columns wide."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from mathderive.cli.main import app, main

ROOT = Path(__file__).parents[2]
WIDTH = 80


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each command by its names, the program itself included."""
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def in_one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*found, id=" ".join(found[0])) for found in commands(get_command(app))]
)
def test_help_is_whole(
    path: tuple[str, ...], command: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    with pytest.raises(SystemExit) as end:
        main([*path, "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert max(map(len, shown.splitlines())) <= WIDTH
    assert not re.search(r"(?m)[a-z,]\.\.\.$", shown), shown
    assert str(ROOT) not in "".join(shown.split())
    words = in_one_line(shown)
    assert in_one_line(command.help) in words
    # Definitions stand in a column of their own: their words, without the names between, are in the help.
    column = in_one_line(" ".join(re.sub(r"^  \S.*?(?:  |$)", "", line) for line in shown.splitlines()))
    for parameter in command.params:
        if parameter.help:
            assert in_one_line(parameter.help) in column, parameter.name
    for below in getattr(command, "commands", {}).values():
        assert in_one_line(below.help.partition("\n\n")[0]).partition(". ")[0].rstrip(".") in column, below.name
