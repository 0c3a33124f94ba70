"""The models that a run asks: named plans from the config's predictors, carried out only when needed."""

from collections.abc import Sequence
from dataclasses import dataclass

from mathderive.config.schema import PredictorSettings
from mathderive.core.errors import InputError
from mathderive.pipeline.results import DataResults, SelfTrainingResults, TrainResults
from mathderive.pipeline.run import Run
from mathderive.pipeline.stages.self_training import self_trained_models
from mathderive.predictors.registry import (
    PREDICTORS,
    Plan,
    RecordedOutputs,
    RunInputs,
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


def plan_predictors(
    run: Run, data: DataResults, trained: TrainResults | None, further: SelfTrainingResults | None
) -> Planned:
    """Plans each model of the config; a model that cannot run here is left out.

    Args:
        data: the results of the data stage.
        trained: the results of the train stage; None if the run trains no model.
        further: the results of self-training; None if the run does none.

    Raises:
        InputError: two models share a name, or a predictor needs what the run does not have.
    """
    inputs = _inputs(run, data, trained, further)
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


def _inputs(
    run: Run, data: DataResults, trained: TrainResults | None, further: SelfTrainingResults | None
) -> RunInputs:
    paths, generated, released = run.paths, data.derivations, data.released
    training_data = recorded = None
    if generated:
        training_data = TrainingData(paths.dataset(generated.path), generated.content_hash)
    if released:
        recorded = RecordedOutputs(paths.dataset(released.path), released.models, released.outputs_hash)
    models = self_trained_models(run, trained, further) if trained else []
    return RunInputs(
        run.config, paths.ledger, run.opened, training_data, recorded, models[-1] if models else None, models
    )
