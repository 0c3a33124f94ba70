"""The work of a training step compared with XLA's count, and the peak of devices by JAX's names for them."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, initialise
from mathderive.training.description import read_description
from mathderive.training.flops import peak_flops, training_flops
from mathderive.training.step import Batch, label_loss
from tests.support.tiny_training import Finished

SHAPE: dict[str, Any] = {
    "vocab_size": 900,
    "d_model": 128,
    "d_kv": 64,
    "d_ff": 512,
    "num_heads": 3,
    "dropout_rate": 0.0,
}
CONFIGS = {
    "t5": T5Config(num_layers=2, num_decoder_layers=1, **SHAPE),
    "t5-1.1": T5Config(
        num_layers=1, num_decoder_layers=2, feed_forward="gated-gelu", tie_word_embeddings=False, **SHAPE
    ),
}


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_work_is_what_xla_counts(kind: str) -> None:
    config = CONFIGS[kind]
    batch = {
        name: jnp.ones((3, length), jnp.int32)
        for name, length in (("input_ids", 128), ("decoder_input_ids", 96), ("labels", 96))
    }

    def gradient(params: Params, batch: Batch) -> Params:
        return jax.grad(lambda params: label_loss(config, params, batch, None, "float32")[0])(params)

    costs: Any = jax.jit(gradient).lower(initialise(config, 0), batch).compile().cost_analysis()
    counted = costs["flops"]
    # XLA also counts softmax, norms and the like, which cost a few per cent of the products.
    assert 3 * training_flops(config, 128, 96) == pytest.approx(0.97 * counted, rel=0.03)


def test_rows_add_up() -> None:
    config = CONFIGS["t5"]
    sources, targets = np.array([5.0, 300.0]), np.array([7.0, 1.0])
    rows = training_flops(config, jnp.asarray(sources), jnp.asarray(targets))
    np.testing.assert_allclose(rows, [training_flops(config, 5, 7), training_flops(config, 300, 1)], rtol=1e-6)


@pytest.mark.parametrize(
    ("device_kind", "teraflops"),
    [
        ("TPU v2", 22.5),
        ("TPU v3", 61.5),
        ("TPU v4", 275),
        ("TPU v5 lite", 197),
        ("TPU v5", 459),
        ("TPU v5p", 459),
        ("TPU v6 lite", 918),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA L4", 121),
        ("Tesla V100-SXM2-16GB", 125),
        ("Tesla T4", 65),
    ],
)
def test_peaks_by_device_kind(device_kind: str, teraflops: float) -> None:
    assert peak_flops(device_kind) == teraflops * 1e12


@pytest.mark.parametrize("device_kind", ["cpu", "TPU v4 lite", "NVIDIA L40S", "NVIDIA T400", "TPU v5 litepod"])
def test_other_devices_have_no_known_peak(device_kind: str) -> None:
    assert peak_flops(device_kind) is None


def test_a_run_logs_its_work(finished: Finished) -> None:
    folder, _ = finished
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    config, _, _ = read_description(folder)
    for row in rows:
        if "loss" in row:
            # Nearly every text is cut to the run's limit of 16 tokens.
            flops_per_token = row["flops_per_second"] / row["tokens_per_second"]
            assert flops_per_token == pytest.approx(training_flops(config, 16, 16) / 32, rel=0.05)
            assert row["model_flop_utilisation"] is None or 0 < row["model_flop_utilisation"] < 1
