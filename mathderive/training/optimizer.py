"""Optimizers and learning rates, in Optax."""

from typing import Any

import jax
import optax

from mathderive.config.training_options import TrainingOptions
from mathderive.model.parameters import Params


def learning_rate_schedule(options: TrainingOptions, total_steps: int) -> optax.Schedule:
    """The learning rate of each step, counted from 0.

    It rises linearly over `warmup_steps`. Then it stays, or it falls along a half cosine to 0 at `total_steps`.
    """
    peak, warmup = options.learning_rate, min(options.warmup_steps, total_steps)
    if options.schedule == "cosine":
        after = optax.cosine_decay_schedule(peak, max(total_steps - warmup, 1))
    else:
        after = optax.constant_schedule(peak)
    # The rate is (step + 1) / warmup of the peak, so that the first step moves too and the last warmup step is at the
    # peak.
    rise = optax.linear_schedule(peak / max(warmup, 1), peak, max(warmup - 1, 1))
    return optax.join_schedules([rise, after], [warmup]) if warmup else after


def make_optimizer(options: TrainingOptions, total_steps: int) -> optax.GradientTransformation:
    """The optimizer of the options: AdamW or Adafactor, with gradients clipped by their global norm.

    Adafactor (Shazeer and Stern, 2018) has the paper's settings: the learning rate as given, relative neither to the
    step nor to the scale of the parameters; updates clipped to a root mean square of 1; second moments that decay with
    exponent -0.8 and are factored for every matrix; no momentum; epsilon 1e-30. (The second epsilon of the paper's
    settings, 5e-5, belongs to parameter scaling and has no effect without it.)

    The learning rate of the embedding, the position biases and the norm scales is `vector_learning_rate_factor` times
    that of the matrices.
    """
    schedule = learning_rate_schedule(options, total_steps)
    if options.optimizer == "adafactor":
        scale = [
            # By default Optax factors only dimensions of at least 128.
            optax.scale_by_factored_rms(min_dim_size_to_factor=1, decay_rate=0.8, epsilon=1e-30),
            optax.clip_by_block_rms(1.0),
        ]
    else:
        # b2 as in Vaswani et al. (2017): it averages over fifty steps, which suits a run of a few thousand.
        scale = [optax.scale_by_adam(b1=0.9, b2=0.98, eps=1e-8)]
    clip = [optax.clip_by_global_norm(options.max_gradient_norm)] if options.max_gradient_norm else []
    decay = [optax.add_decayed_weights(options.weight_decay, mask=_are_matrices)] if options.weight_decay else []
    factor = options.vector_learning_rate_factor
    vectors = [] if factor == 1 else [optax.masked(optax.scale(factor), _are_vectors)]
    return optax.chain(*clip, *scale, *decay, *vectors, optax.scale_by_learning_rate(schedule))


def _are_matrices(params: Any) -> Any:
    """Marks the parameters to which weight decay applies: it pulls towards 0, and a norm's scale belongs near 1."""
    return jax.tree.map(lambda array: array.ndim > 1, params)


def _are_vectors(params: Params) -> dict[str, bool]:
    """Marks the parameters that Yang et al. (*Tensor Programs V*, 2022) call vector-like.

    Only one dimension of such a parameter grows with the width of the network. Its values are on a scale of 1, and
    those of a matrix on a scale of `width**-0.5`. Adam moves every parameter by about the learning rate. At a learning
    rate that suits the matrices, a position bias needs thousands of steps to single out one position, and a small model
    needs as long to learn to copy.
    """
    return {name: name.rsplit("/", 1)[-1] in ("embedding", "relative_bias", "scale") for name in params}
