"""The models that a run asks: named plans from the config's predictors, carried out only when needed."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mathderive.config.schema import (
    CopyPredictor,
    OpenAIPredictor,
    PredictorSettings,
    ReleasedPredictor,
    T5Predictor,
)
from mathderive.core.environment import versions
from mathderive.core.errors import InputError
from mathderive.pipeline.paths import RunPaths
from mathderive.pipeline.results import DataResults, TrainResults
from mathderive.pipeline.run import Run
from mathderive.pipeline.stamps import Stamp

if TYPE_CHECKING:
    from mathderive.predictors.base import Predictor


@dataclass(frozen=True)
class Plan:
    """A predictor that is made when it is needed.

    Attributes:
        name: the model's name.
        stamp: what decides its output.
        make: makes the predictor.
    """

    name: str
    stamp: Stamp
    make: Callable[[], "Predictor"]


@dataclass(frozen=True)
class Planned:
    """The plans of a run's predictors.

    Attributes:
        entries: each entry of the config's predictors that can run here, with its plans.
        notes: a sentence for each entry that is left out.
    """

    entries: Sequence[tuple[PredictorSettings, Sequence[Plan]]]
    notes: Sequence[str]

    @property
    def plans(self) -> list[Plan]:
        """All plans, in the config's order."""
        return [plan for _, plans in self.entries for plan in plans]


def plan_predictors(run: Run, data: DataResults, trained: TrainResults | None) -> Planned:
    """Plans each model of the config; a model that cannot run here is left out.

    Args:
        data: the results of the data stage.
        trained: the results of the train stage; None if the run trains no model.

    Raises:
        InputError: two models share a name, or a predictor needs what the run does not have.
    """
    entries: list[tuple[PredictorSettings, Sequence[Plan]]] = []
    notes = []
    for settings in run.config.predictors:
        match settings:
            case CopyPredictor():
                entries.append((settings, [_plan_copy(settings)]))
            case T5Predictor():
                entries.append((settings, [_plan_t5(settings, run, trained)]))
            case ReleasedPredictor():
                entries.append((settings, _plan_released(run, data)))
            case OpenAIPredictor():
                if _key(settings) is not None or _is_recorded(settings, run.paths):
                    entries.append((settings, [_plan_openai(settings, run, data)]))
                else:
                    notes.append(f"{settings.name} is skipped: there is no key in {settings.api_key_variable}")
    planned = Planned(entries, notes)
    names = [plan.name for plan in planned.plans]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"predictors: two models are named {name}; expected a `name` of its own for each")
    return planned


def _plan_copy(settings: CopyPredictor) -> Plan:
    def make() -> "Predictor":
        from mathderive.predictors.copy import CopyBaseline

        return CopyBaseline(settings.name)

    return Plan(settings.name, {}, make)


def _plan_t5(settings: T5Predictor, run: Run, trained: TrainResults | None) -> Plan:
    config, checkpoint = run.config, settings.checkpoint
    if checkpoint is not None:
        name, digest = settings.name or checkpoint_name(checkpoint), run.opened.digest(checkpoint)
    elif trained is not None and config.model is not None:
        name, digest = settings.name or config.model.name, trained.digest
    else:
        raise InputError("predictors: t5 has no checkpoint and the config trains no model; expected one of the two")

    def make() -> "Predictor":
        from mathderive.predictors.t5 import T5Model

        if checkpoint is not None:
            return T5Model(name, run.opened.take_model(checkpoint), config.decoding)
        assert config.model is not None
        return T5Model(name, str(run.paths.checkpoint(config.model.name)), config.decoding)

    libraries = versions(["jax", "jaxlib", "flax", "numpy", "sentencepiece", "transformers"])
    decoding = config.decoding.model_dump(mode="json")
    return Plan(name, {"checkpoint": digest, "decoding": decoding, "libraries": libraries}, make)


def checkpoint_name(place: str) -> str:
    """The default name of the model at a checkpoint."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(place).name) or "t5"


def _plan_released(run: Run, data: DataResults) -> list[Plan]:
    if run.config.evaluation.source != "released":
        raise InputError("predictors: released outputs answer released examples; expected evaluation.source: released")
    released = data.released
    assert released is not None

    def make(model: str) -> "Predictor":
        from mathderive.predictors.released import ReleasedOutputs
        from tfds_builders.released.outputs import read_outputs

        return ReleasedOutputs(model, read_outputs(run.paths.dataset(released.path), model))

    return [Plan(model, {"outputs": released.outputs_hash}, partial(make, model)) for model in released.models]


def _key(settings: OpenAIPredictor) -> str | None:
    """The key to send, empty where the endpoint needs none; None where it is missing, so that nothing can be asked."""
    if settings.api_key_variable is None:
        return ""
    return os.environ.get(settings.api_key_variable) or None


def _is_recorded(settings: OpenAIPredictor, paths: RunPaths) -> bool:
    """Whether the run's ledger holds answers of this model, so that no key is needed."""
    from mathderive.predictors.ledger import Ledger

    if not paths.ledger.exists():
        return False
    with Ledger(paths.ledger) as ledger:
        return ledger.has_answers(settings.endpoint, settings.model)


def _plan_openai(settings: OpenAIPredictor, run: Run, data: DataResults) -> Plan:
    training = data.derivations

    def make() -> "Predictor":
        from mathderive.predictors.chat import ChatBaseline
        from tfds_builders.example_features import read_pairs

        pairs = read_pairs(run.paths.dataset(training.path), "train") if training else []
        return ChatBaseline(settings, _key(settings), pairs, run.config.run.seed, run.paths.ledger)

    # These decide when and whether an answer comes, not its contents.
    without_influence = {
        *("concurrency", "requests_per_minute", "tokens_per_minute", "timeout_seconds", "max_attempts"),
        *("prompt_price", "completion_price", "max_cost", "api_key_variable"),
    }
    stamp = {
        "openai": settings.model_dump(mode="json", exclude=without_influence),
        "training": training and training.content_hash,
    }
    return Plan(settings.name, stamp, make)
