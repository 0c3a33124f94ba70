"""Optimizers compared with those that the authors used, in PyTorch."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mathderive.config.schema import TrainingSettings
from mathderive.config.training_options import TrainingOptions
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, initialise
from mathderive.training.optimizer import learning_rate_schedule, make_optimizer
from tests.support import torch_adafactor
from tests.support.torch_adafactor import STEPS, random_gradients, torch_updates
from tests.support.torch_t5 import Arrays

SHAPES = {"matrix": (7, 5), "wide": (3, 200), "scale": (6,)}


def options(**changes: Any) -> TrainingOptions:
    changed = {"batch_size": 1, "steps": 10, "learning_rate": 0.01, **changes}
    return TrainingSettings.model_validate(changed).options()


def gradients(step: int) -> Arrays:
    rng = np.random.default_rng(step)
    return {name: (rng.normal(size=shape) * 3**step).astype(np.float32) for name, shape in SHAPES.items()}


def ours(training: TrainingOptions, steps: int) -> Params:
    optimizer = make_optimizer(training, 10)
    params = start()
    state = optimizer.init(params)
    for step in range(steps):
        updates, state = optimizer.update(gradients(step), state, params)
        params = optax.apply_updates(params, updates)
    return params


def start() -> Params:
    rng = np.random.default_rng(1000)
    return {name: jnp.asarray(rng.normal(size=shape).astype(np.float32)) for name, shape in SHAPES.items()}


def theirs(make: Callable[[Any], Any], steps: int) -> Arrays:
    import torch

    params = {name: torch.nn.Parameter(torch.tensor(np.asarray(array))) for name, array in start().items()}
    optimizer = make(params)
    for step in range(steps):
        for name, gradient in gradients(step).items():
            params[name].grad = torch.tensor(gradient)
        optimizer.step()
    return {name: parameter.detach().numpy() for name, parameter in params.items()}


def assert_close(found: Mapping[str, Any], expected: Arrays) -> None:
    for name in SHAPES:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-6, err_msg=name)


def assert_moves_alike(gradients: Arrays, expected: Arrays) -> None:
    """Each update of our Adafactor with the paper's settings is the expected one; parameters have no influence."""
    optimizer = make_optimizer(options(optimizer="adafactor", learning_rate=5e-5, steps=STEPS), STEPS)
    params = {name: jnp.ones(array.shape[1:]) for name, array in gradients.items()}
    state = optimizer.init(params)
    update = jax.jit(optimizer.update)
    for step in range(STEPS):
        updates, state = update({name: array[step] for name, array in gradients.items()}, state, params)
        for name, array in expected.items():
            np.testing.assert_allclose(updates[name], array[step], rtol=1e-4, err_msg=f"{name}, step {step}")


def test_adafactor_moves_as_recorded() -> None:
    with np.load(Path(__file__).parent / "golden" / "adafactor.npz") as arrays:
        gradients, updates = (
            {name: arrays[f"{kind}/{name}"] for name in torch_adafactor.SHAPES} for kind in ("gradients", "updates")
        )
    assert_moves_alike(gradients, updates)


def test_adafactor_moves_as_the_authors_does_today() -> None:
    pytest.importorskip("torch")
    gradients = random_gradients()
    assert_moves_alike(gradients, torch_updates(gradients))


def test_adafactor_spares_vectors_the_decay() -> None:
    pytest.importorskip("torch")
    from transformers.optimization import Adafactor

    def make(params: Any) -> Any:
        # The authors have no weight decay. With weight decay, ours applies to matrices only.
        groups = [
            {"params": [params["matrix"], params["wide"]], "weight_decay": 0.1},
            {"params": [params["scale"]], "weight_decay": 0.0},
        ]
        fixed = {"scale_parameter": False, "relative_step": False, "warmup_init": False, "beta1": None}
        return Adafactor(groups, lr=0.01, eps=(1e-30, 5e-5), clip_threshold=1.0, decay_rate=-0.8, **fixed)

    assert_close(ours(options(optimizer="adafactor", weight_decay=0.1), 6), theirs(make, 6))


def test_adamw_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")

    def make(params: Any) -> Any:
        groups = [
            {"params": [params["matrix"], params["wide"]], "weight_decay": 0.1},
            {"params": [params["scale"]], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98))

    assert_close(ours(options(optimizer="adamw", weight_decay=0.1), 6), theirs(make, 6))


def test_what_is_vector_like_learns_faster() -> None:
    torch = pytest.importorskip("torch")

    def make(params: Any) -> Any:
        groups = [{"params": [params["matrix"], params["wide"]]}, {"params": [params["scale"]], "lr": 0.2}]
        return torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)

    assert_close(ours(options(vector_learning_rate_factor=20.0), 6), theirs(make, 6))


def test_the_networks_vectors_are_its_embedding_position_biases_and_norms() -> None:
    config = T5Config(vocab_size=7, d_model=6, d_kv=3, d_ff=5, num_heads=2, num_layers=1, num_decoder_layers=1)
    params = initialise(config, 0)
    steps = {}
    for factor in (1.0, 20.0):
        optimizer = make_optimizer(options(vector_learning_rate_factor=factor), 10)
        steps[factor], _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    faster = {name for name in params if not np.allclose(steps[1.0][name], steps[20.0][name])}
    assert faster == {name for name in params if name.endswith(("embedding", "relative_bias", "scale"))}
    assert len(faster) == 3 + 4 + 2 + 1  # norms of encoder and decoder, position biases, embedding


def test_clipping_is_by_the_norm_of_all_gradients() -> None:
    torch = pytest.importorskip("torch")

    class Clipped(torch.optim.SGD):  # type: ignore[name-defined]
        def step(self) -> None:
            torch.nn.utils.clip_grad_norm_([p for group in self.param_groups for p in group["params"]], 0.5)
            self.inner.step()

    def make(params: Any) -> Any:
        clipped = Clipped(params.values(), lr=1.0)
        clipped.inner = torch.optim.AdamW(params.values(), lr=0.01, betas=(0.9, 0.98), weight_decay=0.0)
        return clipped

    assert_close(ours(options(max_gradient_norm=0.5), 6), theirs(make, 6))


def test_schedules() -> None:
    def rates(total: int = 20, **changes: Any) -> list[float]:
        schedule = learning_rate_schedule(options(**changes), total)
        return [float(schedule(step)) for step in range(total)]

    assert rates() == pytest.approx([0.01] * 20)
    warmed = rates(warmup_steps=4)
    assert warmed == pytest.approx([0.0025, 0.005, 0.0075, 0.01] + [0.01] * 16)
    assert rates(warmup_steps=1) == pytest.approx([0.01] * 20)
    cosine = rates(schedule="cosine", warmup_steps=4)
    assert cosine[:5] == pytest.approx([0.0025, 0.005, 0.0075, 0.01, 0.01])
    assert cosine[12] == pytest.approx(0.005)
    assert cosine[4:] == sorted(cosine[4:], reverse=True)
    assert 0 < cosine[-1] < 0.0002
