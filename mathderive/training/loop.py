"""Training, told in order: optimizer, where we left off, the loop, the last checkpoint.

A run can be killed at any moment and started again with the same arguments: it goes on from the newest
checkpoint and ends with the same parameters, bit for bit, as one that was never interrupted. Several processes
call this together, each with the same arguments but a folder of its own; checkpoints are the first one's.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
from etils import epath

from mathderive.core import devices
from mathderive.core.errors import InputError, Terminated
from mathderive.core.progress import ProgressCallback
from mathderive.model.config import T5Config
from mathderive.training.checkpoints import Checkpoints, Restored, flatten, unflatten
from mathderive.training.flops import utilisation
from mathderive.training.input_pipeline import BatchIterator, BatchPlan
from mathderive.training.log import MetricsLog
from mathderive.training.optimizer import learning_rate_schedule, make_optimizer
from mathderive.training.step import NEVER, TrainState, fresh_state, fresh_totals, make_train_step
from mathderive.training.termination import TerminationRequest

if TYPE_CHECKING:
    from mathderive.config.schema import TrainingSettings


NO_INFLUENCE = frozenset({"log_every", "checkpoint_every", "checkpoint_folder"})
"""Keys of the training settings that the result does not depend on."""


class Task(NamedTuple):
    """What is trained on what, wherever it comes from.

    Attributes:
        dtype: of matrix products.
        remat: see `mathderive.model.t5.T5`.
        params: makes the parameters before the first step; a run that goes on does not need them.
        batches: of the whole run.
        iterate: the first so many of the batches, in order.
        validate: a look at the validation examples: `validation_loss` and, to choose the best checkpoint by,
            `validation_rouge2`.
        run: all that decides the result, flat.
    """

    config: T5Config
    dtype: str
    remat: bool
    params: Callable[[], Mapping[str, Any]]
    batches: BatchPlan
    iterate: Callable[[BatchPlan, int], BatchIterator]
    validate: Callable[[Mapping[str, Any]], dict[str, float]]
    run: Mapping[str, Any]


class TrainingResult(NamedTuple):
    """Where training ended, and the last look at the validation split; no ROUGE-2 where texts are not at hand."""

    steps: int
    validation_loss: float
    validation_rouge2: float | None


def train(
    task: Task, training: "TrainingSettings", seed: int, folder: Path, report: "ProgressCallback"
) -> TrainingResult:
    """Trains a model in `folder`, going on where an earlier call left off; does nothing if that had finished.

    Args:
        folder: holds the task's `config.json` and tokenizer already.
        seed: decides dropout.
        report: is told of the progress.

    Raises:
        InputError: the loss is no longer finite.
        Terminated: SIGTERM or SIGINT came; a checkpoint of the step it came in is written.
    """
    total_steps = training.steps or max(1, round((training.epochs or 0) * task.batches.steps_per_epoch))
    optimizer = make_optimizer(training, total_steps)
    learning_rate = learning_rate_schedule(training, total_steps)
    train_step = make_train_step(task.config, optimizer, seed, training.accumulate, task.dtype, task.remat)
    iterator = task.iterate(task.batches, total_steps)

    store = _store(folder, training, task.run)
    with TerminationRequest() as request, Checkpoints(store or folder) as checkpoints:
        restored = checkpoints.restore()
        if restored is None:
            params = devices.share_arrays(task.params())
            first_step, host_state = 0, fresh_state(dict(params), optimizer)
        else:
            first_step, host_state = restored.step, _state_of(restored, optimizer, folder)
            iterator.set_state(restored.data)
        log = MetricsLog(folder / "metrics.jsonl", first_step, store and store / "metrics.jsonl")
        last_saved = first_step
        state = devices.replicate(host_state)
        note, in_flight = "", None
        report("steps", first_step, total_steps)

        for step in range(first_step + 1, total_steps + 1):
            state, loss = train_step(state, devices.shard(next(iterator)))
            # One step ahead of the devices and no more: they never wait for us, and memory stays bounded.
            jax.block_until_ready(in_flight)
            in_flight = loss
            report("steps", step, total_steps, note)

            last = step == total_steps
            stop = request.signal_number()
            to_log = last or step % training.log_every == 0
            to_validate = last or step % training.evaluate_every == 0
            to_save = last or stop or to_validate or step % training.checkpoint_every == 0
            if to_log or to_save:
                _check_finite(state, folder, last_saved)
            if to_log:
                row = _training_row(state, float(learning_rate(step - 1)), log.seconds_since_last())
                log.write(step, row)
                note = f"loss {row['loss']:.3f}"
                state = state._replace(totals=devices.replicate(fresh_totals()))
            validation_rouge2 = None
            if to_validate:
                found = task.validate(devices.unreplicate(state.params))
                validation_rouge2 = found.get("validation_rouge2")
                log.write(step, found)
                report("steps", step, total_steps, ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
            if to_save:
                host_state = devices.unreplicate(state)
                rest = flatten(host_state._replace(params={}))
                checkpoints.save(step, host_state.params, rest, iterator.get_state(), validation_rouge2)
                log.save_copy()
                last_saved = step
            if stop:
                raise Terminated(stop, step)
        if store is not None:
            checkpoints.copy_best_to(folder)
    return TrainingResult(total_steps, *log.last_validation())


def _store(folder: Path, training: "TrainingSettings", run: Mapping[str, Any]) -> epath.Path | None:
    """The model's place below `training.checkpoint_folder`, one for each run, so that none goes on from another's."""
    if training.checkpoint_folder is None:
        return None
    fingerprint = hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()[:12]
    return epath.Path(training.checkpoint_folder) / f"{folder.name}-{fingerprint}"


def _state_of(restored: Restored, optimizer: Any, folder: Path) -> TrainState:
    """The training state in a checkpoint; the step counter, optimizer and totals are found by name."""
    like = jax.eval_shape(lambda params: fresh_state(params, optimizer), restored.params)
    place = str(folder / "orbax" / str(restored.step))
    rest = unflatten(restored.training, like._replace(params={}), place)
    return rest._replace(params=restored.params)


def _check_finite(state: TrainState, folder: Path, last_saved: int) -> None:
    failed_step = int(devices.unreplicate(state.totals.failed_step))
    if failed_step != NEVER:
        kept = f"the checkpoint of step {last_saved} is good" if last_saved else "there is no checkpoint yet"
        raise InputError(
            f"{folder}: the loss of step {failed_step + 1} is not finite; {kept};"
            " expected a lower training.learning_rate or a training.max_gradient_norm to help"
        )


def _training_row(state: TrainState, learning_rate: float, seconds: float) -> Mapping[str, Any]:
    """A line of the log: means over the steps since the last one, loss in nats a label."""
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
