"""What a run is about to do, said before long work begins; and what could not work here, refused before it.

Time and disk are estimates from what was measured on two cores of a server (Intel Xeon, 2.1 GHz); on another machine,
and for a model of another shape, the time may well be half or double.
"""

import shutil
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from mathderive.config.schema import Config, TrainingSettings
from mathderive.core.environment import cores
from mathderive.core.errors import InputError
from mathderive.core.progress import say
from mathderive.pipeline.run import Run
from mathderive.pipeline.stamps import read_manifest
from mathderive.predictors.registry import PREDICTORS
from mathderive.records import EVALUATION_SETS

if TYPE_CHECKING:
    from mathderive.model.config import T5Config

SECONDS_PER_DERIVATION = 0.03
"""Of one core: sampling, its share of the candidates that are left out, and of its variants."""

BYTES_PER_DERIVATION = 4_000
"""With its variants, as a dataset and as chunks of candidates."""

CPU_FLOPS = 40e9
"""A second and core, while a small T5 is trained in float32."""

CPU_SECONDS_PER_ANSWER = 0.25
"""Of one core, for a beam of a small T5, whose time goes into many small products; a large one's goes into its size."""

RELEASED_EXAMPLES = 100
"""In each of the authors' sets."""

ACCELERATOR_SHARE = 0.3
"""Of its peak that a GPU or TPU is taken to do."""

KEPT_CHECKPOINTS = 3
"""The best, the newest, and the one that is being written."""

SPARE_BYTES = 2e6
"""For predictions, scores and the report, at the least."""


def preflight(run: Run, steps: Sequence[str]) -> None:
    """Says what the stages that are not done will do, where, and for about how long.

    A checkpoint from a hub is fetched here, so that the time it takes is not spent after that of the stages before.

    Args:
        run: whose folder is there.
        steps: the stages, in their order.

    Raises:
        InputError: the model wants an accelerator that is not there, a checkpoint cannot be had or used, or the disk
            is too small.
    """
    pending = [step for step in steps if _is_wanted(run.config, step) and not _is_marked_done(run, step)]
    if not pending:
        return
    if "train" in pending:
        _require_accelerator(run.config)
    trained, answering = _open_checkpoints(run.config, pending)
    kinds = [PREDICTORS[settings.kind] for settings in run.config.predictors] if "predict" in pending else []
    computes = trained or any(kind.network for kind in kinds)
    devices = _devices() if computes else f"{cores()} CPU cores"
    say(f"plan: {', '.join(pending)}, in {run.folder}, on {devices}")
    seconds, needed = _estimate(run.config, pending, trained, answering)
    free = shutil.disk_usage(run.folder).free
    times = ", ".join(f"{step} {_duration(time)}" for step, time in seconds.items())
    say(f"plan: {times + '; ' if times else ''}{_bytes(needed)} of disk, of {_bytes(free)} free; estimates")
    if needed > free:
        raise InputError(
            f"{run.folder}: {_bytes(free)} are free on its disk; expected about {_bytes(needed)}, or "
            "--runs with a folder on another"
        )


def _is_wanted(config: Config, step: str) -> bool:
    return {"shards": config.shards is not None, "train": config.training is not None}.get(step, True)


def _is_marked_done(run: Run, step: str) -> bool:
    """By the stage's manifest; whether it is of the same inputs is seen when its turn comes."""
    manifests = [read_manifest(path) for path in run.folder.glob(f"{step}*.json")]
    return bool(manifests) and all(manifest is not None and manifest["done"] for manifest in manifests)


