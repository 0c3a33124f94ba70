"""Writes the golden arrays beside this script from PyTorch's T5 in transformers.

    PYTHONPATH=. python tests/model/golden/make_golden.py      # needs torch; 20 seconds

Each `KIND.npz` has the weights by Hugging Face's names, a padded batch and the logits with teacher forcing. Each
`KIND-gradients.npz` has the labels of the batch, their mean loss and its gradients. `generated.npz` has the tokens that
`generate` writes for a hundred prompts with several searches. The tests compare with these arrays, and with PyTorch
itself where it is installed.
"""

import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.support.searches import SEARCHES, limit, prompts, sharpened  # noqa: E402
from tests.support.torch_t5 import (  # noqa: E402
    CONFIGS,
    SEEDS,
    random_batch,
    random_params,
    torch_generate,
    torch_gradients,
    torch_logits,
    torch_model,
    torch_model_of,
)


def main() -> None:
    generated = {}
    for kind, config in CONFIGS.items():
        model = torch_model(config, SEEDS[kind])
        batch = random_batch(config, SEEDS[kind])
        labels = batch.pop("labels")
        tensors = {f"weights/{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
        np.savez_compressed(
            HERE / f"{kind}.npz", allow_pickle=False, **tensors, **batch, logits=torch_logits(model, batch)
        )
        loss, gradients = torch_gradients(model, {**batch, "labels": labels})
        np.savez_compressed(
            HERE / f"{kind}-gradients.npz", allow_pickle=False, labels=labels, loss=np.float64(loss), **gradients
        )
        sharp = torch_model_of(config, sharpened(random_params(config, SEEDS[kind]), config))
        for name, search in SEARCHES.items():
            tokens = torch_generate(sharp, prompts(config), limit(search), search)
            generated[f"{kind}/{name}"] = tokens.astype(np.uint8)
    np.savez_compressed(HERE / "generated.npz", allow_pickle=False, **generated)


if __name__ == "__main__":
    main()
