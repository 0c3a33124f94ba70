"""One training step: the loss, its gradients over all devices and parts of the batch, and the optimizer."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, bind
from mathderive.training.flops import training_flops
from mathderive.training.input_pipeline import Batch as HostBatch

Batch = dict[str, jax.Array]
"""See `mathderive.training.input_pipeline.Batch`."""

Loss = Callable[[Params, Batch], tuple[jax.Array, jax.Array]]
"""The summed loss and the number of labels of each device's part of a sharded batch."""

NEVER = 2**31 - 1
"""Value of `Totals.failed_step` while every loss is finite."""


class Totals(NamedTuple):
    """Sums since the last row of the log. They are part of the training state, so that a restart loses nothing.

    Attributes:
        tokens: number of real tokens, of source and target together; `positions` counts padding too.
        flops: work that the real tokens needed; see `training_flops`.
        failed_step: the first step whose loss was not finite; it is never reset.
    """

    loss: jax.Array
    labels: jax.Array
    gradient_norm: jax.Array
    steps: jax.Array
    tokens: jax.Array
    positions: jax.Array
    flops: jax.Array
    failed_step: jax.Array


class TrainState(NamedTuple):
    """Everything that a step changes."""

    step: jax.Array
    params: Params
    optimizer: optax.OptState
    totals: Totals


def fresh_totals() -> Totals:
    """The totals of no step."""
    return Totals(
        loss=jnp.zeros((), jnp.float32),
        labels=jnp.zeros((), jnp.float32),
        gradient_norm=jnp.zeros((), jnp.float32),
        steps=jnp.zeros((), jnp.int32),
        tokens=jnp.zeros((), jnp.int32),
        positions=jnp.zeros((), jnp.int32),
        flops=jnp.zeros((), jnp.float32),
        failed_step=jnp.array(NEVER, jnp.int32),
    )


def fresh_state(params: Params, optimizer: optax.GradientTransformation) -> TrainState:
    """The state before step 0."""
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), fresh_totals())


def label_loss(
    config: T5Config, params: Params, batch: Batch, dropout_key: jax.Array | None, dtype: str, remat: bool = False
) -> tuple[jax.Array, jax.Array]:
    """The cross entropy in nats, summed over the labels that are no padding, and the number of these labels.

    Args:
        dropout_key: None switches dropout off.
        dtype: the type of matrix products.
        remat: see `mathderive.model.t5.T5`.
    """
    rngs = None if dropout_key is None else nnx.Rngs(dropout=dropout_key)
    model = bind(config, params, dtype, remat)
    encoder_mask = batch["input_ids"] != config.pad_token_id
    logits = model(batch["input_ids"], encoder_mask, batch["decoder_input_ids"], rngs)
    labels = batch["labels"]
    counts = labels != config.pad_token_id
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(losses * counts), jnp.sum(counts).astype(jnp.float32)


def make_loss(config: T5Config, dtype: str) -> Loss:
    """Compiles the loss without dropout; see `label_loss`."""
    return devices.each_device(lambda params, batch: label_loss(config, params, batch, None, dtype))


def mean_loss(loss: Loss, params: Params, batches: Iterable[HostBatch]) -> float:
    """The mean loss over the labels of all batches, in nats.

    Args:
        loss: from `make_loss`.
        params: replicated.
        batches: with rows that this process's devices can share evenly.
    """
    total, labels = 0.0, 0.0
    for batch in batches:
        batch_loss, batch_labels = loss(params, devices.shard_locally(batch))
        total, labels = total + float(np.sum(batch_loss)), labels + float(np.sum(batch_labels))
    return total / labels


def make_train_step(
    config: T5Config,
    optimizer: optax.GradientTransformation,
    seed: int,
    accumulate: int = 1,
    dtype: str = "float32",
    remat: bool = False,
) -> Callable[[TrainState, Batch], tuple[TrainState, jax.Array]]:
    """Compiles the step: `(replicated state, sharded batch) -> (replicated state, loss)`.

    The loss is the mean over all labels of the whole batch, however the batch is divided among devices and parts: the
    sums are added first and divided once. Dropout keys come from (seed, step, device, part).

    Args:
        seed: decides dropout.
        accumulate: number of parts in which a batch is computed, one after another.
        dtype: the type of matrix products.
        remat: see `mathderive.model.t5.T5`.
    """

    def gradients(params: Params, part: Batch, key: jax.Array | None) -> tuple[tuple[jax.Array, jax.Array], Params]:
        loss = jax.value_and_grad(lambda params: label_loss(config, params, part, key, dtype, remat), has_aux=True)
        return loss(params)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, jax.Array]:
        key = None
        if config.dropout_rate:
            key = jax.random.fold_in(jax.random.key(seed), state.step)
            key = jax.random.fold_in(key, devices.device_index())

        if accumulate == 1:
            sums = gradients(state.params, batch, key)
        else:
            parts = jax.tree.map(lambda rows: rows.reshape(accumulate, -1, *rows.shape[1:]), batch)

            def add(sums: Any, numbered: tuple[jax.Array, Batch]) -> tuple[Any, None]:
                number, part = numbered
                part_key = None if key is None else jax.random.fold_in(key, number)
                more = gradients(state.params, part, part_key)
                return jax.tree.map(jnp.add, sums, more), None

            shapes = jax.eval_shape(gradients, state.params, jax.tree.map(lambda rows: rows[0], parts), key)
            zeros = jax.tree.map(lambda array: jnp.zeros(array.shape, array.dtype), shapes)
            sums, _ = jax.lax.scan(add, zeros, (jnp.arange(accumulate), parts))

        (loss, labels), gradient = devices.sum_over_devices(sums)
        gradient = jax.tree.map(lambda array: array / jnp.maximum(labels, 1.0), gradient)
        updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
        totals = _add_step(state, config, batch, loss, labels, optax.tree.norm(gradient))
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, optimizer_state, totals), loss / jnp.maximum(labels, 1.0)

    return devices.parallel_step(step)


def _add_step(
    state: TrainState, config: T5Config, batch: Batch, loss: jax.Array, labels: jax.Array, gradient_norm: jax.Array
) -> Totals:
    """The totals of the state, with those of a step on this batch added."""
    totals = state.totals
    positions = jnp.int32(batch["input_ids"].size + batch["labels"].size)
    failed = jnp.where(jnp.isfinite(loss), NEVER, state.step)
    return Totals(
        loss=totals.loss + loss,
        labels=totals.labels + labels,
        gradient_norm=totals.gradient_norm + gradient_norm,
        steps=totals.steps + 1,
        tokens=totals.tokens + devices.sum_over_devices(_real_tokens(batch, config)),
        positions=totals.positions + devices.sum_over_devices(positions),
        flops=totals.flops + devices.sum_over_devices(_needed_flops(batch, config)),
        failed_step=jnp.minimum(totals.failed_step, failed),
    )


def _real_tokens(batch: Batch, config: T5Config) -> jax.Array:
    """Number of tokens of source and target that are no padding."""
    source = jnp.sum(batch["input_ids"] != config.pad_token_id)
    return (source + jnp.sum(batch["labels"] != config.pad_token_id)).astype(jnp.int32)


def _needed_flops(batch: Batch, config: T5Config) -> jax.Array:
    """Floating-point operations that the real tokens need, in float32: 32-bit integers are too small for them."""
    lengths = (
        jnp.sum(batch[key] != config.pad_token_id, axis=1).astype(jnp.float32) for key in ("input_ids", "labels")
    )
    return jnp.sum(training_flops(config, *lengths))
