"""The command `export`, which writes the generated derivations for other people's tools."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mathderive.cli.options import QUICK, RUNS, ConfigOption, Overrides, RunsOption, make_run
from mathderive.core.errors import InputError

FormatOption = Annotated[
    Literal["jsonl", "parquet", "messages", "rl"],
    typer.Option("--format", help="Full rows as JSON lines or Parquet; chats; or prompts with columns for rewards."),
]


def export_dataset(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    overrides: Overrides = None,
    format_name: FormatOption = "jsonl",
    config: ConfigOption = QUICK,
    runs: RunsOption = RUNS,
) -> None:
    """Write the generated derivations for other tools, with a card and checksums; generates them if needed."""
    if "=" in folder.name:
        raise InputError(f"export: {folder}: expected the folder to make before overrides such as run.seed=1")
    from mathderive.pipeline.dataset_export import export_derivations

    export_derivations(make_run(config, overrides, runs), format_name, folder)
    print(folder)
