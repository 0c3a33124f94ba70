"""The work of a training step, and the share of the devices' peak that it uses.

Model FLOPs utilization (Chowdhery et al., *PaLM*, 2022, appendix B) is the work that the model needs, divided by the
work that the devices could do in the time. The needed work is that of the matrix products of real tokens. Padding does
not count, nor does a second computation by `remat`.
"""

import re
from typing import TypeVar

import jax

from mathderive.model.config import T5Config

Lengths = TypeVar("Lengths", int, jax.Array)

_TERA = 1e12
PEAKS = (
    # A JAX device is a TPU chip; in v2 and v3 it is one of a chip's two cores.
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
    # These two have no bfloat16, so the figures are for float16.
    (r".*\bV100\b.*", 125 * _TERA),
    (r".*\bT4\b.*", 65 * _TERA),
)
"""Peak FLOPs a second of one JAX device for bfloat16 products of dense matrices, by a pattern of `device_kind`.

The first pattern that matches counts. The figures are from Google's *TPU architecture* pages and NVIDIA's data sheets
(half of their figures "with sparsity")."""


def training_flops(config: T5Config, source_length: Lengths, target_length: Lengths) -> Lengths:
    """Floating-point operations of one row's training step: `forward_flops`, and twice as many for the gradients."""
    return 3 * forward_flops(config, source_length, target_length)


def forward_flops(config: T5Config, source_length: Lengths, target_length: Lengths) -> Lengths:
    """Floating-point operations of the matrix products that compute the logits of a row.

    A multiplication and an addition are two operations. As in PaLM, all attention scores count, although a mask hides
    half of those in the decoder; softmax, norms, lookups and the optimizer do not count.

    Args:
        source_length: number of source tokens of one row, or an array with that of several rows.
        target_length: number of target tokens, of the same shape.
    """
    width = config.num_heads * config.d_kv
    projection = 2 * config.d_model * width
    attend = 2 * 2 * width  # for each pair of a query and a key: their score, and the weighted value
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
    """Peak FLOPs a second of such a device in half precision; None if it is unknown."""
    return next((peak for pattern, peak in PEAKS if re.fullmatch(pattern, device_kind)), None)


def peak_of_all_devices() -> float | None:
    """Peak FLOPs a second of all devices together; None if that of one device is unknown, as on a CPU."""
    peaks = [peak_flops(device.device_kind) for device in jax.devices()]
    return None if None in peaks else sum(peak for peak in peaks if peak is not None)


def utilisation(flops_per_second: float) -> float | None:
    """The share of all devices' peak, between 0 and 1; None if the peak is unknown, as on a CPU."""
    peak = peak_of_all_devices()
    return None if peak is None else flops_per_second / peak
