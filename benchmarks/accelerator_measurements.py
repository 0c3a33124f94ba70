"""The measurements of `accelerator.py`, one group for each call, because JAX and PyTorch do not share a card's memory.

    python benchmarks/accelerator_measurements.py GROUP [--tiny]

Prints one JSON line for each measurement. Parameters are random and every token is real. Only the first card is used.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

# Before JAX and PyTorch are imported: JAX would preallocate most of the memory, and hide how much a step needs.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")

import jax
import numpy as np
from peer import SHAPES, generate, our_step, pytorch_step

from mathderive.core import devices
from mathderive.model.decoding import decode, sample
from mathderive.model.parameters import parameter_shapes
from mathderive.model.sampling import Sampling, sample_key
from mathderive.training.flops import peak_flops, training_flops
from mathderive.training.input_pipeline import Batch

Row = dict[str, Any]
"""One measurement."""

TEMPERATURE = 0.8


@dataclass(frozen=True)
class Scale:
    """The sizes of the measurements.

    Attributes:
        shape: a name in `peer.SHAPES`.
        rows, length: the paper's batch, and its numbers of source and target tokens.
        most_rows: the largest batch that is tried.
        seconds: how long each measurement repeats its work.
        sources: number of sources of a decoded batch.
        samples: number of samples of each source where it is sampled.
        tokens: number of tokens of each output.
    """

    shape: str
    rows: int
    length: int
    most_rows: int
    seconds: float
    sources: int
    samples: int
    tokens: int


PAPER = Scale("t5-large", rows=4, length=512, most_rows=4096, seconds=6, sources=32, samples=4, tokens=128)
TINY = Scale("t5-tiny", rows=2, length=16, most_rows=4, seconds=0.2, sources=2, samples=2, tokens=8)


def emit(**row: Any) -> None:
    """Prints a measurement as one line, at once."""
    print(json.dumps(row), flush=True)


def repeat(work: Callable[[], Any], seconds: float) -> tuple[float, float, Any]:
    """The seconds of the first call, the median seconds of further calls, and the last call's result."""
    started = time.perf_counter()
    result = work()
    first = time.perf_counter() - started
    times: list[float] = []
    while len(times) < 3 or sum(times) < seconds:
        started = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - started)
    return first, statistics.median(times), result


def only_device() -> jax.Device:
    """JAX's device; ends the process if there are several, among which our batches would be shared."""
    found = jax.devices()
    if len(found) > 1:
        sys.exit(f"{len(found)} devices are visible; expected one, the device that is measured")
    return found[0]


def random_batch(scale: Scale, rows: int) -> Batch:
    """Source, shifted target and labels of real tokens, `[rows, length]` each."""
    rng, vocab_size = np.random.default_rng(0), SHAPES[scale.shape].vocab_size
    ids = {name: rng.integers(2, vocab_size, (rows, scale.length)) for name in ("input_ids", "labels")}
    shifted = np.pad(ids["labels"][:, :-1], ((0, 0), (1, 0)))
    return {key: array.astype(np.int32) for key, array in {**ids, "decoder_input_ids": shifted}.items()}


def random_params(scale: Scale) -> Mapping[str, Any]:
    """Small random matrices, drawn on the card, and norm scales of 1."""

    def draw(number: int, shape: tuple[int, ...]) -> jax.Array:
        is_scale = len(shape) == 1
        return jax.numpy.ones(shape) if is_scale else 0.02 * jax.random.normal(jax.random.key(number), shape)

    shapes = parameter_shapes(SHAPES[scale.shape])
    return {name: draw(number, shape) for number, (name, shape) in enumerate(shapes.items())}


def pytorch_t5(scale: Scale) -> Any:
    """PyTorch's T5 of the shape with random parameters in float32."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, T5Config

    from mathderive.model.weights import config_to_hugging_face  # needs safetensors, as transformers does

    torch.set_float32_matmul_precision("high")  # as XLA's default on a GPU
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        config = T5Config(**config_to_hugging_face(SHAPES[scale.shape]))
        return AutoModelForSeq2SeqLM.from_config(config, attn_implementation="sdpa")


def step_row(scale: Scale, side: str, rows: int, device: str, timed: tuple[float, float, Any]) -> Row:
    """The measurement of a training step."""
    first, seconds, _ = timed
    flops, peak = rows * training_flops(SHAPES[scale.shape], scale.length, scale.length), peak_flops(device)
    return {
        "measurement": "training step",
        "side": side,
        "device": device,
        "shape": scale.shape,
        "rows": rows,
        "source_tokens": scale.length,
        "target_tokens": scale.length,
        "first_step_seconds": first,
        "seconds": seconds,
        "tokens_per_second": rows * 2 * scale.length / seconds,
        "flops_per_second": flops / seconds,
        "model_flop_utilisation": None if peak is None else flops / seconds / peak,
    }


def is_out_of_memory(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) or type(error).__name__ == "OutOfMemoryError"


def larger_batches(scale: Scale) -> list[int]:
    """The paper's batch doubled, again and again."""
    return [scale.rows * 2**power for power in range(1, 32) if scale.rows * 2**power <= scale.most_rows]


