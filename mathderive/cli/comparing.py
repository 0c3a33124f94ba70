"""The command `compare`, which sets two finished runs side by side."""

from pathlib import Path
from typing import Annotated

import typer

from mathderive.cli.options import read_config
from mathderive.core.errors import InputError


def compare_finished_runs(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run, such as runs/quick.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of another one on the same examples.")],
    predictors: Annotated[
        tuple[str, str] | None,
        typer.Option(
            "--predictors",
            metavar="FIRST SECOND",
            help="A predictor of each run to compare. By default those of the same name, and the remaining ones if "
            "there is one in each run.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Also write the comparison as a page, HTML.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="A config whose extensions to load, where the runs have measures of them."),
    ] = None,
) -> None:
    """Compare two runs: every measure with a paired test, changed verdicts, and the config keys that differ."""
    from mathderive.pipeline.compare import compare_runs
    from mathderive.report.run_comparison import plain_comparison

    if config is not None:
        read_config(config, ())
    comparison = compare_runs(first, second, predictors, reads_answers=output is not None)
    if output is not None:
        from mathderive.report.comparison_page import write_comparison

        try:
            write_comparison(output, comparison)
        except OSError as error:
            raise InputError(f"{output}: {error.strerror}; expected a file that can be written") from None
    print(plain_comparison(comparison))
    if output is not None:
        print(f"\n{output}")
