"""Common parts of the model's benchmarks: published shapes, generated examples, and PyTorch's T5 with our weights."""

import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mathderive.config.schema import DataSettings, ModelSettings, SplitSizes
from mathderive.core.progress import progress
from mathderive.model.config import T5Config
from mathderive.model.tokenizer import train_tokenizer
from mathderive.model.weights import write_folder
from mathderive.training.input_pipeline import TokenPair, tokenize
from tfds_builders.derivations.generation import preview

SHAPES = {
    "t5-tiny": T5Config(
        vocab_size=32128, d_model=64, d_kv=16, d_ff=128, num_heads=4, num_layers=2, num_decoder_layers=2
    ),
    "t5-small": T5Config(
        vocab_size=32128, d_model=512, d_kv=64, d_ff=2048, num_heads=8, num_layers=6, num_decoder_layers=6
    ),
    "t5-base": T5Config(
        vocab_size=32128, d_model=768, d_kv=64, d_ff=3072, num_heads=12, num_layers=12, num_decoder_layers=12
    ),
    "t5-large": T5Config(
        vocab_size=32128, d_model=1024, d_kv=64, d_ff=4096, num_heads=16, num_layers=24, num_decoder_layers=24
    ),
}
LONGEST = 512
"""Maximum number of tokens of a source and of a target in the paper."""


def make_texts(count: int, seed: int) -> list[tuple[str, str]]:
    """Generates prompts and derivations with the paper's sampling settings."""
    settings = DataSettings(sizes=SplitSizes(train=count, validation=1, static=1))
    pairs = []
    with progress("examples") as report:
        for example in islice(preview(settings, seed, "train"), count):
            pairs.append((example.prompt, example.target))
            report("generated", len(pairs), count)
    return pairs


def make_examples(count: int, seed: int) -> list[TokenPair]:
    """Generates such texts and encodes them by a tokenizer that is trained on them."""
    pairs = make_texts(count, seed)
    with tempfile.TemporaryDirectory() as folder:
        texts = [text for pair in pairs for text in pair]
        tokenizer = train_tokenizer(texts, Path(folder), ModelSettings().vocab_size)
    return tokenize(pairs, tokenizer, LONGEST, LONGEST)


def pytorch_model(config: T5Config, params: Mapping[str, Any]) -> Any:
    """The T5 of `transformers` in float32 with these parameters, on a GPU if PyTorch has one."""
    import torch
    from transformers import T5ForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), params, config)
        model: Any = T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa")
    return model.to("cuda" if torch.cuda.is_available() else "cpu")
