"""Trains on shards where little is installed: `python -m mathderive.training SHARDS FOLDER`.

`./run.sh shards` makes SHARDS; FOLDER becomes one of our model folders. Needs JAX, Flax, Optax and Orbax. Ended by
SIGTERM, as by `timeout 540 python -m mathderive.training ...`, or killed, it goes on from its last checkpoint.
"""

import argparse
import sys
from pathlib import Path

from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import progress, say
from mathderive.training.shards import train_on_shards


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m mathderive.training", description=__doc__)
    parser.add_argument("shards", metavar="SHARDS", type=Path)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    options = parser.parse_args()
    try:
        with progress("train") as report:
            result = train_on_shards(options.shards, options.folder, report)
    except InputError as error:
        say(f"mathderive: {error}")
        return 2
    except Terminated as ended:
        say(f"mathderive: {ended}")
        return ended.exit_code
    say(f"train: {result.steps} steps, validation loss {result.validation_loss:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
