"""Typed results of the stages, as their manifests keep them in JSON."""

from pydantic import BaseModel, ConfigDict, RootModel


class StageResults(BaseModel):
    """The results of one stage; unknown keys in a manifest are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class NoResults(StageResults):
    """The results of a stage that has nothing to hand on but its files."""


class DatasetResults(StageResults):
    """A dataset that was built.

    Attributes:
        path: its place below the run folder.
        sizes: the number of examples by split.
        content_hash: the SHA-256 of its decoded examples.
    """

    path: str
    sizes: dict[str, int]
    content_hash: str


class DerivationsResults(DatasetResults):
    """The generated derivations.

    Attributes:
        overlap_with_train: by split, the number of examples that the training split holds up to renaming.
        lost: the attempts that the backstop ended.
    """

    overlap_with_train: dict[str, int]
    lost: list[str]


class ReleasedResults(DatasetResults):
    """The authors' released examples.

    Attributes:
        models: the models with recorded outputs.
        outputs_hash: the SHA-256 of the recorded outputs.
    """

    models: list[str]
    outputs_hash: str


class PhysicsResults(DatasetResults):
    """Derivations that people wrote.

    Attributes:
        topics_hash: the SHA-256 of their names and fields.
    """

    topics_hash: str


class DataResults(StageResults):
    """The datasets of a run; null where it has no such dataset."""

    derivations: DerivationsResults | None = None
    released: ReleasedResults | None = None
    physics: PhysicsResults | None = None

    def datasets(self) -> dict[str, DatasetResults]:
        """The datasets that were built, by name."""
        named = {"derivations": self.derivations, "released": self.released, "physics": self.physics}
        return {name: dataset for name, dataset in named.items() if dataset is not None}


class ShardsResults(StageResults):
    """The tokenised shards: the number of examples and tokens, and the SHA-256 of all files."""

    examples: int
    tokens: int
    digest: str


class TrainResults(StageResults):
    """A trained model.

    Attributes:
        steps: the last step.
        validation_loss: at the last step.
        validation_rouge2: at the last step; null for a model trained on shards, where no texts are at hand.
        best_step: the step of the checkpoint that predictions are made with.
        digest: the SHA-256 of that checkpoint's parameters.
    """

    steps: int
    validation_loss: float
    validation_rouge2: float | None
    best_step: int
    digest: str


class ValidationResults(StageResults):
    """A model's greedy answers to the held-out prompts that self-training validates with.

    Attributes:
        prompts: the number of prompts.
        verified: the number of verified answers.
    """

    prompts: int
    verified: int


class FurtherTrainingResults(StageResults):
    """A model that was trained further, on its own answers or as their control.

    Attributes:
        examples: the number of different training examples.
        steps: the number of steps.
        digest: the SHA-256 of the model's parameters.
        validation: the model's answers to held-out prompts after the training.
    """

    examples: int
    steps: int
    digest: str
    validation: ValidationResults


class RoundResults(FurtherTrainingResults):
    """A round of self-training.

    Attributes:
        prompts: the number of sampled prompts.
        samples: the number of answers that were sampled.
        tokens: the number of tokens of these answers.
        verified: the number of these answers that the checker verified.
        solved: the number of prompts with a verified answer.
        kept: the number of prompts with a verified answer that states every requested equation and has no irrelevant
            or redundant step.
        distinct: the number of kept answers without held-out questions and derivations, without reserved letters, and
            without answers that are equal up to renaming.
    """

    prompts: int
    samples: int
    tokens: int
    verified: int
    solved: int
    kept: int
    distinct: int


class SelfTrainingResults(StageResults):
    """All rounds of self-training.

    Attributes:
        start: the answers of the model before the first round.
        rounds: the rounds in order.
        controls: the control of each round, where the config asks for it.
    """

    start: ValidationResults
    rounds: list[RoundResults]
    controls: list[FurtherTrainingResults]


class PredictResults(RootModel[dict[str, int]]):
    """The number of answered examples by evaluation set."""


class ScoreResults(StageResults):
    """The names of the scored models."""

    models: list[str]
