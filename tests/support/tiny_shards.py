"""Shards of the tiny training's pairs, and an environment with few packages to train on them."""

from collections.abc import Collection
from pathlib import Path

import numpy as np

from mathderive.model.config import T5Config
from mathderive.model.tokenizer import train_tokenizer
from mathderive.training.input_pipeline import choose_shapes, tokenize
from mathderive.training.shards import VALIDATION, write_recipe, write_shard
from tests.support import tiny_training

FILES = {"train-000-000.npz": 30, "train-000-001.npz": 20}
"""The number of examples of each file."""

# Flax and Orbax depend on rich, PyYAML and etils.
MISSING = (
    "array_record", "fastapi", "flint", "grain", "lark", "nltk", "openai", "pydantic", "rouge_score", "sacrebleu",
    "safetensors", "scipy", "sentencepiece", "sympy", "tensorflow_datasets", "transformers", "typer",
)  # fmt: skip
"""Packages that are missing in the small environment."""


def hide_packages(names: Collection[str] = MISSING) -> str:
    """A program that makes an environment small."""
    return f"""import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {tuple(names)!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
"""


def write(folder: Path) -> None:
    """Writes the shards, in two files."""
    tokenizer = train_tokenizer([text for pair in tiny_training.PAIRS for text in pair], folder / "tokenizer", 60)
    examples = tokenize(tiny_training.PAIRS, tokenizer, 16, 16)
    start = 0
    for name, count in FILES.items():
        write_shard(folder / name, examples[start : start + count])
        start += count
    write_shard(folder / VALIDATION, examples[start:])
    model = tiny_training.MODEL
    network = T5Config(
        vocab_size=tokenizer.vocab_size, d_model=model.d_model, d_kv=model.d_kv, d_ff=model.d_ff,
        num_heads=model.num_heads, num_layers=1, num_decoder_layers=1,
    )  # fmt: skip
    shapes = choose_shapes(np.array([(len(source), len(target)) for source, target in examples]), 2)
    write_recipe(folder, network, "float32", False, tiny_training.TRAINING.model_dump(mode="json"), 0, FILES, shapes)
