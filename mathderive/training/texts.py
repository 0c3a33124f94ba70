"""Training on texts: tokenizer and network as the settings say, batches by Grain, outputs scored as written."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mathderive.config.schema import ModelSettings, TrainingSettings
from mathderive.core import devices
from mathderive.core.progress import ProgressCallback
from mathderive.metrics.text import rouge2
from mathderive.training.conversion import OpenedModel
from mathderive.training.input_pipeline import Batches, batch_iterator, tokenize
from mathderive.training.loop import NO_INFLUENCE, Task, TrainingResult, train
from mathderive.training.start import prepare
from mathderive.training.validation import Score, Validation

TextPair = tuple[str, str]
"""A prompt and its target."""


def train_on_texts(
    model: ModelSettings,
    training: TrainingSettings,
    seed: int,
    train_pairs: Sequence[TextPair],
    validation_pairs: Sequence[TextPair],
    folder: Path,
    report: ProgressCallback,
    score: Score = rouge2,
    source: OpenedModel | None = None,
) -> TrainingResult:
    """Trains a model in `folder`; see `mathderive.training.loop.train`.

    Args:
        seed: decides initial parameters, order of examples and dropout.
        report: is told of the progress.
        source: the checkpoint that training starts from, if it is open already.
        score: of (prediction, reference), which chooses the best checkpoint.

    Raises:
        InputError: the settings do not fit the data, the devices or what is in `folder`, or the loss is no
            longer finite.
        Terminated: SIGTERM or SIGINT came; a checkpoint of the step it came in is written.
    """
    devices.check_divides(training.batch_size, training.accumulate)
    run = _what_decides(model, training, seed, train_pairs, validation_pairs)
    config, tokenizer, params = prepare(
        model, [text for pair in train_pairs for text in pair], folder, run, seed, source
    )
    lengths = (training.max_source_length, training.max_target_length)
    examples = tokenize(train_pairs, tokenizer, *lengths)
    batches = Batches(examples, config, training.batch_size, seed, first_token=training.first_token)
    validation_pairs = validation_pairs[: training.validation_examples]
    validation = Validation(validation_pairs, tokenizer, config, model.dtype, training, score)
    task = Task(config, model.dtype, model.remat, params, batches, batch_iterator, validation.look, run)
    return train(task, training, seed, folder, report)


def _what_decides(
    model: ModelSettings,
    training: "TrainingSettings",
    seed: int,
    train_pairs: Sequence[TextPair],
    validation_pairs: Sequence[TextPair],
) -> dict[str, Any]:
    """Everything the final parameters and the choice of the best checkpoint depend on, flat."""
    network = model.model_dump(mode="json", exclude={"name"})
    trained = training.model_dump(mode="json", exclude=set(NO_INFLUENCE))
    return {
        **{f"model.{key}": value for key, value in network.items()},
        **{f"training.{key}": value for key, value in trained.items()},
        "seed": seed,
        "training data": _digest(train_pairs),
        "validation data": _digest(validation_pairs),
    }


def _digest(pairs: Sequence[TextPair]) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps(list(pair)).encode() + b"\n")
    return digest.hexdigest()