def train_ours(scale: Scale, batches: Sequence[int]) -> None:
    """Measures our training step at each of the batches until one is too large."""
    device = only_device()
    for rows in batches:
        batch = random_batch(scale, rows)
        try:
            # A step that fails has used up its state, so each batch has a step of its own.
            step = our_step(SHAPES[scale.shape], random_params(scale), "adafactor", "bfloat16")
            row = step_row(scale, "ours", rows, device.device_kind, repeat(partial(step, batch), scale.seconds))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            emit(measurement="training step", side="ours", rows=rows, out_of_memory=True)
            return
        emit(**row, peak_bytes=(device.memory_stats() or {}).get("peak_bytes_in_use"))


def train_pytorch(scale: Scale, side: str, batches: Sequence[int]) -> None:
    """Measures PyTorch's training step at each of the batches until one is too large.

    Args:
        side: `pytorch`, under autocast, or `pytorch, all bfloat16`.
    """
    import torch

    autocast, has_card = side == "pytorch", torch.cuda.is_available()
    device = torch.cuda.get_device_name() if has_card else "cpu"
    model = pytorch_t5(scale)
    step = pytorch_step(SHAPES[scale.shape], model if autocast else model.bfloat16(), "adafactor", autocast)
    for rows in batches:
        batch = random_batch(scale, rows)
        try:
            row = step_row(scale, side, rows, device, repeat(partial(step, batch), scale.seconds))
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            emit(measurement="training step", side=side, rows=rows, out_of_memory=True)
            return
        emit(**row, peak_bytes=torch.cuda.max_memory_allocated() if has_card else None)


def random_sources(scale: Scale) -> list[list[int]]:
    """Sources of real tokens, all of the paper's length."""
    return random_batch(scale, scale.sources)["input_ids"].tolist()


def decoding_row(scale: Scale, side: str, search: str, timed: tuple[float, float, int]) -> Row:
    """The measurement of decoding one batch; the last of `timed` is its number of tokens."""
    first, seconds, tokens = timed
    return {
        "measurement": "decoding",
        "side": side,
        "search": search,
        "shape": scale.shape,
        "sources": scale.sources,
        "source_tokens": scale.length,
        "samples": scale.samples if search == "sampled" else 1,
        "tokens": scale.tokens,
        "first_seconds": first,
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
    }


def decode_ours(scale: Scale) -> None:
    """Measures greedy search and sampling with our T5."""
    only_device()
    config, params, sources = SHAPES[scale.shape], devices.replicate(random_params(scale)), random_sources(scale)
    samplings = [
        Sampling([sample_key(0, str(row), number) for number in range(scale.samples)], TEMPERATURE)
        for row in range(scale.sources)
    ]

    def greedy() -> int:
        return sum(map(len, decode(config, params, sources, scale.tokens, "bfloat16")))

    def sampled() -> int:
        drawn = sample(config, params, sources, samplings, scale.tokens, "bfloat16")
        return sum(len(one.ids) for samples in drawn for one in samples)

    for search, work in (("greedy", greedy), ("sampled", sampled)):
        emit(**decoding_row(scale, "ours", search, repeat(work, scale.seconds)))


def decode_pytorch(scale: Scale) -> None:
    """Measures `generate` of transformers, greedy and sampled, with all parameters in bfloat16."""
    config, model, sources = SHAPES[scale.shape], pytorch_t5(scale).bfloat16().eval(), random_sources(scale)
    sampling = {"do_sample": True, "temperature": TEMPERATURE, "top_k": 0, "num_return_sequences": scale.samples}
    for search, options in (("greedy", {}), ("sampled", sampling)):
        count = scale.sources * scale.tokens * (scale.samples if options else 1)

        def work(options: Mapping[str, Any] = options, count: int = count) -> int:
            generate(model, config, sources, scale.tokens, **options)
            return count

        emit(**decoding_row(scale, "pytorch", search, repeat(work, scale.seconds)))


GROUPS: dict[str, Callable[[Scale], None]] = {
    "ours-step": lambda scale: train_ours(scale, [scale.rows]),
    "pytorch-step": lambda scale: train_pytorch(scale, "pytorch", [scale.rows]),
    "pytorch-bfloat16-step": lambda scale: train_pytorch(scale, "pytorch, all bfloat16", [scale.rows]),
    "ours-decoding": decode_ours,
    "pytorch-decoding": decode_pytorch,
    "ours-larger-steps": lambda scale: train_ours(scale, larger_batches(scale)),
    "pytorch-larger-steps": lambda scale: train_pytorch(scale, "pytorch", larger_batches(scale)),
}
"""The groups of measurements, in the order of their importance."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--tiny", action="store_true", help="a tiny shape and short texts, to try the script on a CPU")
    options = parser.parse_args()
    GROUPS[options.group](TINY if options.tiny else PAPER)


if __name__ == "__main__":
    main()
