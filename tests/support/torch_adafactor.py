"""The authors' optimizer, Adafactor of `transformers` in PyTorch, as the oracle for the updates of parameters."""

import numpy as np

SHAPES = {"embedding": (30, 8), "wide": (3, 150), "tall": (40, 6), "scale": (8,)}
STEPS = 20


def random_gradients() -> dict[str, np.ndarray]:
    """Gradients of changing size, `[STEPS, *shape]`: few rows of the embedding have any, one matrix is near epsilon."""
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.uniform(-3, 2, STEPS)
    gradients = {
        name: rng.normal(size=(STEPS, *shape)) * sizes.reshape(-1, *([1] * len(shape)))
        for name, shape in SHAPES.items()
    }
    gradients["embedding"] *= rng.random((STEPS, 30, 1)) < 0.3
    gradients["tall"] *= 1e-15
    return {name: array.astype(np.float32) for name, array in gradients.items()}


def torch_updates(gradients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The update of each step with the paper's settings, `[STEPS, *shape]`."""
    import torch
    from transformers.optimization import Adafactor

    params = {name: torch.nn.Parameter(torch.zeros(shape)) for name, shape in SHAPES.items()}
    optimizer = Adafactor(
        params.values(),
        lr=5e-5,
        eps=(1e-30, 5e-5),
        clip_threshold=1.0,
        decay_rate=-0.8,
        beta1=None,
        weight_decay=0.0,
        scale_parameter=False,
        relative_step=False,
        warmup_init=False,
    )
    updates = {name: np.empty_like(array) for name, array in gradients.items()}
    for step in range(STEPS):
        for name, param in params.items():
            # The update does not depend on the parameters. From 0, they change by the update without rounding.
            param.data.zero_()
            param.grad = torch.tensor(gradients[name][step])
        optimizer.step()
        for name, param in params.items():
            updates[name][step] = param.detach().numpy()
    return updates
