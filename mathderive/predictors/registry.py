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

S = TypeVar("S", bound=PredictorSettings)


@dataclass(frozen=True)
class RunInputs:
    """What a run offers its predictors.

    Attributes:
        config: the resolved config.
        folder: the run folder.
        data: what the data stage returned: path, hash and metadata of each dataset.
        model: what the train stage returned; null if the run trains no model.
    """

    config: Config
    folder: Path
    data: Mapping[str, Any]
    model: Mapping[str, Any] | None


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
        network: returns the network that answers on this machine's devices, given the one that the run is about to
            train (null if it trains none now). It fetches the checkpoint if there is one. The run's time is
            estimated from it. Null for predictors that run no network here.
    """

    kind: str
    settings: type[S]
    plan: Callable[[S, RunInputs], Sequence[Plan]]
    network: "Callable[[S, T5Config | None], T5Config | None] | None" = None


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
