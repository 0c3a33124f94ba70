"""The list of commands in `--help`."""

import sys
from typing import Any

from typer.core import TyperGroup


class CommandGroup(TyperGroup):
    """A group of commands whose `--help` shows the whole first sentence of each; Typer's own cuts it at the line."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        rows = [(name, command.get_short_help_str(sys.maxsize)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
