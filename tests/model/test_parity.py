"""Logits, loss and gradients are those of PyTorch's T5, in the published shapes and in a recorded one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mathderive.model.config import T5Config
from mathderive.model.parameters import bind, initialise
from mathderive.model.weights import from_hugging_face, write_folder
from mathderive.training.input_pipeline import collate
from mathderive.training.step import label_loss
from tests.support.torch_t5 import PUBLISHED, Arrays, torch_gradients, torch_logits

RESIZED = 32105
"""Rows of the authors' embedding: the tokenizer has 32,100 tokens, and they added five and resized the embedding."""


def loss_and_gradients(config: T5Config, params: Arrays, batch: Arrays) -> tuple[float, Arrays]:
    """The mean loss of the labels and its gradients."""

    @jax.jit
    def run(params: Any, batch: Any) -> Any:
        (loss, count), gradients = jax.value_and_grad(
            lambda params: label_loss(config, params, batch, None, "float32"), has_aux=True
        )(params)
        return loss / count, jax.tree.map(lambda gradient: gradient / count, gradients)

    return jax.device_get(run(params, batch))


def assert_parity(
    config: T5Config, params: Arrays, batch: Arrays, expected_loss: float, expected_gradients: Arrays
) -> None:
    loss, gradients = loss_and_gradients(config, params, batch)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert gradients.keys() == expected_gradients.keys()
    for name, expected in expected_gradients.items():
        error = np.linalg.norm(gradients[name] - expected) / np.linalg.norm(expected)
        assert error < 1e-3, name


def test_loss_and_gradients_are_the_recorded_ones(kind: str, config: T5Config, params: Arrays, golden: Arrays) -> None:
    with np.load(Path(__file__).parent / "golden" / f"{kind}-gradients.npz") as arrays:
        recorded = dict(arrays)
    batch = {key: golden[key] for key in ("input_ids", "decoder_input_ids")}
    batch["labels"] = recorded.pop("labels")
    loss = float(recorded.pop("loss"))
    assert_parity(config, params, batch, loss, from_hugging_face(recorded, config, "golden"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "vocab_size"),
    [
        ("t5-tiny", 32128),
        ("t5-tiny", RESIZED),
        ("t5-small", RESIZED),
        pytest.param("t5-base", 32128, marks=pytest.mark.long),
        ("t5-1.1-tiny", 32128),
        ("t5-1.1-tiny", RESIZED),
        ("t5-1.1-small", RESIZED),
        pytest.param("t5-1.1-base", 32128, marks=pytest.mark.long),
    ],
)
def test_published_shapes_compute_what_pytorch_does(shape: str, vocab_size: int, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import transformers

    write_folder(tmp_path, fresh_params(PUBLISHED[shape]), PUBLISHED[shape])
    model = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    if vocab_size != PUBLISHED[shape].vocab_size:
        # Without this, resizing would tie the head of a 1.1 model.
        model.config.tie_word_embeddings = PUBLISHED[shape].tie_word_embeddings
        model.resize_token_embeddings(vocab_size)
    config = replace(PUBLISHED[shape], vocab_size=vocab_size)
    batch = random_token_batch(config)
    if config.feed_forward == "relu":
        keep_clear_of_kinks(model, batch)
    params = from_hugging_face({name: array.numpy() for name, array in model.state_dict().items()}, config, shape)

    encoder_mask = batch["input_ids"] != config.pad_token_id
    sources, tokens = jnp.asarray(batch["input_ids"]), jnp.asarray(batch["decoder_input_ids"])
    logits = jax.jit(lambda params: bind(config, params)(sources, jnp.asarray(encoder_mask), tokens))
    expected = torch_logits(model, {**batch, "encoder_mask": encoder_mask})
    np.testing.assert_allclose(logits(params), expected, atol=1e-4)
    loss, gradients = torch_gradients(model, batch)
    assert_parity(config, params, batch, loss, from_hugging_face(gradients, config, shape))


def fresh_params(config: T5Config) -> Arrays:
    """Fresh parameters on the published scale, except for the norms, which would all be 1, and the head."""
    rng = np.random.default_rng(0)
    params = {name: np.array(array) for name, array in initialise(config, 0).items()}
    for name, array in params.items():
        if name.endswith("scale"):
            params[name] = rng.uniform(0.8, 1.2, array.shape).astype(np.float32)
    if "head" in params:
        # T5X has this scale. A head on a scale of 1 gives losses in the hundreds, for which float32 is too coarse.
        params["head"] *= np.float32(config.d_model**-0.5)
    return params


def random_token_batch(config: T5Config) -> Arrays:
    """Two rows, the second padded in source and target."""
    rng = np.random.default_rng(1)

    def text(length: int) -> np.ndarray:
        return np.append(rng.integers(3, config.vocab_size, length - 1), config.eos_token_id)

    return collate([(text(source), text(target)) for source, target in ((40, 30), (23, 17))], config, 2, (40, 30))


def keep_clear_of_kinks(model: Any, batch: Arrays) -> None:
    """Draws new weights for every ReLU whose input for this batch is within 1e-5 of 0.

    Near 0, rounding can decide whether a unit is on: before a ReLU of T5-base, PyTorch in float32 and in float64 differ
    by up to 3e-6. A gradient is a sum over some 100,000 units that are on, so one unit changes it by about
    100,000**-0.5, which is 3e-3. If the same units are on, the gradients differ by less than 1e-5.
    """
    import torch

    def redraw(module: Any, inputs: Any) -> None:
        weight = module.wi.weight
        while (near := (module.wi(inputs[0]).abs() < 1e-5).flatten(0, 1).any(dim=0)).any():
            weight[near] = torch.randn_like(weight[near]) * weight.shape[1] ** -0.5

    torch.manual_seed(0)
    hooks = [
        module.register_forward_pre_hook(redraw)
        for name, module in model.named_modules()
        if name.endswith("DenseReluDense")
    ]
    torch_logits(model, {**batch, "encoder_mask": batch["input_ids"] != model.config.pad_token_id})
    for hook in hooks:
        hook.remove()
