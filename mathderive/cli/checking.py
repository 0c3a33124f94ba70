"""The commands that check: `check` a derivation, and `conformance` of the engine to the authors' files."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mathderive.core.errors import InputError
from mathderive.core.progress import has_colours, progress, say
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
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT] [DERIVATION]",
            help="Files with the prompt, `Given ..., then obtain ...`, and with equations, one a line or joined by "
            "` and `. `-`, or no DERIVATION, is standard input.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", "-p", metavar="TEXT", help="The prompt itself, in place of a file.")
    ] = None,
    derivation: Annotated[
        str | None,
        typer.Option("--derivation", "-d", metavar="TEXT", help="The derivation itself, in place of a file."),
    ] = None,
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
    """Check a derivation step by step: exit code 0 if it is verified, 1 if not."""
    from mathderive.checker.display import display
    from mathderive.checker.filling import fill
    from mathderive.checker.supervision import SupervisedChecker

    (asked, asked_place), (answered, answered_place) = _read_both(places or [], prompt, derivation)
    if not answered.strip():
        raise InputError(f"{answered_place}: empty; expected equations, one a line or joined by ` and `")
    with SupervisedChecker() as checker:
        try:
            validity = checker.check(asked, answered, counts_missing=fills, rules=rules)
            filled = fill(validity) if fills and not as_json else None
            shown = validity if filled is None else checker.check(asked, filled.text, rules=rules)
        except ValueError as error:
            raise InputError(
                f"{asked_place}: {error}; expected `Given P and ..., then derive X, then obtain G`"
            ) from None
    if as_json:
        print(validity.model_dump_json(indent=2))
    else:
        colours = has_colours(sys.stdout)
        missing = filled.missing if filled is not None else frozenset()
        print(display(shown, lambda text, colour: typer.style(text, fg=colour) if colours else text, missing))
        if filled is not None:
            print(f"missing equations inserted: {len(missing)}; equations still skipped: {filled.open}")
    raise typer.Exit(0 if validity.verified else 1)


NamedText = tuple[str, str]
"""A text and where it comes from, for messages."""


def _read_both(places: Sequence[str], prompt: str | None, derivation: str | None) -> tuple[NamedText, NamedText]:
    """The prompt and the derivation, each from its option or else from the next place; the last may be left out."""
    waiting = list(places)
    if prompt is None and not waiting:
        raise InputError("check: no prompt; expected a file or --prompt TEXT")
    asked_place = waiting.pop(0) if prompt is None else "--prompt"
    answered_place = "--derivation" if derivation is not None else waiting.pop(0) if waiting else "-"
    if waiting:
        raise InputError(f"check: {waiting[0]}: one text too many; expected one prompt and one derivation")
    if asked_place == answered_place == "-":
        raise InputError("check: expected one of PROMPT and DERIVATION from standard input, and a file for the other")
    asked = _read_text(asked_place, "prompt") if prompt is None else prompt
    answered = _read_text(answered_place, "derivation") if derivation is None else derivation
    return (asked.strip(), asked_place), (answered, answered_place)


def _read_text(place: str, what: str) -> str:
    """Reads a text file, or standard input for `-`."""
    if place == "-" and sys.stdin.isatty():
        say(f"check: type the {what}, then press Ctrl-D at the beginning of a line")
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
