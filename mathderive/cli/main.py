"""The command line: `mathderive STAGE`, each with `--help`; what a user can mend ends as one line and exit code 2."""

import errno
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mathderive.cli.development import run_linters, run_tests
from mathderive.config.loading import load_config
from mathderive.config.schema import BeamSettings, ProcessSettings
from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import progress, say
from mathderive.pipeline.evaluate import run_evaluation
from mathderive.pipeline.run import Run
from mathderive.pipeline.runner import STAGES, run_stages
from mathderive.predictors.kinds import checkpoint_name
from mathderive.records import Split

if TYPE_CHECKING:
    from mathderive.predictors.ledger import Ledger

app = typer.Typer(
    help="Reproduces 'Generating Mathematical Derivations with Large Language Models'.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The run's config file.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[key.sub=value]...", help="Values that replace the config's.")
]
ReleasedOption = Annotated[
    Path | None,
    typer.Option("--released", metavar="DIR", help="Evaluate on the authors' *_results.json in this folder."),
]
RunsOption = Annotated[Path, typer.Option("--runs", help="Where the run folders lie.")]
CoordinatorOption = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        metavar="HOST:PORT",
        help="Where process 0 of several listens; a Cloud TPU slice needs none. See docs/gpu.md.",
    ),
]

ROOT = Path(__file__).parents[2]
QUICK = ROOT / "configs" / "quick.yaml"
MINI = ROOT / "checkpoints" / "mini"


def _stage(name: str, summary: str) -> None:
    """Adds the command that brings everything up to a stage up to date."""

    def command(
        overrides: Overrides = None,
        config: ConfigOption = QUICK,
        released: ReleasedOption = None,
        runs: RunsOption = Path("runs"),
        coordinator: CoordinatorOption = None,
        num_processes: Annotated[
            int | None, typer.Option("--num-processes", min=1, help="How many processes train together.")
        ] = None,
        process_id: Annotated[
            int | None, typer.Option("--process-id", min=0, help="Which of them this one is; 0 writes the results.")
        ] = None,
    ) -> None:
        processes = _processes(coordinator, num_processes, process_id)
        run = replace(_run(config, overrides, released, runs), processes=processes)
        results = run_stages(run, STAGES[-1] if name == "all" else name)
        if results is not None:
            print(results)

    app.command(name, help=summary)(command)


_stage("all", "Run every stage: data, train, predict, score, report. The default.")


@app.command("data")
def data(
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    released: ReleasedOption = None,
    runs: RunsOption = Path("runs"),
    show: Annotated[int | None, typer.Option("--show", min=1, help="Print so many examples and build nothing.")] = None,
    split: Annotated[Split, typer.Option("--split", help="Of which split, with --show.")] = "train",
    beam: Annotated[bool, typer.Option("--beam", help="Generate by Apache Beam; see docs/scaling.md.")] = False,
    beam_options: Annotated[
        str, typer.Option("--beam-options", metavar="'--key=value ...'", help="Beam's own pipeline options.")
    ] = "",
    beam_folder: Annotated[
        str | None,
        typer.Option("--beam-folder", metavar="PLACE", help="Where all of Beam's workers can write: gs://bucket/dir."),
    ] = None,
) -> None:
    """Generate the derivations, or fetch the released ones."""
    if (beam_options or beam_folder) and not beam:
        raise InputError("data: --beam-options and --beam-folder are of use with --beam only")
    run = _run(config, overrides, released, runs)
    if beam:
        run = replace(run, beam=BeamSettings(options=beam_options, folder=beam_folder))
    if show is None:
        print(run_stages(run, "data"))
    elif run.config.data is None:
        raise InputError(f"{config}: data: missing; --show prints generated examples only")
    else:
        from tfds_builders.derivations.display import display
        from tfds_builders.derivations.generation import preview

        for example in islice(preview(run.config.data, run.config.run.seed, split), show):
            print(display(example), end="\n\n", flush=True)


_stage("shards", "Write the training data as tokenised shards, where the config has a section for them.")
_stage("train", "Train the model, after data and shards.")
_stage("predict", "Let every model answer the evaluation sets, after train.")
_stage("score", "Score the predictions, after predict.")
_stage("report", "Write the report, after score.")


