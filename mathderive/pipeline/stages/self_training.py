"""The self-training stages: the start, every round and every control, each with a manifest of its own.

So a run with more rounds, or with a control, goes on from the rounds that are done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from mathderive.checker import LIBRARIES as CHECKER_LIBRARIES
from mathderive.core.environment import versions
from mathderive.core.progress import say
from mathderive.pipeline.paths import START, control_part, round_part
from mathderive.pipeline.results import (
    DataResults,
    FurtherTrainingResults,
    RoundResults,
    SelfTrainingResults,
    ShardsResults,
    TrainResults,
    ValidationResults,
)
from mathderive.pipeline.run import Run, make_stamp
from mathderive.pipeline.stamps import ResultsT, Stage, finished_results, run_stage
from mathderive.predictors.registry import TrainedModel

if TYPE_CHECKING:
    from mathderive.pipeline.self_training.rounds import SelfTraining

NAME = "self-training"
"""The name on the command line; the name of each manifest begins with it."""

_LIBRARIES = ("jax", "jaxlib", "flax", "optax", "numpy", "sentencepiece", "transformers")


class _Step(Protocol):
    """Gives a stage's results, None where it is not done; `work` does the stage's work."""

    def __call__(self, stage: Stage[ResultsT], work: "Callable[[SelfTraining], ResultsT]") -> ResultsT | None: ...


def self_train(
    run: Run, data: DataResults, shards: ShardsResults | None, trained: TrainResults
) -> SelfTrainingResults | None:
    """Trains the model further on its own verified answers, where the config asks for it.

    Args:
        shards: the results of `make_shards`.
        trained: the results of `train_model`.

    Returns:
        The results of all rounds; None where the config has no `self_training`.

    Raises:
        InputError: a round finds no answer to train on, or the training fails.
        Terminated: a signal ended the training, and a checkpoint was written.
    """

    @cache
    def self_training() -> "SelfTraining":
        from mathderive.pipeline.self_training.rounds import SelfTraining

        config = run.config
        assert config.self_training is not None
        assert config.model is not None
        assert config.training is not None
        assert data.derivations is not None
        return SelfTraining(run, config.self_training, config.model, config.training, data.derivations, data.released)

    def step(stage: Stage[ResultsT], work: "Callable[[SelfTraining], ResultsT]") -> ResultsT | None:
        return run_stage(run.paths, stage, lambda: work(self_training()))

    if run.config.self_training is None:
        return None
    results = _follow(run, _Steps(run, data, shards, step), trained)
    assert results is not None
    _say_results(results)
    return results


def finished_self_training(
    run: Run, data: DataResults, shards: ShardsResults | None, trained: TrainResults
) -> SelfTrainingResults | None:
    """The results of all rounds if they are done with the same inputs; the config must ask for self-training."""

    def step(stage: Stage[ResultsT], work: "Callable[[SelfTraining], ResultsT]") -> ResultsT | None:
        return finished_results(run.paths, stage)

    return _follow(run, _Steps(run, data, shards, step), trained)


def self_trained_models(run: Run, trained: TrainResults, results: SelfTrainingResults | None) -> list[TrainedModel]:
    """The run's model before the first round and after each one; the model alone where there are no rounds."""
    assert run.config.model is not None
    models = [TrainedModel(run.paths.checkpoint(run.config.model.name), trained.digest)]
    for number, done in enumerate(results.rounds if results else (), start=1):
        models.append(TrainedModel(run.paths.self_trained(round_part(number)), done.digest))
    return models


@dataclass(frozen=True)
class _Steps:
    """The stages of a run's self-training; each method takes one of them by `step`."""

    run: Run
    data: DataResults
    shards: ShardsResults | None
    step: _Step

    def validate_start(self, model: TrainedModel) -> ValidationResults | None:
        stage = self._stage(START, ValidationResults, model=model.digest)
        return self.step(stage, lambda work: work.validate_start(model.folder))

    def train_round(self, number: int, before: TrainedModel) -> RoundResults | None:
        stage = self._stage(round_part(number), RoundResults, model=before.digest, **self._training_stamp())
        return self.step(stage, lambda work: work.train_round(number, before.folder))

    def train_control(self, number: int, before: TrainedModel, of_round: RoundResults) -> FurtherTrainingResults | None:
        length = {"examples": of_round.examples, "steps": of_round.steps}
        stage = self._stage(
            control_part(number), FurtherTrainingResults, model=before.digest, **length, **self._training_stamp()
        )
        return self.step(stage, lambda work: work.train_control(number, before.folder, of_round))

    def _stage(self, part: str, results: type[ResultsT], **decisive: Any) -> Stage[ResultsT]:
        config = self.run.config
        assert config.self_training is not None
        stamp = make_stamp(
            NAME,
            seed=config.run.seed,
            validation_prompts=config.self_training.validation_prompts,
            decoding=config.decoding.model_dump(mode="json"),
            data={name: dataset.content_hash for name, dataset in self.data.datasets().items()},
            libraries=versions([*_LIBRARIES, *CHECKER_LIBRARIES]),
            **decisive,
        )
        return Stage(f"{NAME}-{part}", stamp, [self.run.paths.self_training_part(part)], results)

    def _training_stamp(self) -> dict[str, Any]:
        """The part of the stamp that decides a round's training, but not the validation before it."""
        config = self.run.config
        assert config.self_training is not None
        assert config.model is not None
        assert config.training is not None
        return {
            "settings": config.self_training.model_dump(mode="json", exclude={"rounds", "control"}),
            "model_settings": config.model.model_dump(mode="json"),
            "training": config.training.model_dump(mode="json", exclude={"checkpoint_folder"}),
            "shards": self.shards and self.shards.digest,
        }


def _follow(run: Run, steps: _Steps, trained: TrainResults) -> SelfTrainingResults | None:
    """Takes every step in order, as long as there are results."""
    settings, model = run.config.self_training, run.config.model
    assert settings is not None
    assert model is not None
    first = before = control_before = TrainedModel(run.paths.checkpoint(model.name), trained.digest)
    start = steps.validate_start(first)
    if start is None:
        return None
    rounds: list[RoundResults] = []
    controls: list[FurtherTrainingResults] = []
    for number in range(1, settings.rounds + 1):
        done = steps.train_round(number, before)
        if done is None:
            return None
        before = TrainedModel(run.paths.self_trained(round_part(number)), done.digest)
        rounds.append(done)
    for number, done in enumerate(rounds if settings.control else (), start=1):
        control = steps.train_control(number, control_before, done)
        if control is None:
            return None
        control_before = TrainedModel(run.paths.self_trained(control_part(number)), control.digest)
        controls.append(control)
    return SelfTrainingResults(start=start, rounds=rounds, controls=controls)


def _say_results(results: SelfTrainingResults) -> None:
    """Prints the main figures of every round."""
    before = results.start
    for number, done in enumerate(results.rounds, start=1):
        after = done.validation
        said = (
            f"round {number}: {done.solved} of {done.prompts} prompts solved, {done.distinct} answers to train on;"
            f" verified on {before.verified} of {before.prompts} held-out prompts before and {after.verified} after"
        )
        if results.controls:
            said += f", {results.controls[number - 1].validation.verified} by the control"
        say(f"{NAME}: {said}")
        before = after
