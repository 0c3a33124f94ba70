"""Writes `bert.npz` beside this script, from PyTorch's BERT in transformers.

    PYTHONPATH=. python tests/model/golden/make_bert_golden.py      # needs torch; 5 seconds

The file has the weights by Hugging Face's names, a padded batch of pairs and PyTorch's number for each pair. It also
has the scores of `torch_bert.PAIRS` by another random model, which its seed decides.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

from tests.support.torch_bert import (  # noqa: E402
    CONFIG,
    GOLDEN,
    PAIRS,
    random_batch,
    torch_model,
    torch_numbers,
    torch_scores,
    write_bleurt,
)


def main() -> None:
    model = torch_model(GOLDEN, seed=0)
    batch = random_batch(GOLDEN, seed=0, length=GOLDEN.max_position_embeddings)
    weights = {f"weights/{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as folder:
        scores = torch_scores(torch_model(CONFIG, seed=0), write_bleurt(Path(folder)), PAIRS)
    np.savez_compressed(
        HERE / "bert.npz",
        allow_pickle=False,
        **weights,
        **batch,
        numbers=torch_numbers(model, batch),
        scores=np.array(scores),
    )


if __name__ == "__main__":
    main()
