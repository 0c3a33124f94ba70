"""The training loop, in order: optimizer, newest checkpoint, steps, last checkpoint.

A run can be killed at any moment and started again with the same arguments. It goes on from the newest checkpoint and
ends with the same parameters, bit for bit, as a run that was never interrupted. Several processes call this together,
with the same arguments except for the folder, which each process has for itself; process 0 writes the checkpoints.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import optax
from etils import epath

from mathderive.config.training_options import WITHOUT_INFLUENCE, TrainingOptions
from mathderive.core import devices
from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import COMPILING, ProgressCallback
from mathderive.model.config import T5Config
from mathderive.training.checkpoints import Checkpoints, Restored, flatten, unflatten
from mathderive.training.flops import utilisation
from mathderive.training.input_pipeline import BatchIterator, BatchPlan
from mathderive.training.log import MetricsLog
from mathderive.training.optimizer import learning_rate_schedule, make_optimizer
from mathderive.training.step import NEVER, TrainState, fresh_state, fresh_totals, make_train_step
from mathderive.training.termination import TerminationRequest


class Task(NamedTuple):
    """The network to train and the data to train it on, from texts or from shards.

    Attributes:
        dtype: the type of matrix products.
        remat: see `mathderive.model.t5.T5`.
        params: makes the parameters before the first step; it is not called where a checkpoint is restored.
        batches: the batches of the whole run.
        iterate: makes an iterator over that many of the batches.
        validate: computes `validation_loss` from the parameters and, where there are texts, `validation_rouge2`, by
            which the best checkpoint is chosen.
        identity: everything that decides the result; see `make_identity`.
    """

    config: T5Config
    dtype: str
    remat: bool
    params: Callable[[], Mapping[str, Any]]
    batches: BatchPlan
    iterate: Callable[[BatchPlan, int], BatchIterator]
    validate: Callable[[Mapping[str, Any]], dict[str, float]]
    identity: Mapping[str, Any]


class TrainingResult(NamedTuple):
    """The number of steps and the last validation; ROUGE-2 is None where there are no texts."""

    steps: int
    validation_loss: float
    validation_rouge2: float | None


def make_identity(
    model: Mapping[str, Any], training: Mapping[str, Any], seed: int, training_data: Any, validation_data: Any
) -> dict[str, Any]:
    """Everything on which the final parameters and the choice of the best checkpoint depend, as a flat mapping.

    Args:
        model: decides the network and its initial parameters, with the seed.
        training: the section `training` of the config, as JSON data.
        seed: decides initial parameters, order of examples and dropout.
        training_data: digests of the training examples.
        validation_data: digest of the validation examples.
    """
    return {
        **{f"model.{key}": value for key, value in model.items()},
        **{f"training.{key}": value for key, value in training.items() if key not in WITHOUT_INFLUENCE},
        "seed": seed,
        "training data": training_data,
        "validation data": validation_data,
    }


def train(
    task: Task, options: TrainingOptions, seed: int, folder: Path, on_progress: ProgressCallback
) -> TrainingResult:
    """Trains a model in `folder`, from where an earlier call stopped; does nothing if that call had finished.

    Args:
        seed: decides dropout.
        folder: has the task's `config.json` and tokenizer already.
        on_progress: called after every step.

    Raises:
        InputError: the loss is not finite, the checkpoints are damaged, or one cannot be written.
        Terminated: SIGTERM or SIGINT came, and a checkpoint of the current step was written.
    """
    total_steps = options.total_steps(task.batches.steps_per_epoch)
    optimizer = make_optimizer(options, total_steps)
    learning_rate = learning_rate_schedule(options, total_steps)
    train_step = make_train_step(task.config, optimizer, seed, options.accumulate, task.dtype, task.remat)
    iterator = task.iterate(task.batches, total_steps)
    store = _remote_folder(folder, options, task.identity)
    with TerminationRequest() as request, Checkpoints(store or folder) as checkpoints:
        restored = checkpoints.restore()
        first_step, host_state = _first_state(task, restored, optimizer, folder)
        _set_position(iterator, restored, folder)
        log = MetricsLog(folder / "metrics.jsonl", first_step, store and store / "metrics.jsonl")
        state = devices.replicate(host_state)
        last_saved, note, in_flight = first_step, "", None
        on_progress("steps", first_step, total_steps, COMPILING if first_step < total_steps else "")

        for step in range(first_step + 1, total_steps + 1):
            state, loss = train_step(state, devices.shard(next(iterator)))
            # The host is exactly one step ahead: the devices never wait for it, and memory stays bounded.
            jax.block_until_ready(in_flight)
            in_flight = loss
            on_progress("steps", step, total_steps, note)

            stop = request.signal_number()
            due = _due(step, total_steps, options)
            if due.log or due.save or stop:
                _check_finite(state, folder, last_saved)
            if due.log:
                row = _training_row(state, float(learning_rate(step - 1)), log.seconds_since_last())
                log.write(step, row)
                note = f"loss {row['loss']:.3f}"
                state = state._replace(totals=devices.replicate(fresh_totals()))
            metrics: dict[str, float] = {}
            if due.validate:
                metrics = task.validate(devices.unreplicate(state.params))
                log.write(step, metrics)
                on_progress("steps", step, total_steps, _describe(metrics))
            if due.save or stop:
                _save(checkpoints, step, state, iterator, metrics)
                log.save_copy()
                last_saved = step
            if stop:
                checkpoints.wait()  # the message says that this checkpoint is written
                raise Terminated(stop, step)
        if store is not None:
            checkpoints.copy_best_to(folder)
    return TrainingResult(total_steps, *log.last_validation())


class _Due(NamedTuple):
    """The work that is due after a step."""

    log: bool
    validate: bool
    save: bool


def _due(step: int, total_steps: int, options: TrainingOptions) -> _Due:
    last = step == total_steps
    validate = last or step % options.evaluate_every == 0
    return _Due(
        log=last or step % options.log_every == 0,
        validate=validate,
        save=validate or step % options.checkpoint_every == 0,
    )


def _first_state(
    task: Task, restored: Restored | None, optimizer: optax.GradientTransformation, folder: Path
) -> tuple[int, TrainState]:
    """The number of steps so far and the training state, fresh or from a checkpoint."""
    if restored is None:
        return 0, fresh_state(dict(devices.share_arrays(task.params())), optimizer)
    return restored.step, _restore_state(restored, optimizer, folder)


def _remote_folder(folder: Path, options: TrainingOptions, identity: Mapping[str, Any]) -> epath.Path | None:
    """The model's folder in `checkpoint_folder`.

    Its name has a fingerprint of the run's identity, so that no run goes on from the checkpoints of another.
    """
    if options.checkpoint_folder is None:
        return None
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]
    return epath.Path(options.checkpoint_folder) / f"{folder.name}-{fingerprint}"


def _restore_state(restored: Restored, optimizer: optax.GradientTransformation, folder: Path) -> TrainState:
    """The training state of a checkpoint; step, optimizer and totals are looked up by name."""
    like = jax.eval_shape(lambda params: fresh_state(params, optimizer), restored.params)
    place = str(folder / "orbax" / str(restored.step))
    rest = unflatten(restored.training, like._replace(params={}), place)
    return rest._replace(params=restored.params)


def _set_position(iterator: BatchIterator, restored: Restored | None, folder: Path) -> None:
    """Moves a new iterator to the position of a checkpoint, if there is one, in the data: its step."""
    if restored is None:
        return
    if restored.data != dict.fromkeys(iterator.get_state(), restored.step):
        raise InputError(
            f"{folder / 'orbax' / str(restored.step)}: data: expected the position after step {restored.step},"
            f" found {restored.data!r:.80}"
        )
    try:
        iterator.set_state(restored.data)
    except IndexError:
        raise InputError(
            f"{folder / 'orbax' / str(restored.step)}: its step is beyond the end of the training"
        ) from None


def _save(
    checkpoints: Checkpoints, step: int, state: TrainState, iterator: BatchIterator, metrics: Mapping[str, float]
) -> None:
    host_state = devices.unreplicate(state)
    rest = flatten(host_state._replace(params={}))
    checkpoints.save(step, host_state.params, rest, iterator.get_state(), metrics.get("validation_rouge2"))


def _describe(metrics: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in metrics.items())


def _check_finite(state: TrainState, folder: Path, last_saved: int) -> None:
    """Raises an `InputError` if the loss of a step was not finite."""
    failed_step = int(devices.unreplicate(state.totals.failed_step))
    if failed_step != NEVER:
        saved = f"the checkpoint of step {last_saved} is good" if last_saved else "there is no checkpoint yet"
        raise InputError(
            f"{folder}: the loss of step {failed_step + 1} is not finite; {saved};"
            " expected a lower training.learning_rate or a training.max_gradient_norm to help"
        )


def _training_row(state: TrainState, learning_rate: float, seconds: float) -> Mapping[str, Any]:
    """A row of the log: means over the steps since the last row, with the loss in nats a label."""
    totals = devices.unreplicate(state.totals)
    flops_per_second = float(totals.flops / seconds)
    return {
        "loss": float(totals.loss / totals.labels),
        "learning_rate": learning_rate,
        "gradient_norm": float(totals.gradient_norm / totals.steps),
        "padding_share": float(1 - totals.tokens / totals.positions),
        "tokens_per_second": float(totals.tokens / seconds),
        "flops_per_second": flops_per_second,
        "model_flop_utilisation": utilisation(flops_per_second),
    }
