"""What a training step costs, and how much of the devices' power it uses.

Model FLOPs utilization (Chowdhery et al., *PaLM*, 2022, appendix B) is the work that the model needs, whatever the
program does beside it, over what the devices could do in the time. So the work counts matrix products of real tokens
only: padding is not needed, nor is what `remat` computes twice.
"""

import re
from typing import TypeVar

import jax

from mathderive.model.config import T5Config

Lengths = TypeVar("Lengths", int, jax.Array)

_TERA = 1e12
PEAKS = (
    # A TPU's "device" is a chip, but one of its two cores in v2 and v3.
    (r"TPU v2", 45 * _TERA / 2),
    (r"TPU v3", 123 * _TERA / 2),
    (r"TPU v4", 275 * _TERA),
    (r"TPU v5( lite|e)", 197 * _TERA),
    (r"TPU v5p?", 459 * _TERA),
    (r"TPU v6( lite|e)", 918 * _TERA),
    (r".*\bA100\b.*", 312 * _TERA),
    (r".*\bH100 PCIe\b.*", 756 * _TERA),
    (r".*\bH100 NVL\b.*", 835 * _TERA),
    (r".*\b(H100|H200|GH200)\b.*", 989 * _TERA),
    (r".*\bL4\b.*", 121 * _TERA),
    # These two have no bfloat16; in float16, their nearest.
    (r".*\bV100\b.*", 125 * _TERA),
    (r".*\bT4\b.*", 65 * _TERA),
)
"""Bfloat16 products of dense matrices, FLOPs a second of one JAX device, by `device_kind`; the first pattern that fits
counts. From Google's *TPU architecture* pages and NVIDIA's data sheets (half of their figures "with sparsity")."""


def training_flops(config: T5Config, source_length: Lengths, target_length: Lengths) -> Lengths:
    """Floating-point operations of one row's training step: those of `forward_flops`, and twice that backward."""
    return 3 * forward_flops(config, source_length, target_length)


def forward_flops(config: T5Config, source_length: Lengths, target_length: Lengths) -> Lengths:
    """Floating-point operations of the matrix products by which a row becomes logits.

    A multiplication and an addition are two. As with PaLM, attention scores are counted as if no mask halved them,
    and softmax, norms, lookups and the optimizer are left out.

    Args:
        source_length: tokens, or an array of any shape, for as many rows.
        target_length: likewise.
    """
    width = config.num_heads * config.d_kv
    projection = 2 * config.d_model * width
    attend = 2 * 2 * width  # a query and a key: their score, and the value's share
    feed_forward = (3 if config.feed_forward == "gated-gelu" else 2) * 2 * config.d_model * config.d_ff
    encoder = source_length * (4 * projection + feed_forward) + source_length * source_length * attend
    decoder = (
        target_length * (4 * projection + feed_forward)
        + target_length * target_length * attend
        + (target_length + source_length) * 2 * projection  # cross-attention: query and out, key and value
        + target_length * source_length * attend
    )
    logits = target_length * (2 * config.d_model * config.vocab_size)
    return config.num_layers * encoder + config.num_decoder_layers * decoder + logits


def peak_flops(device_kind: str) -> float | None:
    """FLOPs a second that such a device can do at most, in half precision; None where that is not known."""
    return next((peak for pattern, peak in PEAKS if re.fullmatch(pattern, device_kind)), None)


def peak_of_all_devices() -> float | None:
    """`peak_flops` of all devices together; None where one's is not known, as on a CPU."""
    peaks = [peak_flops(device.device_kind) for device in jax.devices()]
    return None if None in peaks else sum(peak for peak in peaks if peak is not None)


def utilisation(flops_per_second: float) -> float | None:
    """The share of all devices' peak, between 0 and 1; None where the peak is not known, as on a CPU."""
    peak = peak_of_all_devices()
    return None if peak is None else flops_per_second / peak
