"""Checks everything that a command is given before anything is written, and announces the work to do."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mathderive.config.schema import Config
from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.core.extras import check_extras
from mathderive.core.progress import say
from mathderive.pipeline.estimates import estimate
from mathderive.pipeline.pending import Pending, find_pending
from mathderive.pipeline.run import Run
from mathderive.pipeline.stages.data import check_data
from mathderive.predictors.registry import PREDICTORS
from mathderive.predictors.settings import ChatSettings, SamplerSettings

if TYPE_CHECKING:
    from mathderive.model.config import T5Config


def preflight(run: Run, steps: Sequence[str]) -> None:
    """Checks the inputs of the stages that have work to do, and says what they will do, where, and for how long.

    Checkpoints and result files from the network are fetched here, so that a failure shows at once.

    Args:
        run: a run whose folder is locked.
        steps: the stages that the command asks for, in their order.

    Raises:
        InputError: a file or checkpoint is missing or cannot be used, two models share a name, the model cannot be
            trained on these devices, or the disk is too small.
        ModuleNotFoundError: a library is not installed.
    """
    released_models = check_data(run.data_from or run)
    pending = find_pending(run, steps, released_models)
    if not pending.stages:
        return
    check_extras(_extras_for(pending))
    if {"train", "self-training"}.intersection(pending.stages):
        _check_devices(run.config)
    trained, answering = _open_checkpoints(run, pending)
    computes = trained or any(PREDICTORS[settings.kind].network for settings in pending.predictors)
    devices, on_accelerator = _devices() if computes else (f"{cores()} CPU cores", False)
    say(f"plan: {', '.join(pending.stages)}, in {run.paths.folder}, on {devices}")
    seconds, needed = estimate(run.config, pending.stages, trained, answering, on_accelerator)
    free = shutil.disk_usage(run.paths.folder).free
    times = ", ".join(f"{step} {_duration(time)}" for step, time in seconds.items())
    say(f"plan: {times + '; ' if times else ''}{_bytes(needed)} of disk, of {_bytes(free)} free; estimates")
    if needed > free:
        raise InputError(
            f"{run.paths.folder}: {_bytes(free)} are free on its disk; expected about {_bytes(needed)}, or "
            "--runs with a folder on another"
        )


def _extras_for(pending: Pending) -> list[str]:
    """The extras of the package that the stages need."""
    asked = [one.around if isinstance(one, SamplerSettings) else one for one in pending.predictors]
    needed = {
        "train": {"data", "shards", "train", "self-training", "predict"}.intersection(pending.stages),
        "chat": any(isinstance(one, ChatSettings) for one in asked),
        "report": "report" in pending.stages,
    }
    return [name for name, is_needed in needed.items() if is_needed]


def _open_checkpoints(run: Run, pending: Pending) -> "tuple[T5Config | None, Sequence[T5Config]]":
    """Opens every checkpoint that is still needed.

    Returns:
        The network to train, if any, and the networks that will answer, without this run's own if it is trained.
    """
    config = run.config
    trained, answering = None, []
    if config.model and "train" in pending.stages:
        start = config.model.init_from
        trained = run.opened.network(start) if start else config.model.network(config.model.vocab_size)
    for settings in pending.predictors:
        find_network = PREDICTORS[settings.kind].network
        if find_network and (network := find_network(settings, run.opened, trained)):
            answering.append(network)
    if config.score.bleurt and "score" in pending.stages:
        run.opened.bleurt(config.score.bleurt)
    return trained, answering


def _devices() -> tuple[str, bool]:
    """JAX's devices in words, `2 CPU cores` or `4 × NVIDIA H100 80GB HBM3`, and whether they are accelerators."""
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu":
        return f"{cores()} CPU cores", False
    return f"{len(devices)} × {devices[0].device_kind}", True


def _check_devices(config: Config) -> None:
    """Raises an `InputError` unless the model can be trained on this machine's devices."""
    import jax

    from mathderive.core.devices import check_divides

    assert config.training is not None
    check_divides(config.training.batch_size, config.training.accumulate)
    if config.run.needs_accelerator and jax.default_backend() == "cpu":
        raise InputError(
            "run.needs_accelerator: JAX finds no GPU or TPU here; expected one, and MATHDERIVE_ACCELERATOR=cuda or "
            "tpu; or run.needs_accelerator=false, and weeks to spare"
        )


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return "about a minute" if seconds > 30 else "less than a minute"


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
