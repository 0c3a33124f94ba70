"""The training settings as the training loop takes them: one dataclass for training on texts and on shards.

This module imports nothing beyond the standard library, because training on shards also runs where pydantic is not
installed. `mathderive.config.schema.TrainingSettings` is the user's form of the same settings: it explains and checks
each of them, and its `options()` gives this dataclass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

FirstToken = Literal["authors", "fixed"]
Optimizer = Literal["adamw", "adafactor"]
Schedule = Literal["constant", "cosine"]

WITHOUT_INFLUENCE = frozenset({"log_every", "checkpoint_every", "checkpoint_folder"})
"""Training settings on which the result does not depend."""

ONLY_FOR_TEXTS = frozenset({"validation_search"})
"""Training settings that are no options of the loop: only training on texts decodes the validation examples."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The settings of the section `training` in a config, checked already; exactly one of steps and epochs is set."""

    batch_size: int
    accumulate: int
    steps: int | None
    epochs: float | None
    optimizer: Optimizer
    learning_rate: float
    vector_learning_rate_factor: float
    schedule: Schedule
    warmup_steps: int
    weight_decay: float
    max_gradient_norm: float | None
    max_source_length: int
    max_target_length: int
    first_token: FirstToken
    evaluate_every: int
    validation_examples: int
    checkpoint_every: int
    checkpoint_folder: str | None
    log_every: int

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> "TrainingOptions":
        """Takes the options from a section `training` that a config's settings were written as.

        Raises:
            ValueError: an option is missing or unknown; names it.
        """
        options = {key: value for key, value in tree.items() if key not in ONLY_FOR_TEXTS}
        known = {field.name for field in fields(cls)}
        if missing := sorted(known - options.keys()):
            raise ValueError(f"{missing[0]}: missing")
        if unknown := sorted(options.keys() - known):
            raise ValueError(f"{unknown[0]}: unknown")
        return cls(**options)

    def total_steps(self, steps_per_epoch: int) -> int:
        """Number of steps of the whole training run."""
        return self.steps or max(1, round((self.epochs or 0) * steps_per_epoch))
