"""The commands on a single checkpoint: `convert` and `serve`."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from mathderive.cli.options import MINI, QUICK, ConfigOption, Overrides, read_config
from mathderive.core.bundled import checkpoint_place
from mathderive.core.environment import cores
from mathderive.core.progress import say
from mathderive.predictors.kinds import checkpoint_name


def convert_checkpoint(
    source: Annotated[str, typer.Argument(metavar="SRC", help="Our folder, or a Hugging Face folder or id.")],
    destination: Annotated[Path, typer.Argument(metavar="DST", help="The folder to make.")],
    dtype: Annotated[
        Literal["float32", "bfloat16"] | None,
        typer.Option("--dtype", help="What a Hugging Face folder's weights are stored as; float32 by default."),
    ] = None,
    to: Annotated[
        Literal["hugging-face", "mathderive"] | None,
        typer.Option("--to", help="The format to make; by default the one that SRC does not have."),
    ] = None,
) -> None:
    """Turn one of our model folders into a Hugging Face folder, and a Hugging Face folder or id into one of ours."""
    from mathderive.training.conversion import convert

    made = convert(checkpoint_place(source), destination, dtype, to)
    say(f"convert: {destination} is {made}")
    print(destination)


def serve_checkpoint(
    overrides: Overrides = None,
    checkpoint: Annotated[
        str,
        typer.Option(
            "--checkpoint",
            metavar="PLACE",
            show_default="checkpoints/mini",
            help="Our folder, a Hugging Face folder or id.",
        ),
    ] = str(MINI),
    name: Annotated[str | None, typer.Option("--name", help="The model's name; by default the checkpoint's.")] = None,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 chooses a free one.")] = 8000,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="Answers computed together, and the most to one request.")
    ] = 8,
    waiting: Annotated[
        int, typer.Option("--waiting", min=1, help="Requests that may wait; more are answered 429.")
    ] = 64,
    check_processes: Annotated[
        int | None,
        typer.Option("--check-processes", min=2, help="Derivations checked at once; by default one per core, and 2."),
    ] = None,
    key_variable: Annotated[
        str,
        typer.Option(
            "--api-key-variable", help="The environment variable with the key that clients must show, if it is set."
        ),
    ] = "MATHDERIVE_API_KEY",
    config: ConfigOption = QUICK,
) -> None:
    """Serve a checkpoint: an OpenAI-compatible API, and a page to try it on. Decodes as the config says."""
    from mathderive.serving.server import serve

    changes = [*(overrides or ()), f"decoding.batch_size={batch_size}"]
    serve(
        name or checkpoint_name(checkpoint),
        checkpoint_place(checkpoint),
        read_config(config, changes).decoding,
        host,
        port,
        waiting,
        os.environ.get(key_variable) or None,
        check_processes or max(2, cores()),
    )
