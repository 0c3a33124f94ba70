"""Trains on shards where little is installed: `python -m mathderive.training SHARDS FOLDER`.

`./run.sh shards` makes SHARDS, and FOLDER becomes one of our model folders. JAX, Flax, Optax and Orbax are required.
After SIGTERM (`timeout 540 python -m mathderive.training ...` sends it) or after a kill, the same command goes on
from the last checkpoint.
"""

import argparse
import sys
from pathlib import Path

from mathderive.core.errors import ending_of
from mathderive.core.progress import progress, say
from mathderive.training.shards import train_on_shards


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mathderive.training", description=__doc__)
    parser.add_argument("shards", metavar="SHARDS", type=Path)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    options = parser.parse_args()
    try:
        with progress("train") as on_progress:
            result = train_on_shards(options.shards, options.folder, on_progress)
    except Exception as error:
        message, exit_code = ending_of(error)
        say(f"mathderive: {message}")
        return exit_code
    say(f"train: {result.steps} steps, validation loss {result.validation_loss:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
