"""Writes the golden arrays beside this script from PyTorch's T5 in transformers.

    PYTHONPATH=. python tests/model/golden/make_golden.py      # needs torch; 20 seconds

Each `KIND.npz` holds the weights under Hugging Face's names, a padded batch, the logits of teacher forcing and the
tokens of greedy generation; `KIND-gradients.npz` the batch with labels, their mean loss, and its gradients under
Hugging Face's names. The tests compare with these arrays, and with PyTorch itself where it is installed.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from torch_t5 import (  # noqa: E402
    CONFIGS,
    SEEDS,
    random_batch,
    torch_generate,
    torch_gradients,
    torch_logits,
    torch_model,
)


def main() -> None:
    for kind, config in CONFIGS.items():
        model = torch_model(config, SEEDS[kind])
        batch = random_batch(config, SEEDS[kind])
        labels = batch.pop("labels")
        tensors = {f"weights/{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
        np.savez_compressed(
            HERE / f"{kind}.npz",
            **tensors,
            **batch,
            logits=torch_logits(model, batch),
            generated=torch_generate(model, batch, 100),
        )
        loss, gradients = torch_gradients(model, {**batch, "labels": labels})
        np.savez_compressed(HERE / f"{kind}-gradients.npz", labels=labels, loss=np.float64(loss), **gradients)


if __name__ == "__main__":
    main()