@app.command("eval")
def evaluate(
    overrides: Overrides = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option("--predictions", metavar="FILE", help="Result files in the authors' format; repeatable."),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option("--checkpoint", metavar="PLACE", help="Our folder, a Hugging Face folder or id; repeatable."),
    ] = None,
    bleurt: Annotated[
        str | None,
        typer.Option("--bleurt", metavar="PLACE", help="Score with this BLEURT too: a Hugging Face folder or id."),
    ] = None,
    released: ReleasedOption = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = Path("runs"),
) -> None:
    """Score checkpoints, or recorded outputs, without training anything; by default the kit's own, checkpoints/mini."""
    if predictions and checkpoint:
        raise InputError("eval: expected --predictions FILE or --checkpoint PLACE, not both")
    checkpoints = checkpoint or ([] if predictions else [str(MINI)])
    changes = [*(overrides or ()), *([] if bleurt is None else [f"score.bleurt.checkpoint={json.dumps(bleurt)}"])]
    run = _run(config, changes, released, runs)
    print(run_evaluation(run, [str(path) for path in predictions or []], checkpoints))


ledger_app = typer.Typer(
    help="What a run's chat endpoints were asked and what they answered: RUN/ledger.sqlite. See docs/baselines.md.",
    rich_markup_mode=None,
)
app.add_typer(ledger_app, name="ledger")


@ledger_app.command("export")
def export_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSONL file to write.")],
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = Path("runs"),
) -> None:
    """Write the run's ledger as JSON lines, to publish it."""
    with _ledger(config, overrides, runs) as ledger:
        say(f"ledger: {ledger.export(file)} requests of {ledger.path}")
    print(file)


@ledger_app.command("import")
def import_ledger(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A JSONL file that `ledger export` wrote.")],
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = Path("runs"),
) -> None:
    """Take an exported ledger's answers into the run's, all or none: predict then asks for what is missing only."""
    with _ledger(config, overrides, runs, new=True) as ledger:
        say(f"ledger: {ledger.import_entries(file)} answers are new")
        print(ledger.path)


@ledger_app.command("unaccounted")
def list_unaccounted(
    overrides: Overrides = None, config: ConfigOption = QUICK, runs: RunsOption = Path("runs")
) -> None:
    """Print, as JSON lines, the requests with attempts that may have been billed without an answer."""
    with _ledger(config, overrides, runs) as ledger:
        for entry in ledger.entries():
            if entry.unaccounted:
                # Escaped ASCII, so that text from elsewhere cannot control the terminal.
                line = json.dumps(entry.model_dump(mode="json"), separators=(",", ":"))
                print(line.replace("\x7f", "\\u007f"))


@app.command("convert")
def convert_checkpoint(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Our folder, or a Hugging Face folder or id.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The folder to make.")],
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option("--dtype", help="What a Hugging Face folder's weights are stored as; float32 by default."),
    ] = None,
) -> None:
    """Turn one of our model folders into a Hugging Face folder, and a Hugging Face folder or id into one of ours."""
    from mathderive.training.conversion import convert

    convert(source, destination, dtype)
    print(destination)


@app.command("serve")
def serve_checkpoint(
    overrides: Overrides = None,
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", metavar="PLACE", help="Our folder, a Hugging Face folder or id.")
    ] = str(MINI),
    name: Annotated[str | None, typer.Option("--name", help="The model's name; by default the checkpoint's.")] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 chooses a free one.")] = 8000,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Requests answered together.")] = 8,
    waiting: Annotated[
        int, typer.Option("--waiting", min=1, help="Requests that may wait; more are answered 429.")
    ] = 64,
    key_variable: Annotated[
        str, typer.Option("--api-key-variable", help="Holds the key that clients must show, if it is set.")
    ] = "MATHDERIVE_API_KEY",
    config: ConfigOption = QUICK,
) -> None:
    """Serve a checkpoint: an OpenAI-compatible API, and a page to try it on. Decodes as the config says."""
    from mathderive.serving.server import serve

    changes = [*(overrides or ()), f"decoding.batch_size={batch_size}"]
    serve(
        name or checkpoint_name(checkpoint),
        checkpoint,
        load_config(config, changes).decoding,
        host,
        port,
        waiting,
        os.environ.get(key_variable) or None,
    )


@app.command("conformance")
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
        with progress("conformance") as report:
            tallies = conformance.check_file(path, report)
        print(f"{path}\n{conformance.table(tallies)}")
        if verbose:
            print("".join(f"failed: {line}\n" for line in conformance.failures(tallies)), end="")
        all_conform = all_conform and conformance.conforms(tallies)
    print("conforms" if all_conform else "does not conform")
    raise typer.Exit(0 if all_conform else 1)