def _open_checkpoints(config: Config, pending: Sequence[str]) -> "tuple[T5Config | None, Sequence[T5Config]]":
    """Has every checkpoint at hand that is still needed.

    Returns:
        The network to train, and those that will answer; without this run's own where it is trained already.
    """
    trained, answering = None, []
    if config.model and "train" in pending:
        start = config.model.init_from
        trained = _network_at(start) if start else config.model.network(config.model.vocab_size)
    for settings in config.predictors if "predict" in pending else ():
        find_network = PREDICTORS[settings.kind].network
        if find_network and (network := find_network(settings, trained)):
            answering.append(network)
    if config.score.bleurt and "score" in pending:
        from mathderive.metrics.bleurt import Bleurt

        Bleurt(config.score.bleurt)
    return trained, answering


def _network_at(checkpoint: str) -> "T5Config":
    from mathderive.training.conversion import open_checkpoint

    return open_checkpoint(checkpoint).config


def _devices() -> str:
    """What JAX computes on: `2 CPU cores`, `4 × NVIDIA H100 80GB HBM3`."""
    import jax

    devices = jax.devices()
    return f"{cores()} CPU cores" if devices[0].platform == "cpu" else f"{len(devices)} × {devices[0].device_kind}"


def _require_accelerator(config: Config) -> None:
    import jax

    if config.run.needs_accelerator and jax.default_backend() == "cpu":
        raise InputError(
            "run.needs_accelerator: JAX finds no GPU or TPU here; expected one, and MATHDERIVE_ACCELERATOR=cuda or "
            "tpu; or run.needs_accelerator=false, and weeks to spare"
        )


def _estimate(
    config: Config, pending: Sequence[str], trained: "T5Config | None", answering: "Sequence[T5Config]"
) -> tuple[Mapping[str, float], float]:
    """Seconds by stage, of those that take long and whose speed is known, and bytes of disk."""
    seconds: dict[str, float] = {}
    needed = SPARE_BYTES
    if "data" in pending and config.data:
        sizes = config.data.sizes
        derivations = sizes.train + sizes.validation + sizes.static
        seconds["data"] = derivations * SECONDS_PER_DERIVATION / min(config.data.workers or cores(), cores())
        needed += derivations * BYTES_PER_DERIVATION
    if trained and config.training:
        from mathderive.model.parameters import parameter_shapes

        parameters = sum(map(prod, parameter_shapes(trained).values()))
        states = 3 if config.training.optimizer == "adamw" else 1
        needed += KEPT_CHECKPOINTS * states * 4 * parameters
        speed = _flops()
        if speed is not None:
            seconds["train"] = _training_flops(config, config.training, trained) / speed
    if answering and "CPU" in _devices():
        seconds["predict"] = sum(_answering_seconds(config, network) for network in answering)
    return seconds, needed


def _training_flops(config: Config, training: TrainingSettings, network: "T5Config") -> float:
    """Texts are taken to have half the length at which they are cut."""
    from mathderive.training.flops import training_flops

    row = training_flops(network, training.max_source_length // 2, training.max_target_length // 2)
    if training.steps is not None:
        return row * training.batch_size * training.steps
    assert training.epochs is not None
    assert config.data is not None
    return row * training.epochs * config.data.sizes.train


def _answering_seconds(config: Config, network: "T5Config") -> float:
    """Of a CPU."""
    from mathderive.training.flops import forward_flops

    of_each_set = config.evaluation.examples or (config.data.sizes.static if config.data else RELEASED_EXAMPLES)
    beams = len(EVALUATION_SETS) * of_each_set * config.decoding.search.num_beams
    beam = forward_flops(network, config.decoding.max_source_length // 2, config.decoding.max_target_length // 2)
    return beams * max(beam / CPU_FLOPS, CPU_SECONDS_PER_ANSWER) / cores()


def _flops() -> float | None:
    """Floating-point operations a second that training is taken to do on all devices; None where that is not known."""
    import jax

    from mathderive.training.flops import peak_of_all_devices

    if jax.default_backend() == "cpu":
        return CPU_FLOPS * cores()
    peak = peak_of_all_devices()
    return None if peak is None else ACCELERATOR_SHARE * peak


def _duration(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:.0f} {unit}"
    return "about a minute" if seconds > 30 else "less than a minute"


def _bytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
