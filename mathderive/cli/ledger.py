"""The `ledger` commands: export, import and audit of what chat endpoints were asked."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mathderive.cli.options import QUICK, RUNS, ConfigOption, Overrides, RunsOption, make_run
from mathderive.core.errors import InputError
from mathderive.core.progress import say

if TYPE_CHECKING:
    from mathderive.predictors.ledger import Ledger

ledger_app = typer.Typer(
    help="What a run's chat endpoints were asked and what they answered: RUN/ledger.sqlite. See docs/baselines.md.",
    rich_markup_mode=None,
)


@ledger_app.command("export")
def export_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSONL file to write.")],
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = RUNS,
) -> None:
    """Write the run's ledger as JSON lines, to publish it."""
    with _open_ledger(config, overrides, runs) as ledger:
        say(f"ledger: {ledger.export(file)} requests of {ledger.path}")
    print(file)


@ledger_app.command("import")
def import_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file that `ledger export` wrote.")],
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = RUNS,
) -> None:
    """Add an exported ledger's answers to the run's, all or none: predict then asks only for what is missing."""
    from mathderive.predictors.ledger import read_export

    for _ in read_export(file):
        pass  # a file that cannot be read is refused before a ledger is made
    with _open_ledger(config, overrides, runs, new=True) as ledger:
        say(f"ledger: {ledger.import_entries(file)} answers are new")
        print(ledger.path)


@ledger_app.command("unaccounted")
def list_unaccounted(overrides: Overrides = None, config: ConfigOption = QUICK, runs: RunsOption = RUNS) -> None:
    """Print, as JSON lines, the requests with attempts that may have been billed without an answer."""
    with _open_ledger(config, overrides, runs) as ledger:
        for entry in ledger.entries():
            if entry.unaccounted:
                # Escaped ASCII, so that text from elsewhere cannot control the terminal.
                line = json.dumps(entry.model_dump(mode="json"), separators=(",", ":"))
                print(line.replace("\x7f", "\\u007f"))


@contextmanager
def _open_ledger(config: Path, overrides: Sequence[str] | None, runs: Path, new: bool = False) -> Iterator["Ledger"]:
    """Opens the ledger of a run; a missing one is made only if it may be `new`."""
    from mathderive.predictors.ledger import Ledger

    path = make_run(config, overrides, None, runs).paths.ledger
    if not (new or path.exists()):
        raise InputError(f"{path}: no such ledger; expected one that a run or `ledger import` made")
    try:
        with Ledger(path) as ledger:
            yield ledger
    except OSError as error:
        place = error.filename2 or error.filename or path
        raise InputError(f"{place}: {error.strerror}; expected a file that can be used") from None
