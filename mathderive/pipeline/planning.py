"""Which models a run asks: from the config's predictors to named plans that are carried out only when needed."""

import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mathderive.config.schema import Config, CopyPredictor, OpenAIPredictor, ReleasedPredictor, T5Predictor
from mathderive.core.environment import versions
from mathderive.core.errors import InputError
from mathderive.core.files import sha256

if TYPE_CHECKING:
    from mathderive.predictors.base import Predictor


@dataclass(frozen=True)
class Plan:
    """A predictor to come: its name, what decides its output, and how to make it."""

    name: str
    stamp: dict[str, Any]
    make: Callable[[], "Predictor"]


def plan_predictors(
    config: Config, folder: Path, data: dict[str, Any], model: dict[str, Any] | None
) -> tuple[list[Plan], list[str]]:
    """One plan for each model of the config, in its order; one that cannot run here is left out.

    Args:
        config: of the run.
        folder: the run folder.
        data: what the data stage returned: path, hash and metadata of each dataset.
        model: what the train stage returned, null if the run trains none.

    Returns:
        The plans, and a sentence for each model that was left out.

    Raises:
        InputError: two models share a name, or a predictor needs what the run does not have.
    """
    plans, notes = [], []
    for settings in config.predictors:
        match settings:
            case CopyPredictor():
                plans.append(_plan_copy(settings))
            case T5Predictor():
                plans.append(_plan_t5(settings, config, folder, model))
            case ReleasedPredictor():
                plans += _plan_released(config, folder, data)
            case OpenAIPredictor():
                key = _key(settings)
                if key is not None or _is_recorded(settings, folder):
                    plans.append(_plan_openai(settings, key, config, folder, data))
                else:
                    notes.append(f"{settings.name} is skipped: there is no key in {settings.api_key_variable}")
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"predictors: two models are named {name}; expected a `name` of its own for each")
    return plans, notes


def _plan_copy(settings: CopyPredictor) -> Plan:
    def make() -> "Predictor":
        from mathderive.predictors.copy import CopyBaseline

        return CopyBaseline(settings.name)

    return Plan(settings.name, {}, make)


def _plan_t5(settings: T5Predictor, config: Config, folder: Path, model: dict[str, Any] | None) -> Plan:
    if settings.checkpoint is not None:
        place, digest = settings.checkpoint, checkpoint_digest(settings.checkpoint)
        name = settings.name or checkpoint_name(place)
    elif model is not None and config.model is not None:
        place, digest = str(folder / "checkpoints" / config.model.name), model["digest"]
        name = settings.name or config.model.name
    else:
        raise InputError("predictors: t5 has no checkpoint and the config trains no model; expected one of the two")

    def make() -> "Predictor":
        from mathderive.predictors.t5 import T5Model

        return T5Model(name, place, config.decoding)

    libraries = versions(["jax", "jaxlib", "flax", "numpy", "sentencepiece", "transformers"])
    decoding = config.decoding.model_dump(mode="json")
    return Plan(name, {"checkpoint": digest, "decoding": decoding, "libraries": libraries}, make)


def checkpoint_name(place: str) -> str:
    """What the model at a checkpoint is called where nobody names it."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(place).name) or "t5"


def checkpoint_digest(place: str) -> str:
    """What identifies a checkpoint: the contents of a folder, or a hub's id as it stands."""
    folder = Path(place)
    if not folder.is_dir():
        return place
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {sha256(path)}\n".encode())
    return digest.hexdigest()


def _plan_released(config: Config, folder: Path, data: dict[str, Any]) -> list[Plan]:
    if config.evaluation.source != "released":
        raise InputError("predictors: released outputs answer released examples; expected evaluation.source: released")
    dataset = data["released"]

    def make(model: str) -> "Predictor":
        from mathderive.predictors.released import ReleasedOutputs
        from tfds_builders.released.outputs import read_outputs

        return ReleasedOutputs(model, read_outputs(folder / dataset["path"], model))

    return [Plan(model, {"outputs": dataset["outputs_hash"]}, partial(make, model)) for model in dataset["models"]]


def _key(settings: OpenAIPredictor) -> str | None:
    """The key to send, empty where there is to be none; null where it is missing, so that nothing may be asked."""
    if settings.api_key_variable is None:
        return ""
    return os.environ.get(settings.api_key_variable) or None


def _is_recorded(settings: OpenAIPredictor, folder: Path) -> bool:
    """Whether the run's ledger holds answers of this model, so that it can do without a key."""
    from mathderive.predictors.ledger import LEDGER_FILE, Ledger

    if not (folder / LEDGER_FILE).exists():
        return False
    with Ledger(folder / LEDGER_FILE) as ledger:
        return ledger.has_answers(settings.endpoint, settings.model)


def _plan_openai(
    settings: OpenAIPredictor, key: str | None, config: Config, folder: Path, data: dict[str, Any]
) -> Plan:
    training = data.get("derivations")

    def make() -> "Predictor":
        from mathderive.predictors.chat import ChatBaseline
        from mathderive.predictors.ledger import LEDGER_FILE
        from tfds_builders.example_features import read_pairs

        pairs = read_pairs(folder / training["path"], "train") if training else []
        return ChatBaseline(settings, key, pairs, config.run.seed, folder / LEDGER_FILE)

    # What decides when and whether an answer comes, not what it is.
    unseen = {
        *("concurrency", "requests_per_minute", "tokens_per_minute", "timeout_seconds", "max_attempts"),
        *("prompt_price", "completion_price", "max_cost", "api_key_variable"),
    }
    stamp = {
        "openai": settings.model_dump(mode="json", exclude=unseen),
        "training": training and training["content_hash"],
    }
    return Plan(settings.name, stamp, make)
