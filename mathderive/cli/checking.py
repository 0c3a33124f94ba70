"""The commands that check: `check` a derivation, and `conformance` of the engine to the authors' files."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from mathderive.core.errors import InputError
from mathderive.core.progress import has_colours, progress
from mathderive.records import Rules

MAX_BYTES = 2**20
"""Maximum size of a prompt or a derivation to check."""


def check_conformance(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS.json...", help="The authors' files, or folders.")],
    verbose: Annotated[bool, typer.Option("--verbose", help="Show every failure.")] = False,
) -> None:
    """Check our engine against every example of the authors' result files."""
    # The data libraries behind it take seconds to import.
    from mathderive.pipeline import conformance
    from tfds_builders.released.result_files import find_result_files

    all_conform = True
    for path in find_result_files(results):
        with progress("conformance") as on_progress:
            tallies = conformance.check_file(path, on_progress)
        print(f"{path}\n{conformance.table(tallies)}")
        if verbose:
            print("".join(f"failed: {line}\n" for line in conformance.failures(tallies)), end="")
        all_conform = all_conform and conformance.conforms(tallies)
    print("conforms" if all_conform else "does not conform")
    raise typer.Exit(0 if all_conform else 1)


def check_derivation(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="A file with `Given ..., then obtain ...`.")],
    derivation: Annotated[
        str, typer.Argument(metavar="[DERIVATION]", help="A file with equations, one a line or joined by ` and `.")
    ] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as a JSON object.")] = False,
    rules: Annotated[
        Rules,
        typer.Option(
            help="The steps that count as one: the paper's eighteen operators, or also what people do in one step."
        ),
    ] = "textbook",
    fills: Annotated[
        bool, typer.Option("--fill", help="Insert the equations that are missing before skipped ones.")
    ] = False,
) -> None:
    """Check a derivation step by step: exit code 0 if it is verified, 1 if not. `-` is standard input."""
    from mathderive.checker.display import display
    from mathderive.checker.filling import fill
    from mathderive.checker.supervision import SupervisedChecker

    if prompt == derivation == "-":
        raise InputError("check: expected one of PROMPT and DERIVATION from standard input, and a file for the other")
    asked, answered = _read_text(prompt).strip(), _read_text(derivation)
    if not answered.strip():
        raise InputError(f"{derivation}: empty; expected equations, one a line or joined by ` and `")
    with SupervisedChecker() as checker:
        try:
            validity = checker.check(asked, answered, counts_missing=fills, rules=rules)
            filled = fill(validity) if fills and not as_json else None
            shown = validity if filled is None else checker.check(asked, filled.text, rules=rules)
        except ValueError as error:
            raise InputError(f"{prompt}: {error}; expected `Given P and ..., then derive X, then obtain G`") from None
    if as_json:
        print(validity.model_dump_json(indent=2))
    else:
        colours = has_colours(sys.stdout)
        missing = filled.missing if filled is not None else frozenset()
        print(display(shown, lambda text, colour: typer.style(text, fg=colour) if colours else text, missing))
        if filled is not None:
            print(f"missing equations inserted: {len(missing)}; equations still skipped: {filled.open}")
    raise typer.Exit(0 if validity.verified else 1)


def _read_text(place: str) -> str:
    """Reads a text file, or standard input for `-`."""
    try:
        with sys.stdin.buffer if place == "-" else Path(place).open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{place}: expected at most {MAX_BYTES} bytes")
        return content.decode("utf-8")
    except OSError as error:
        raise InputError(f"{place}: {error.strerror}; expected a text file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: not UTF-8 ({error})") from None
