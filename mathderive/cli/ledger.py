"""The `ledger` commands: export, import, audit and retry of what chat endpoints were asked."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from mathderive.cli.command_group import CommandGroup
from mathderive.cli.options import QUICK, RUNS, ConfigOption, Overrides, RunsOption, make_run
from mathderive.config.schema import PredictorSettings
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.predictors.ledger_records import FailureKind
from mathderive.predictors.settings import ChatSettings, SamplerSettings

if TYPE_CHECKING:
    from mathderive.predictors.ledger import Ledger

ledger_app = typer.Typer(
    cls=CommandGroup,
    help="What a run's chat endpoints were asked and what they answered: RUN/ledger.sqlite. See docs/baselines.md.",
    rich_markup_mode=None,
)


class Failure(Enum):
    """The kinds of failed answers, for the command line, which takes no list of literals."""

    STATUS = "status"
    LENGTH = "length"
    REFUSED = "refused"


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


@ledger_app.command("retry")
def retry_failed(
    failed: Annotated[
        list[Failure] | None,
        typer.Option(
            "--failed",
            help="Ask again only for answers that an error status refused, that the limit on tokens cut, or that the "
            "model or a filter refused; repeatable. All three by default.",
        ),
    ] = None,
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = RUNS,
) -> None:
    """Ask the config's chat models again for failed answers in the run's ledger, and for nothing else.

    The ledger keeps the failed answers beside the new ones; the predict stage takes the new ones.
    """
    from mathderive.predictors.chat import ChatBaseline
    from mathderive.predictors.kinds import api_key

    run = make_run(config, overrides, runs)
    kinds: list[FailureKind] = [kind for kind in get_args(FailureKind) if not failed or Failure(kind) in failed]
    models = _chat_models(run.config.predictors)
    if not models:
        raise InputError(f"{config}: predictors: no chat model; expected the one whose failed answers are asked again")
    for settings in models:
        with _open_ledger(config, overrides, runs) as ledger:
            count = len(ledger.failed(settings.endpoint, settings.model, kinds))
        if not count:
            say(f"ledger: {settings.name}: no failed answers ({', '.join(kinds)})")
            continue
        key = api_key(settings)
        if key is None:
            raise InputError(
                f"predictors: {settings.name}: no key in {settings.api_key_variable}; expected one to ask with"
            )
        retried = ChatBaseline(settings, key, [], run.config.run.seed, run.paths.ledger).ask_again(kinds)
        say(f"ledger: {settings.name}: {retried.asked} asked again, {retried.answered} of them answered now")
    print(run.paths.ledger)


def _chat_models(predictors: Sequence[PredictorSettings]) -> list[ChatSettings]:
    """The settings of each chat model that is asked or sampled, one for each endpoint and model."""
    inner = [entry.around if isinstance(entry, SamplerSettings) else entry for entry in predictors]
    chats = [entry for entry in inner if isinstance(entry, ChatSettings)]
    return list({(one.endpoint, one.model): one for one in reversed(chats)}.values())[::-1]


@contextmanager
def _open_ledger(config: Path, overrides: Sequence[str] | None, runs: Path, new: bool = False) -> Iterator["Ledger"]:
    """Opens the ledger of a run; a missing one is made only if it may be `new`."""
    from mathderive.predictors.ledger import Ledger

    path = make_run(config, overrides, runs).paths.ledger
    if not (new or path.exists()):
        raise InputError(f"{path}: no such ledger; expected one that a run or `ledger import` made")
    try:
        with Ledger(path) as ledger:
            yield ledger
    except OSError as error:
        place = error.filename2 or error.filename or path
        raise InputError(f"{place}: {error.strerror}; expected a file that can be used") from None
