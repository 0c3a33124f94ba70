"""The built-in kinds of predictor and how each becomes a plan; heavy libraries are imported by `make` alone."""

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mathderive.checker import LIBRARIES as CHECKER_LIBRARIES
from mathderive.core.environment import cores, versions
from mathderive.core.errors import InputError
from mathderive.predictors.registry import (
    PREDICTORS,
    Plan,
    PredictorKind,
    RunInputs,
    TrainedModel,
    UnavailableError,
    register_predictor,
)
from mathderive.predictors.settings import (
    ChatSettings,
    CopySettings,
    EngineSettings,
    ReleasedSettings,
    SamplerSettings,
    T5Settings,
)

if TYPE_CHECKING:
    from mathderive.model.config import T5Config
    from mathderive.predictors.base import Predictor
    from mathderive.training.opened import OpenedCheckpoints


def _plan_copy(settings: CopySettings, _: RunInputs) -> Sequence[Plan]:
    def make() -> "Predictor":
        from mathderive.predictors.copy import CopyBaseline

        return CopyBaseline(settings.name)

    return [Plan(settings.name, {}, make)]


def _plan_engine(settings: EngineSettings, run: RunInputs) -> Sequence[Plan]:
    seed, workers = str(run.config.run.seed), run.config.score.workers

    def make() -> "Predictor":
        from mathderive.predictors.engine.predictor import Engine

        return Engine(settings.name, settings, seed, workers)

    bounds = settings.model_dump(mode="json", exclude={"name"})
    return [Plan(settings.name, {"engine": bounds, "checker": versions(CHECKER_LIBRARIES)}, make)]


def _plan_t5(settings: T5Settings, run: RunInputs) -> Sequence[Plan]:
    config, trained = run.config, _trained_model(settings, run)
    if settings.checkpoint is not None:
        name, digest = settings.name or checkpoint_name(settings.checkpoint), run.opened.digest(settings.checkpoint)
    elif trained is not None and config.model is not None:
        suffix = "" if settings.round is None else f"-round-{settings.round}"
        name, digest = settings.name or f"{config.model.name}{suffix}", trained.digest
    else:
        raise InputError("predictors: t5 has no checkpoint and the config trains no model; expected one of the two")

    def make() -> "Predictor":
        from mathderive.predictors.t5 import T5Model

        if settings.checkpoint is not None:
            return T5Model(name, run.opened.take_model(settings.checkpoint), config.decoding)
        assert trained is not None
        return T5Model(name, str(trained.folder), config.decoding)

    libraries = versions(["jax", "jaxlib", "flax", "numpy", "sentencepiece", "transformers"])
    decoding = config.decoding.model_dump(mode="json")
    return [Plan(name, {"checkpoint": digest, "decoding": decoding, "libraries": libraries}, make)]


def _trained_model(settings: T5Settings, run: RunInputs) -> TrainedModel | None:
    """The run's own model after the wanted round of self-training."""
    if settings.round is None or run.trained is None:
        return run.trained
    if settings.round >= len(run.by_round):
        raise InputError(
            f"predictors: t5: round {settings.round} of {len(run.by_round) - 1}; expected at most self_training.rounds"
        )
    return run.by_round[settings.round]


def _t5_network(settings: T5Settings, opened: "OpenedCheckpoints", trained: "T5Config | None") -> "T5Config | None":
    return trained if settings.checkpoint is None else opened.network(settings.checkpoint)


