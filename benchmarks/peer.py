"""Common parts of the model's benchmarks: published shapes, and the same work by our T5 and by PyTorch's.

Needs JAX, Flax, Optax and, for PyTorch's side, PyTorch and transformers.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mathderive.config.training_options import Optimizer, TrainingOptions
from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.training.input_pipeline import Batch
from mathderive.training.optimizer import make_optimizer
from mathderive.training.step import fresh_state, make_train_step

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

_LEARNING_RATE = 5e-5


def training_options(optimizer: Optimizer) -> TrainingOptions:
    """The paper's optimizer, or AdamW with the same learning rate; the other options play no part in a single step."""
    return TrainingOptions(
        batch_size=1,
        accumulate=1,
        steps=1,
        epochs=None,
        optimizer=optimizer,
        learning_rate=_LEARNING_RATE,
        vector_learning_rate_factor=1.0,
        schedule="constant",
        warmup_steps=0,
        weight_decay=0.0,
        max_gradient_norm=None,
        max_source_length=LONGEST,
        max_target_length=LONGEST,
        first_token="fixed",
        evaluate_every=1,
        validation_examples=1,
        checkpoint_every=1,
        checkpoint_folder=None,
        log_every=1,
    )


def our_step(
    config: T5Config, params: Mapping[str, Any], optimizer: Optimizer, dtype: str, seed: int = 0
) -> Callable[[Batch], None]:
    """Makes a function that trains our T5 on a batch and returns when the step is done."""
    transformation = make_optimizer(training_options(optimizer), total_steps=1)
    step = make_train_step(config, transformation, seed, dtype=dtype)
    state = devices.replicate(fresh_state(dict(params), transformation))

    def train_on(batch: Batch) -> None:
        nonlocal state
        state, loss = step(state, devices.shard(batch))
        jax.block_until_ready((state, loss))

    return train_on


def pytorch_step(config: T5Config, model: Any, optimizer: Optimizer, autocast: bool) -> Callable[[Batch], None]:
    """Makes the same function for PyTorch's T5.

    Args:
        model: from `pytorch_model`; it is put into training mode.
        autocast: whether matrix products are in bfloat16 although the parameters may not be.
    """
    import torch
    from transformers.optimization import Adafactor

    device = model.train().device.type
    rule: torch.optim.Optimizer
    if optimizer == "adafactor":
        rule = Adafactor(model.parameters(), lr=_LEARNING_RATE, scale_parameter=False, relative_step=False)
    else:
        is_fused = device == "cuda"
        rule = torch.optim.AdamW(
            model.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.0, fused=is_fused
        )

    def train_on(batch: Batch) -> None:
        tensors = {key: torch.tensor(array, device=device, dtype=torch.long) for key, array in batch.items()}
        with torch.autocast(device, torch.bfloat16, enabled=autocast):
            loss = model(
                input_ids=tensors["input_ids"],
                attention_mask=(tensors["input_ids"] != config.pad_token_id).long(),
                decoder_input_ids=tensors["decoder_input_ids"],
                labels=tensors["labels"].masked_fill(tensors["labels"] == config.pad_token_id, -100),
            ).loss
        loss.backward()
        rule.step()
        rule.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    return train_on


def pytorch_model(config: T5Config, params: Mapping[str, Any]) -> Any:
    """The T5 of `transformers` in float32 with these parameters, on a GPU if PyTorch has one."""
    import torch
    from transformers import T5ForConditionalGeneration
    from transformers.utils.logging import disable_progress_bar

    from mathderive.model.weights import write_folder  # needs safetensors, as transformers does

    disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        write_folder(Path(folder), params, config)
        model: Any = T5ForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa")
    return model.to("cuda" if torch.cuda.is_available() else "cpu")


def generate(
    model: Any, config: T5Config, sources: Sequence[Sequence[int] | np.ndarray], tokens: int, **sampling: Any
) -> None:
    """Generates exactly `tokens` tokens for each row with PyTorch's T5, by default with greedy search.

    Args:
        sampling: further arguments of `generate` in transformers, such as `do_sample`.
    """
    import torch

    longest = max(len(source) for source in sources)
    input_ids = torch.full((len(sources), longest), config.pad_token_id)
    for row, source in enumerate(sources):
        input_ids[row, : len(source)] = torch.tensor(source)
    mask = (input_ids != config.pad_token_id).long()
    place = model.device
    with torch.no_grad():
        written = model.generate(
            input_ids=input_ids.to(place),
            attention_mask=mask.to(place),
            max_new_tokens=tokens,
            min_new_tokens=tokens,
            **{"do_sample": False, **sampling},
        )
    written.cpu()
