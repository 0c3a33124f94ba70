"""What the benchmarks of the model share: the published shapes, PyTorch's T5 with our parameters, and real text."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mathderive.config import DataSettings, SplitSizes
from mathderive.model.config import T5Config
from mathderive.model.tokenizer import train_tokenizer
from mathderive.model.weights import config_to_hugging_face, to_hugging_face
from tfds_builders.derivations.generation import preview

TokenPair = tuple[list[int], list[int]]
"""The ids of a prompt and of its target."""


def _shape(d_model: int, d_ff: int, num_heads: int, layers: int) -> T5Config:
    return T5Config(
        vocab_size=32128,
        d_model=d_model,
        d_kv=64,
        d_ff=d_ff,
        num_heads=num_heads,
        num_layers=layers,
        num_decoder_layers=layers,
        dropout_rate=0.1,
    )


SHAPES = {
    "tiny": _shape(128, 512, 2, 2),
    "small": _shape(512, 2048, 8, 6),
    "base": _shape(768, 3072, 12, 12),
    "large": _shape(1024, 4096, 16, 24),
}
"""Of T5 1.0 (Raffel et al., 2020), and one for a quick try."""


def token_pairs(count: int) -> list[TokenPair]:
    """Generated derivations at the paper's sampling, by a tokenizer trained on them."""
    settings = DataSettings(sizes=SplitSizes(train=count, validation=1, static=1), leak_free=False)
    texts = [(example.prompt, example.target) for example in islice(preview(settings, 0, "train"), count)]
    with TemporaryDirectory() as folder:
        tokenizer = train_tokenizer([text for pair in texts for text in pair], Path(folder), vocab_size=1000)
    return [(tokenizer.encode(prompt), tokenizer.encode(target)) for prompt, target in texts]


def torch_t5(config: T5Config, params: Mapping[str, Any], dtype: str) -> Any:
    """PyTorch's T5 with these parameters, on the GPU if PyTorch sees one."""
    import torch
    import transformers

    settings = config_to_hugging_face(config)
    del settings["architectures"], settings["model_type"]
    model = transformers.T5ForConditionalGeneration(transformers.T5Config(**settings)).eval()
    tensors = {name: torch.tensor(np.asarray(tensor)) for name, tensor in to_hugging_face(params, config).items()}
    for copy in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"):
        tensors.setdefault(copy, tensors["shared.weight"])
    model.load_state_dict(tensors)
    return model.to("cuda" if torch.cuda.is_available() else "cpu", getattr(torch, dtype))
