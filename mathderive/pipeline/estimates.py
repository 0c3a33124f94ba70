"""Estimates of the time and disk space that a run takes.

They rest on measurements on two cores of a server (Intel Xeon, 2.1 GHz). On another machine, or for a model of another
shape, the time may well be half or double.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING

from mathderive.config.schema import Config, SelfTrainingSettings, TrainingSettings
from mathderive.core.environment import cores
from mathderive.records import EVALUATION_SETS

if TYPE_CHECKING:
    from mathderive.model.config import T5Config

SECONDS_PER_DERIVATION = 0.03
"""Seconds of one core per derivation, with its variants and its share of rejected candidates."""

BYTES_PER_DERIVATION = 4_000
"""Bytes per derivation with its variants, in the dataset and in the chunks of candidates."""

CPU_FLOPS = 40e9
"""Floating-point operations a second and core, while a small T5 is trained in float32."""

CPU_SECONDS_PER_ANSWER = 0.25
"""Seconds of one core per beam of a small T5, whose time goes into many small products; a large T5's goes into its
floating-point operations."""

CPU_SECONDS_PER_SAMPLE = 0.1
"""Seconds of one core per answer of a small T5 that self-training samples in large batches and checks."""

RELEASED_EXAMPLES = 100
"""Number of examples in each of the authors' sets."""

PHYSICS_EXAMPLES = 218
"""Number of the authors' derivations in physics, which are one set."""

ACCELERATOR_SHARE = 0.3
"""Share of its peak speed that a GPU or TPU is assumed to reach."""

KEPT_CHECKPOINTS = 3
"""Number of checkpoints on disk: the best, the newest, and the one that is being written."""

SPARE_BYTES = 2e6
"""Minimum size of predictions, scores and report."""


def estimate(
    config: Config,
    pending: Sequence[str],
    trained: "T5Config | None",
    answering: "Sequence[T5Config]",
    on_accelerator: bool,
) -> tuple[Mapping[str, float], float]:
    """Estimates the long stages whose speed is known.

    Args:
        pending: the stages with work to do.
        trained: the network that is trained, if any.
        answering: the networks that answer the evaluated examples.

    Returns:
        Seconds by stage, and bytes on disk.
    """
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
        further = config.self_training
        models = 1 + (further.rounds * (1 + further.control) if further else 0)
        needed += models * KEPT_CHECKPOINTS * states * 4 * parameters
        speed = _training_speed()
        if speed is not None:
            seconds["train"] = _training_flops(config, config.training, trained) / speed
    if "self-training" in pending and config.self_training and not on_accelerator:
        seconds["self-training"] = _seconds_to_self_train_on_cpu(config, config.self_training, trained)
    if answering and not on_accelerator:
        seconds["predict"] = sum(_seconds_to_answer_on_cpu(config, network) for network in answering)
    return seconds, needed


def _training_flops(config: Config, training: TrainingSettings, network: "T5Config") -> float:
    """Floating-point operations of the training; texts are assumed to be half as long as the maximum."""
    from mathderive.training.flops import training_flops

    row = training_flops(network, training.max_source_length // 2, training.max_target_length // 2)
    if training.steps is not None:
        return row * training.batch_size * training.steps
    assert training.epochs is not None
    assert config.data is not None
    return row * training.epochs * config.data.sizes.train


def _seconds_to_self_train_on_cpu(config: Config, settings: SelfTrainingSettings, network: "T5Config | None") -> float:
    """Seconds of all rounds and controls, if every prompt gives an answer; without training for an unknown network."""
    models = settings.rounds * (1 + settings.control)
    answers = settings.rounds * settings.prompts * settings.samples + (1 + models) * settings.validation_prompts
    seconds = answers * CPU_SECONDS_PER_SAMPLE / cores()
    if network is None or config.training is None:
        return seconds
    from mathderive.training.flops import training_flops

    row = training_flops(network, config.training.max_source_length // 2, config.training.max_target_length // 2)
    rows = models * settings.epochs * settings.prompts * (1 + settings.replay)
    return seconds + rows * row / (CPU_FLOPS * cores())


def _seconds_to_answer_on_cpu(config: Config, network: "T5Config") -> float:
    from mathderive.training.flops import forward_flops

    beams = _number_of_examples(config) * config.decoding.search.num_beams
    beam = forward_flops(network, config.decoding.max_source_length // 2, config.decoding.max_target_length // 2)
    return beams * max(beam / CPU_FLOPS, CPU_SECONDS_PER_ANSWER) / cores()


def _number_of_examples(config: Config) -> int:
    if config.evaluation.source == "physics":
        return config.evaluation.examples or PHYSICS_EXAMPLES
    per_set = config.evaluation.examples or (config.data.sizes.static if config.data else RELEASED_EXAMPLES)
    return len(EVALUATION_SETS) * per_set


def _training_speed() -> float | None:
    """Floating-point operations a second on all devices; None where the devices' peak is not known."""
    import jax

    from mathderive.training.flops import peak_of_all_devices

    if jax.default_backend() == "cpu":
        return CPU_FLOPS * cores()
    peak = peak_of_all_devices()
    return None if peak is None else ACCELERATOR_SHARE * peak