@app.command("check")
def check_derivation(
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="A file with `Given ..., then obtain ...`.")],
    derivation: Annotated[
        str, typer.Argument(metavar="[DERIVATION]", help="A file with equations, one a line or joined by ` and `.")
    ] = "-",
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as a JSON object.")] = False,
) -> None:
    """Check a derivation step by step: exit code 0 if it is verified, 1 if not. `-` is standard input."""
    from mathderive.checker.display import display
    from mathderive.checker.supervision import SupervisedChecker

    if prompt == derivation == "-":
        raise InputError("check: expected one of PROMPT and DERIVATION from standard input, and a file for the other")
    asked, answered = _text(prompt).strip(), _text(derivation)
    if not answered.strip():
        raise InputError(f"{derivation}: empty; expected equations, one a line or joined by ` and `")
    with SupervisedChecker() as checker:
        try:
            validity = checker.check(asked, answered)
        except ValueError as error:
            raise InputError(f"{prompt}: {error}; expected `Given P and ..., then derive X, then obtain G`") from None
    if as_json:
        print(validity.model_dump_json(indent=2))
    else:
        colours = sys.stdout.isatty()
        print(display(validity, lambda text, colour: typer.style(text, fg=colour) if colours else text))
    raise typer.Exit(0 if validity.verified else 1)


app.command("test", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(run_tests)
app.command("lint")(run_linters)


MAX_BYTES = 2**20
"""Of a prompt or a derivation to check."""


def _text(place: str) -> str:
    """A text file, or standard input."""
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


def _run(config: Path, overrides: Sequence[str] | None, released: Path | None, runs: Path) -> Run:
    changes = list(overrides or ())
    if released is not None:
        changes += ["evaluation.source=released", f"evaluation.released={json.dumps([str(released)])}"]
    settings = load_config(config, changes)
    return Run(settings, runs / str(settings.run.name))


@contextmanager
def _ledger(config: Path, overrides: Sequence[str] | None, runs: Path, new: bool = False) -> Iterator["Ledger"]:
    """The ledger of a run; where there is none it is made if it may be `new`."""
    from mathderive.predictors.ledger import LEDGER_FILE, Ledger

    path = _run(config, overrides, None, runs).folder / LEDGER_FILE
    if not (new or path.exists()):
        raise InputError(f"{path}: no such ledger; expected one that a run or `ledger import` made")
    try:
        with Ledger(path) as ledger:
            yield ledger
    except OSError as error:
        place = error.filename2 or error.filename or path
        raise InputError(f"{place}: {error.strerror}; expected a file that can be used") from None


def _processes(coordinator: str | None, count: int | None, index: int | None) -> ProcessSettings | None:
    if coordinator is None and count is None and index is None:
        return None
    if coordinator is None or count is None or index is None:
        raise InputError("--coordinator, --num-processes and --process-id: expected all three, or none")
    if not re.fullmatch(r"\S+:[0-9]{1,5}", coordinator):
        raise InputError(f"--coordinator: {coordinator}: expected HOST:PORT")
    if index >= count:
        raise InputError(f"--process-id: {index}: expected a number below --num-processes, {count}")
    return ProcessSettings(coordinator=coordinator, count=count, index=index)


def main(arguments: Sequence[str] | None = None) -> int:
    """The `mathderive` command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or "=" in given[0] or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given = ["all", *given]
    logging.getLogger("absl").setLevel(logging.ERROR)  # TFDS and Orbax warn of what is meant to be so
    try:
        app(given, prog_name="mathderive")  # ends in SystemExit, usage errors and --help included
    except InputError as error:
        say(f"mathderive: {error}")
        return 2
    except Terminated as ended:
        say(f"mathderive: {ended}")
        return ended.exit_code
    except Exception as error:
        fault = _machine_fault(error)
        if fault is None:
            raise
        say(f"mathderive: {fault}; what was finished is intact, and the same command goes on from there")
        return 2
    return 0


def _machine_fault(error: BaseException | None) -> str | None:
    """What the machine refused, if that is what lies behind an error that a library may have wrapped."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _MACHINE_FAULTS:
            return f"{error.filename or 'file'}: {os.strerror(error.errno)}"
        for number in _MACHINE_FAULTS:
            if os.strerror(number) in str(error):
                return " ".join(str(error).split())[:300]
        error = error.__cause__ or error.__context__
    return None


_MACHINE_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG)
