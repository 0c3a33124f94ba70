"""The registry of predictor kinds: one entry holds everything that the pipeline must know about a kind.

docs/extending.md shows how to register one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_args

from mathderive.config.schema import Config, PredictorSettings
from mathderive.core.errors import InputError

if TYPE_CHECKING:
    from mathderive.model.config import T5Config
    from mathderive.predictors.base import Predictor
    from mathderive.training.opened import OpenedCheckpoints

S = TypeVar("S", bound=PredictorSettings)


@dataclass(frozen=True)
class TrainingData:
    """The generated dataset: its folder and content hash."""

    folder: Path
    content_hash: str


@dataclass(frozen=True)
class RecordedOutputs:
    """The released dataset: its folder, the models with recorded outputs, and the outputs' SHA-256."""

    folder: Path
    models: Sequence[str]
    digest: str


@dataclass(frozen=True)
class TrainedModel:
    """The model that the run has trained: its folder and the SHA-256 of its parameters."""

    folder: Path
    digest: str


@dataclass(frozen=True)
class RunInputs:
    """The inputs that a run offers its predictors.

    Attributes:
        config: the resolved config.
        ledger: the file that keeps the requests to chat endpoints; it may not exist yet.
        opened: the checkpoints that the config names, each opened once.
        training_data: null if the run generates no data.
        recorded: null if the run evaluates no released examples.
        trained: the model after all training; null if the run trains no model.
        by_round: the model before the first round of self-training and after each one.
    """

    config: Config
    ledger: Path
    opened: "OpenedCheckpoints"
    training_data: TrainingData | None
    recorded: RecordedOutputs | None
    trained: TrainedModel | None
    by_round: Sequence[TrainedModel] = ()


@dataclass(frozen=True)
class Plan:
    """A predictor that is loaded only when its answers are needed.

    Attributes:
        name: the model's name in the tables, and its folder's name below `predictions/`.
        stamp: everything that decides its answers, as JSON values; the stage runs again when it changes.
        make: loads the predictor. If its answers cost money, it is a `mathderive.predictors.base.Spender` too.
    """

    name: str
    stamp: Mapping[str, Any]
    make: Callable[[], "Predictor"]


class UnavailableError(Exception):
    """A predictor cannot run here and is left out. The message is a sentence for the terminal and the report."""


@dataclass(frozen=True)
class PredictorKind(Generic[S]):
    """A kind of predictor.

    Attributes:
        kind: its name in configs.
        settings: the model that validates its entry of the config; its field `kind` is `Literal[KIND]`.
        plan: returns a plan for each model that an entry stands for. It imports no heavy library. It raises
            `UnavailableError` to leave the entry out, and `InputError` if the run lacks what the entry needs.
        network: returns the network that answers on this machine's devices, given the opened checkpoints and the
            network that the run is about to train (null if it trains none now). The run's time is estimated from it.
            Null for predictors that run no network here.
        can_be_sampled: whether its predictor is a `mathderive.predictors.search.Sampler`, which a search can sample.
        can_continue: whether it is a `ContinuingSampler` there, which the strategy `stepwise` needs.
    """

    kind: str
    settings: type[S]
    plan: Callable[[S, RunInputs], Sequence[Plan]]
    network: "Callable[[S, OpenedCheckpoints, T5Config | None], T5Config | None] | None" = None
    can_be_sampled: bool = False
    can_continue: bool = False


PREDICTORS: dict[str, PredictorKind[Any]] = {}
"""The registered kinds by name, in the order of registration."""


def register_predictor(entry: PredictorKind[Any]) -> None:
    """Makes a kind of predictor known to configs and to the pipeline.

    Raises:
        InputError: the kind is registered already, or a part of the entry is missing or does not fit.
    """
    place = f"predictor kind {entry.kind!r}"
    if entry.kind in PREDICTORS:
        raise InputError(f"{place}: already registered; expected another name")
    is_settings = isinstance(entry.settings, type) and issubclass(entry.settings, PredictorSettings)
    if not is_settings or get_args(entry.settings.model_fields["kind"].annotation) != (entry.kind,):
        raise InputError(f"{place}: settings: expected a PredictorSettings with `kind: Literal[{entry.kind!r}]`")
    if not callable(entry.plan) or not (entry.network is None or callable(entry.network)):
        raise InputError(f"{place}: expected functions as `plan` and `network`")
    PREDICTORS[entry.kind] = entry
