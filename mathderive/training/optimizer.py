"""Optimizers and learning rates, in Optax."""

from typing import TYPE_CHECKING, Any

import jax
import optax

from mathderive.model.parameters import Params

if TYPE_CHECKING:
    from mathderive.config.schema import TrainingSettings


def learning_rate_schedule(training: "TrainingSettings", total_steps: int) -> optax.Schedule:
    """The learning rate of each step, counted from 0.

    It rises in a straight line over `warmup_steps`, then stays, or falls along a half cosine to 0 at
    `total_steps`.
    """
    peak, warmup = training.learning_rate, min(training.warmup_steps, total_steps)
    if training.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(total_steps - warmup, 1))
    else:
        after = optax.constant_schedule(peak)
    # (step + 1) / warmup: the first step moves too, and the last of the warmup is at the peak.
    rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
    return optax.join_schedules([rise, after], [warmup]) if warmup else after


def make_optimizer(training: "TrainingSettings", total_steps: int) -> optax.GradientTransformation:
    """The optimizer of the config: gradients clipped by their global norm, then AdamW or Adafactor.

    Adafactor (Shazeer and Stern, 2018) has the paper's settings: the learning rate as given, neither relative
    to the step nor to the parameters' scale, updates clipped to a root mean square of 1, second moments
    decaying with exponent -0.8 and factored for every matrix, no momentum, epsilon 1e-30. (The second epsilon
    of the paper's settings, 5e-5, belongs to parameter scaling and has no effect without it.)

    Embedding, position bias and norm scales learn `vector_learning_rate_factor` times as fast as the matrices.
    """
    schedule = learning_rate_schedule(training, total_steps)
    if training.optimizer == "adafactor":
        scale = [
            # Optax factors dimensions from 128 on unless told otherwise.
            optax.scale_by_factored_rms(min_dim_size_to_factor=1, decay_rate=0.8, epsilon=1e-30),
            optax.clip_by_block_rms(1.0),
        ]
    else:
        # b2 as in Vaswani et al. (2017): a memory of fifty steps, which a run of a few thousand can use.
        scale = [optax.scale_by_adam(b1=0.9, b2=0.98, eps=1e-8)]
    clip = [optax.clip_by_global_norm(training.max_gradient_norm)] if training.max_gradient_norm else []
    decay = [optax.add_decayed_weights(training.weight_decay, mask=_matrices)] if training.weight_decay else []
    factor = training.vector_learning_rate_factor
    vectors = [] if factor == 1 else [optax.masked(optax.scale(factor), _vectors)]
    return optax.chain(*clip, *scale, *decay, *vectors, optax.scale_by_learning_rate(schedule))


def _matrices(params: Any) -> Any:
    """Decay pulls matrices towards 0; a norm's scale has its natural place at 1."""
    return jax.tree.map(lambda array: array.ndim > 1, params)


def _vectors(params: Params) -> dict[str, bool]:
    """What Yang et al. (*Tensor Programs V*, 2022) call vector-like: one side of it does not grow with the width.

    These parameters live on a scale of 1, a matrix on one of `width**-0.5`. Adam moves every parameter by about
    the learning rate, so at a rate that suits the matrices a position bias takes thousands of steps to single
    out one position, and with it a small model as long to learn to copy.
    """
    return {name: name.rsplit("/", 1)[-1] in ("embedding", "relative_bias", "scale") for name in params}
