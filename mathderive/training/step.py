"""One training step: loss, gradients over all devices and parts of the batch, optimizer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, bind
from mathderive.training.flops import training_flops

Batch = dict[str, jax.Array]
"""See `mathderive.training.input_pipeline.Batch`."""

NEVER = 2**31 - 1
"""`Totals.failed_step` while every loss was finite."""


class Totals(NamedTuple):
    """Sums since the last line of the log, kept with the parameters so that a restart loses none."""

    loss: jax.Array
    labels: jax.Array
    gradient_norm: jax.Array
    steps: jax.Array
    tokens: jax.Array
    """Real ones, of source and target together; `positions` counts the padding as well."""
    positions: jax.Array
    flops: jax.Array
    """Work that the real tokens needed; see `training_flops`."""
    failed_step: jax.Array
    """The first step whose loss was not finite; never set back."""


class TrainState(NamedTuple):
    """All that a step changes."""

    step: jax.Array
    params: Params
    optimizer: optax.OptState
    totals: Totals


def fresh_totals() -> Totals:
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
    """Cross entropy in nats, summed over the labels that count, and their number; no key, no dropout."""
    rngs = None if dropout_key is None else nnx.Rngs(dropout=dropout_key)
    model = bind(config, params, dtype, remat)
    encoder_mask = batch["input_ids"] != config.pad_token_id
    logits = model(batch["input_ids"], encoder_mask, batch["decoder_input_ids"], rngs)
    labels = batch["labels"]
    counts = labels != config.pad_token_id
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.sum(losses * counts), jnp.sum(counts).astype(jnp.float32)


def make_loss(config: T5Config, dtype: str) -> Callable[[Params, Batch], tuple[jax.Array, jax.Array]]:
    """The compiled loss of each device's part of a sharded batch, without dropout; see `label_loss`."""
    return devices.each_device(lambda params, batch: label_loss(config, params, batch, None, dtype))


def make_train_step(
    config: T5Config,
    optimizer: optax.GradientTransformation,
    seed: int,
    accumulate: int = 1,
    dtype: str = "float32",
    remat: bool = False,
) -> Callable[[TrainState, Batch], tuple[TrainState, jax.Array]]:
    """The compiled step: `(replicated state, sharded batch) -> (replicated state, loss)`.

    The loss is the mean over all labels of the whole batch, however it is shared among devices and parts:
    sums are added up first and divided once. Dropout keys come from (seed, step, device, part).
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
        failed = jnp.where(jnp.isfinite(loss), NEVER, state.step)
        totals = Totals(
            loss=state.totals.loss + loss,
            labels=state.totals.labels + labels,
            gradient_norm=state.totals.gradient_norm + optax.tree.norm(gradient),
            steps=state.totals.steps + 1,
            tokens=state.totals.tokens + devices.sum_over_devices(_real_tokens(batch, config)),
            positions=state.totals.positions
            + devices.sum_over_devices(jnp.int32(batch["input_ids"].size + batch["labels"].size)),
            flops=state.totals.flops + devices.sum_over_devices(_needed_flops(batch, config)),
            failed_step=jnp.minimum(state.totals.failed_step, failed),
        )
        params = optax.apply_updates(state.params, updates)
        return TrainState(state.step + 1, params, optimizer_state, totals), loss / jnp.maximum(labels, 1.0)

    return devices.parallel_step(step)


def _real_tokens(batch: Batch, config: T5Config) -> jax.Array:
    source = jnp.sum(batch["input_ids"] != config.pad_token_id)
    return (source + jnp.sum(batch["labels"] != config.pad_token_id)).astype(jnp.int32)


def _needed_flops(batch: Batch, config: T5Config) -> jax.Array:
    # In float32, because 32-bit integers end at a thousandth of it.
    lengths = (
        jnp.sum(batch[key] != config.pad_token_id, axis=1).astype(jnp.float32) for key in ("input_ids", "labels")
    )
    return jnp.sum(training_flops(config, *lengths))
