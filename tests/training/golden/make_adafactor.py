"""Writes `adafactor.npz` beside this script: 20 steps of the Adafactor of `transformers` at the paper's settings.

    PYTHONPATH=. python tests/training/golden/make_adafactor.py      # needs torch; 10 seconds

The file has the gradients and the update of each step.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.support.torch_adafactor import random_gradients, torch_updates  # noqa: E402


def main() -> None:
    gradients = random_gradients()
    arrays = {f"gradients/{name}": array for name, array in gradients.items()}
    arrays |= {f"updates/{name}": array for name, array in torch_updates(gradients).items()}
    np.savez_compressed(HERE / "adafactor.npz", allow_pickle=False, **arrays)


if __name__ == "__main__":
    main()
