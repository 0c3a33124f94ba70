"""The commands that run stages: `all`, one for each stage, and `eval`."""

import json
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from mathderive.cli.options import (
    MINI,
    QUICK,
    RUNS,
    ConfigOption,
    Overrides,
    PhysicsOption,
    ReleasedOption,
    RunsOption,
    make_run,
)
from mathderive.config.command_line import BeamSettings, ProcessSettings
from mathderive.core.bundled import checkpoint_place
from mathderive.core.errors import InputError
from mathderive.pipeline.evaluate import run_evaluation
from mathderive.pipeline.runner import STAGES, run_stages
from mathderive.records import Split
from mathderive.symbolic.engine.evaluation_sets import known_split

CoordinatorOption = Annotated[
    str | None,
    typer.Option(
        "--coordinator",
        metavar="HOST:PORT",
        help="Where process 0 of several listens; a Cloud TPU slice needs none. See docs/gpu.md.",
    ),
]


def add_stages(app: typer.Typer) -> None:
    """Adds the commands, in the order of `mathderive --help`."""
    _add_stage(app, "all", "Run every stage, from data to report; the default command.")
    app.command("data")(make_data)
    _add_stage(app, "shards", "Write the training data as tokenised shards, where the config has a section for them.")
    _add_stage(app, "train", "Train the model, after data and shards.")
    _add_stage(app, "self-training", "Train the model further on its own verified answers, where the config says how.")
    _add_stage(app, "predict", "Let every model answer the evaluation sets, after all training.")
    _add_stage(app, "score", "Score the predictions, after predict.")
    _add_stage(app, "report", "Write the report, after score.")
    app.command("eval")(evaluate)


def _add_stage(app: typer.Typer, name: str, summary: str) -> None:
    """Adds the command that brings every stage up to this one up to date."""

    def command(
        overrides: Overrides = None,
        config: ConfigOption = QUICK,
        released: ReleasedOption = None,
        physics: PhysicsOption = None,
        runs: RunsOption = RUNS,
        coordinator: CoordinatorOption = None,
        num_processes: Annotated[
            int | None, typer.Option("--num-processes", min=1, help="How many processes train together.")
        ] = None,
        process_id: Annotated[
            int | None, typer.Option("--process-id", min=0, help="Which of them this one is; 0 writes the results.")
        ] = None,
    ) -> None:
        processes = _process_settings(coordinator, num_processes, process_id)
        run = replace(make_run(config, overrides, runs, released, physics), processes=processes)
        output = run_stages(run, STAGES[-1] if name == "all" else name)
        if output is not None:
            print(output)

    app.command(name, help=summary)(command)


def make_data(
    overrides: Overrides = None,
    config: ConfigOption = QUICK,
    released: ReleasedOption = None,
    physics: PhysicsOption = None,
    runs: RunsOption = RUNS,
    show: Annotated[
        int | None, typer.Option("--show", min=1, help="Print this many examples and build nothing.")
    ] = None,
    split: Annotated[Split, typer.Option("--split", help="The split that --show prints.")] = "train",
    beam: Annotated[bool, typer.Option("--beam", help="Generate by Apache Beam; see docs/scaling.md.")] = False,
    beam_options: Annotated[
        str, typer.Option("--beam-options", metavar="'--key=value ...'", help="Beam's own pipeline options.")
    ] = "",
    beam_folder: Annotated[
        str | None,
        typer.Option("--beam-folder", metavar="PLACE", help="Where all of Beam's workers can write: gs://bucket/dir."),
    ] = None,
) -> None:
    """Generate the derivations, or fetch those that others published."""
    if (beam_options or beam_folder) and not beam:
        raise InputError("data: --beam-options and --beam-folder are of use with --beam only")
    run = make_run(config, overrides, runs, released, physics)
    try:
        known_split(split)  # after the config has loaded its extensions
    except ValueError as error:
        raise InputError(f"--split: {error}") from None
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
    physics: PhysicsOption = None,
    config: ConfigOption = QUICK,
    runs: RunsOption = RUNS,
) -> None:
    """Score checkpoints, or recorded outputs, without training anything.

    By default these are the predictors of a config that trains no model, or else the kit's own checkpoints/mini.
    """
    if predictions and checkpoint:
        raise InputError("eval: expected --predictions FILE or --checkpoint PLACE, not both")
    if predictions and physics:
        raise InputError("eval: --predictions FILE brings its own examples; expected it without --physics")
    changes = [*(overrides or ()), *([] if bleurt is None else [f"score.bleurt.checkpoint={json.dumps(bleurt)}"])]
    run = make_run(config, changes, runs, released, physics)
    has_predictors = run.config.model is None and bool(run.config.predictors)
    asked = [checkpoint_place(place) for place in checkpoint or []]
    checkpoints = asked or ([] if predictions or has_predictors else [str(MINI)])
    is_titled = any(change.startswith("report.title=") for change in changes)
    print(run_evaluation(run, [str(path) for path in predictions or []], checkpoints, is_titled))


def _process_settings(coordinator: str | None, count: int | None, index: int | None) -> ProcessSettings | None:
    if coordinator is None and count is None and index is None:
        return None
    if coordinator is None or count is None or index is None:
        raise InputError("--coordinator, --num-processes and --process-id: expected all three, or none")
    if not re.fullmatch(r"\S+:[0-9]{1,5}", coordinator):
        raise InputError(f"--coordinator: {coordinator}: expected HOST:PORT")
    if index >= count:
        raise InputError(f"--process-id: {index}: expected a number below --num-processes, {count}")
    return ProcessSettings(coordinator=coordinator, count=count, index=index)
