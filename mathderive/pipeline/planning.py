"""Which models a run asks: from the config's predictors to named plans that are carried out only when needed."""

from mathderive.core.errors import InputError
from mathderive.predictors.registry import PREDICTORS, Plan, RunInputs, UnavailableError


def plan_predictors(run: RunInputs) -> tuple[list[Plan], list[str]]:
    """Returns the plans of the config's predictors in its order, and a sentence for each one that is left out.

    Raises:
        InputError: two models share a name, or a predictor needs something that the run does not have.
    """
    plans: list[Plan] = []
    notes: list[str] = []
    for settings in run.config.predictors:
        try:
            plans += PREDICTORS[settings.kind].plan(settings, run)
        except UnavailableError as error:
            notes.append(str(error))
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"predictors: two models are named {name}; expected a `name` of its own for each")
    return plans, notes
