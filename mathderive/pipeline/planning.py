"""The models that a run asks: named plans from the config's predictors, carried out only when needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.config.schema import PredictorSettings
from mathderive.core.errors import InputError
from mathderive.pipeline.results import DataResults, TrainResults
from mathderive.pipeline.run import Run
from mathderive.predictors.registry import (
    PREDICTORS,
    Plan,
    RecordedOutputs,
    RunInputs,
    TrainedModel,
    TrainingData,
    UnavailableError,
)


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
    inputs = _inputs(run, data, trained)
    entries: list[tuple[PredictorSettings, Sequence[Plan]]] = []
    notes = []
    for settings in run.config.predictors:
        try:
            entries.append((settings, PREDICTORS[settings.kind].plan(settings, inputs)))
        except UnavailableError as error:
            notes.append(str(error))
    planned = Planned(entries, notes)
    names = [plan.name for plan in planned.plans]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"predictors: two models are named {name}; expected a `name` of its own for each")
    return planned


def _inputs(run: Run, data: DataResults, trained: TrainResults | None) -> RunInputs:
    paths, generated, released, model = run.paths, data.derivations, data.released, run.config.model
    training_data = recorded = trained_model = None
    if generated:
        training_data = TrainingData(paths.dataset(generated.path), generated.content_hash)
    if released:
        recorded = RecordedOutputs(paths.dataset(released.path), released.models, released.outputs_hash)
    if trained and model:
        trained_model = TrainedModel(paths.checkpoint(model.name), trained.digest)
    return RunInputs(run.config, paths.ledger, run.opened, training_data, recorded, trained_model)
