"""The command line: `mathderive COMMAND`, each with `--help`; a user's mistake ends as one line and exit code 2."""

import logging
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from mathderive.cli.checking import check_conformance, check_derivation
from mathderive.cli.checkpoints import convert_checkpoint, serve_checkpoint
from mathderive.cli.command_group import CommandGroup
from mathderive.cli.comparing import compare_finished_runs
from mathderive.cli.development import build_docs, run_linters, run_tests
from mathderive.cli.exporting import export_dataset
from mathderive.cli.ledger import ledger_app
from mathderive.cli.options import TYPED_ARGUMENTS
from mathderive.cli.stages import add_stages
from mathderive.core.errors import InputError, ending_of
from mathderive.core.progress import QUIET

app = typer.Typer(
    cls=CommandGroup,
    help="Reproduces 'Generating Mathematical Derivations with Large Language Models'.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
add_stages(app)
app.add_typer(ledger_app, name="ledger")
app.command("compare")(compare_finished_runs)
app.command("convert")(convert_checkpoint)
app.command("export")(export_dataset)
app.command("serve")(serve_checkpoint)
app.command("conformance")(check_conformance)
app.command("check")(check_derivation)
app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run_tests)
app.command("lint")(run_linters)
app.command("docs")(build_docs)


OWN_OPTIONS = ("-h", "--help", "--version", "--install-completion", "--show-completion")
"""Options that are not those of `all`, the default command."""


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"mathderive {version('mathderive')}")
        raise typer.Exit


@app.callback()
def _take_options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    _quiet: Annotated[
        bool, typer.Option("--quiet", help="Print results and errors only, with any command but test.")
    ] = False,
) -> None:
    pass  # `main` takes --quiet wherever it stands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the `mathderive` command.

    Args:
        arguments: without the program's name; None takes those of this process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    TYPED_ARGUMENTS.set(tuple(given))
    if "--quiet" in given and given[0] != "test":
        os.environ[QUIET] = "1"
        given = [text for text in given if text != "--quiet"]
    if not given or "=" in given[0] or (given[0].startswith("-") and given[0] not in OWN_OPTIONS):
        given = ["all", *given]
    if undecodable := next((text for text in given if _is_undecodable(text)), None):
        _print_error(InputError(f"{undecodable}: not UTF-8; expected arguments and file names in UTF-8"))
        return 2
    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS and Orbax warn of things that are intended
    try:
        app(given, prog_name="mathderive")  # ends in SystemExit, usage errors and --help included
    except Exception as error:
        message, exit_code = ending_of(error)
        _print_error(message)
        return exit_code
    return 0


def _print_error(message: object) -> None:
    print(f"mathderive: {message}", file=sys.stderr, flush=True)


def _is_undecodable(text: str) -> bool:
    """Whether an argument holds bytes that are not UTF-8, which Python represents by half surrogate pairs."""
    return any("\ud800" <= character <= "\udfff" for character in text)
