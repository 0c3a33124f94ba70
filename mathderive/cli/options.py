"""Options and arguments that several commands share."""

import json
import shlex
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer

from mathderive.config.loading import load_config
from mathderive.config.schema import Config
from mathderive.core.bundled import BUNDLED, existing_or_bundled
from mathderive.core.errors import InputError
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.run import Run

QUICK = BUNDLED / "configs" / "quick.yaml"
"""The default config."""

MINI = BUNDLED / "checkpoints" / "mini"
"""The checkpoint that comes with the package."""

TYPED_ARGUMENTS: ContextVar[Sequence[str]] = ContextVar("TYPED_ARGUMENTS", default=())
"""The arguments of the command as they were typed, which the report shows."""

RUNS = Path("runs")
"""The default folder of the run folders, below the current folder."""

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", show_default="configs/quick.yaml", help="The run's config file."),
]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[key.sub=value]...", help="Values that replace the config's.")
]
ReleasedOption = Annotated[
    Path | None,
    typer.Option("--released", metavar="DIR", help="Evaluate on the authors' *_results.json in this folder."),
]
PhysicsOption = Annotated[
    Path | None,
    typer.Option(
        "--physics",
        metavar="FILE",
        help="Evaluate on derivations in physics that people wrote: a physics_derivations.json.",
    ),
]
RunsOption = Annotated[Path, typer.Option("--runs", help="The folder of the run folders.")]


def read_config(config: Path, changes: Sequence[str]) -> Config:
    """The settings of a config file, which may be one of those that come with the package.

    Raises:
        InputError: the config or an override is wrong.
    """
    return load_config(existing_or_bundled(config), changes)


def make_run(
    config: Path,
    overrides: Sequence[str] | None,
    runs: Path,
    released: Path | None = None,
    physics: Path | None = None,
) -> Run:
    """The run of a config file.

    Args:
        runs: the folder of the run folders.
        released: a folder of result files to evaluate on, in place of the config's examples.
        physics: a file of derivations that people wrote, to evaluate on in place of the config's examples.

    Raises:
        InputError: the config or an override is wrong, or both places are given.
    """
    changes = list(overrides or ())
    if released is not None and physics is not None:
        raise InputError("--released and --physics: expected one of the two, to evaluate on")
    if physics is not None:
        changes += ["evaluation.source=physics", f"evaluation.physics={json.dumps(str(physics))}"]
    if released is not None:
        changes += ["evaluation.source=released", f"evaluation.released={json.dumps([str(released)])}"]
    settings = read_config(config, changes)
    return Run(
        settings, RunPaths(runs / str(settings.run.name)), command=shlex.join(["mathderive", *TYPED_ARGUMENTS.get()])
    )
