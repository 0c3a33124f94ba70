"""Training on texts: tokenizer and network from the config, batches by Grain, and outputs scored as text."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from mathderive.config.schema import ModelSettings, TrainingSettings
from mathderive.core import devices
from mathderive.core.progress import ProgressCallback
from mathderive.metrics.text import rouge2
from mathderive.training.conversion import OpenedCheckpoint
from mathderive.training.input_pipeline import Batches, batch_iterator, tokenize
from mathderive.training.loop import Task, TrainingResult, make_identity, train
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
    on_progress: ProgressCallback,
    score: Score = rouge2,
    source: OpenedCheckpoint | None = None,
) -> TrainingResult:
    """Trains a model in `folder`; see `mathderive.training.loop.train`.

    Args:
        seed: decides initial parameters, order of examples and dropout.
        on_progress: called after every step.
        score: scores a prediction against its reference; the best checkpoint has the highest mean.
        source: the checkpoint that training starts from, if it is open already.

    Raises:
        InputError: the settings do not fit the data, the devices or the content of `folder`, or the loss is not
            finite.
        Terminated: SIGTERM or SIGINT came, and a checkpoint of the current step was written.
    """
    options = training.options()
    devices.check_divides(options.batch_size, options.accumulate)
    identity = make_identity(
        model.model_dump(mode="json", exclude={"name"}),
        training.model_dump(mode="json"),
        seed,
        _digest(train_pairs),
        _digest(validation_pairs),
    )
    texts = [text for pair in train_pairs for text in pair]
    config, tokenizer, params = prepare(model, texts, folder, identity, seed, source)
    examples = tokenize(train_pairs, tokenizer, options.max_source_length, options.max_target_length)
    batches = Batches(examples, config, options.batch_size, seed, first_token=options.first_token)
    validation = Validation(
        validation_pairs[: options.validation_examples],
        tokenizer,
        config,
        model.dtype,
        options,
        training.validation_search.options(),
        score,
    )
    task = Task(config, model.dtype, model.remat, params, batches, batch_iterator, validation.validate, identity)
    return train(task, options, seed, folder, on_progress)


def _digest(pairs: Sequence[TextPair]) -> str:
    digest = hashlib.sha256()
    for pair in pairs:
        digest.update(json.dumps(list(pair)).encode() + b"\n")
    return digest.hexdigest()