def checkpoint_name(place: str) -> str:
    """The default name of the model at a checkpoint: the last part of its place."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(place).name) or "t5"


def _plan_search(settings: SamplerSettings, run: RunInputs) -> Sequence[Plan]:
    kind = PREDICTORS[settings.around.kind]
    if not kind.can_be_sampled:
        known = ", ".join(sorted(one.kind for one in PREDICTORS.values() if one.can_be_sampled))
        raise InputError(f"predictors: search around {kind.kind!r}, which gives one answer; expected one of {known}")
    if settings.strategy == "stepwise" and not kind.can_continue:
        known = ", ".join(sorted(one.kind for one in PREDICTORS.values() if one.can_continue))
        raise InputError(
            f"predictors: search around {kind.kind!r}, which cannot continue a beginning as the strategy stepwise "
            f"asks for; expected one of {known}, or the strategy best_of"
        )
    (inner,) = kind.plan(settings.around, run)
    name, seed = settings.name or f"{inner.name}-search", run.config.run.seed

    def make() -> "Predictor":
        from mathderive.predictors.search import Sampler, Search

        sampler = inner.make()
        assert isinstance(sampler, Sampler)
        return Search(name, sampler, settings, seed, str(seed), run.config.score.workers or cores())

    search = settings.model_dump(mode="json", exclude={"around", "name"})
    stamp = {"sampled": inner.stamp, "search": search, "checker": versions(CHECKER_LIBRARIES)}
    return [Plan(name, stamp, make)]


def _search_network(
    settings: SamplerSettings, opened: "OpenedCheckpoints", trained: "T5Config | None"
) -> "T5Config | None":
    network = PREDICTORS[settings.around.kind].network
    return None if network is None else network(settings.around, opened, trained)


def _plan_released(_: ReleasedSettings, run: RunInputs) -> Sequence[Plan]:
    if run.config.evaluation.source != "released":
        raise InputError("predictors: released outputs answer released examples; expected evaluation.source: released")
    recorded = run.recorded
    assert recorded is not None

    def make(model: str) -> "Predictor":
        from mathderive.predictors.released import ReleasedOutputs
        from tfds_builders.released.outputs import read_outputs

        return ReleasedOutputs(model, read_outputs(recorded.folder, model))

    return [Plan(model, {"outputs": recorded.digest}, partial(make, model)) for model in recorded.models]


_NOT_IN_STAMP = {
    *("concurrency", "requests_per_minute", "tokens_per_minute", "timeout_seconds", "max_attempts"),
    *("prompt_price", "completion_price", "max_cost", "api_key_variable"),
}
"""Settings that decide when and whether a chat model's answer comes, but not its text."""


_READING_VERSION = 1
"""Version of what is read from a recorded answer, raised when the same ledger gives other predictions."""


def _plan_chat(settings: ChatSettings, run: RunInputs) -> Sequence[Plan]:
    key = api_key(settings)
    has_answers, replaced = _recorded_answers(settings, run.ledger)
    if key is None and not has_answers:
        raise UnavailableError(f"{settings.name} is skipped: there is no key in {settings.api_key_variable}")
    training = run.training_data

    def make() -> "Predictor":
        from mathderive.predictors.chat import ChatBaseline
        from tfds_builders.example_features import read_pairs

        pairs = read_pairs(training.folder, "train") if training else []
        return ChatBaseline(settings, key, pairs, run.config.run.seed, run.ledger)

    stamp = {
        "openai": settings.model_dump(mode="json", exclude=_NOT_IN_STAMP),
        "training": training and training.content_hash,
        "reading": _READING_VERSION,
        **({"replaced": replaced} if replaced else {}),  # `ledger retry` has brought other answers
    }
    return [Plan(settings.name, stamp, make)]


def api_key(settings: ChatSettings) -> str | None:
    """The key to send, empty if the endpoint needs none; null if it is missing, so that nothing can be asked."""
    if settings.api_key_variable is None:
        return ""
    return os.environ.get(settings.api_key_variable) or None


def _recorded_answers(settings: ChatSettings, path: Path) -> tuple[bool, int]:
    """Whether the run's ledger holds answers of this model, which can be used without a key; how many were replaced."""
    from mathderive.predictors.ledger import Ledger

    if not path.exists():
        return False, 0
    with Ledger(path) as ledger:
        place = settings.endpoint, settings.model
        return ledger.has_answers(*place), ledger.replaced(*place)


register_predictor(PredictorKind("copy", CopySettings, _plan_copy))
register_predictor(PredictorKind("engine", EngineSettings, _plan_engine))
register_predictor(PredictorKind("t5", T5Settings, _plan_t5, _t5_network, can_be_sampled=True, can_continue=True))
register_predictor(PredictorKind("search", SamplerSettings, _plan_search, _search_network))
register_predictor(PredictorKind("released", ReleasedSettings, _plan_released))
register_predictor(PredictorKind("openai", ChatSettings, _plan_chat, can_be_sampled=True))
