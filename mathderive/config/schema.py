"""The typed tree of `configs/*.yaml`: the meaning and the allowed values of every key."""

import json
from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, SerializeAsAny, ValidationInfo, model_validator

from mathderive.config.training_options import FirstToken, Optimizer, Schedule, TrainingOptions
from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings
from mathderive.symbolic.engine.settings import SamplingSettings

if TYPE_CHECKING:
    from mathderive.predictors.registry import PredictorKind

MAX_NAME_LENGTH = 64
"""Maximum number of characters of a name, which also names a file or folder."""

Name = Annotated[str, Field(pattern=rf"^[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_NAME_LENGTH - 1}}}$")]
"""A name that is also a folder's name."""

Dtype = Literal["float32", "bfloat16"]
"""The data type of matrix products; parameters, norms, softmax and logits are always float32."""


class Settings(BaseModel):
    """A node of the tree: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RunSettings(Settings):
    """The run as a whole."""

    name: Name | None = None
    """The folder below `runs/`; by default the config's file name."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """The seed of data, training, sampling and the choice of evaluated examples."""
    needs_accelerator: bool = False
    """Refuses to train where JAX finds neither GPU nor TPU, which would take weeks. No influence on results."""


class SplitSizes(Settings):
    """The number of examples in each generated split."""

    train: int = Field(ge=1)
    """Number of training examples."""
    validation: int = Field(ge=1)
    """Number of validation examples."""
    static: int = Field(ge=1)
    """Number of static examples; each comes with the variants that its rule allows."""


CopyVerified = Literal["keep", "train_only", "leave_out"]
"""The splits that may hold a derivation that the checker verifies where the prompt's equations are its answer."""


class DataSettings(Settings):
    """The generated derivations."""

    sizes: SplitSizes
    sampling: SamplingSettings = Field(default_factory=SamplingSettings)
    leak_free: bool = True
    """Makes splits disjoint up to renaming; `false` fills them with consecutive derivations, as the paper does."""
    copy_verified: CopyVerified = "keep"
    """Where derivations may be that the checker verifies if the prompt's own equations are given as the answer:
    everywhere, as in the paper's data; in train and validation only; or nowhere."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Number of worker processes that generate; 0 is one per core. No influence on the contents."""
    expected_content_hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of the decoded examples; the data stage refuses any others."""

    def deciding(self) -> dict[str, Any]:
        """The settings that decide the examples, together with the seed."""
        return self.model_dump(mode="json", exclude={"workers", "expected_content_hash"})


EvaluationSource = Literal["generated", "released", "physics"]
"""The examples that are evaluated: this run's own, the authors' released ones, or derivations that people wrote."""


class EvaluationSettings(Settings):
    """The examples on which models are evaluated."""

    source: EvaluationSource = "generated"
    """`generated` evaluates on the run's own examples, `released` on the authors', and `physics` on derivations that
    people wrote."""
    released: tuple[str, ...] | None = None
    """Files or folders of the authors' `*_results.json`; null downloads them. Only for `source: released`."""
    physics: str | None = None
    """A file in the form of `physics_derivations.json`; null downloads it. Only for `source: physics`."""
    examples: int | None = Field(default=100, ge=1)
    """Number of static examples, drawn by seed among those with all required variants; null takes every one. The
    derivations of `source: physics` have no variants."""
    max_characters: int = Field(default=750, ge=1)
    """Maximum length of a reference; examples with a longer one are left out, as in the paper."""


class ModelSettings(Settings):
    """The model that is trained."""

    name: Name = "t5"
    """The name of the model's folder and of its rows in the report."""
    init_from: str | None = None
    """A Hugging Face id or folder that provides the initial weights and the tokenizer; null trains from scratch."""
    tokens_to_add: tuple[str, ...] = ()
    """Tokens added to the tokenizer of `init_from`; the embedding grows with it."""
    vocab_size: int = Field(default=250, ge=32, le=32_000)
    """Number of pieces that a SentencePiece tokenizer learns from the training split, without the 256 bytes for text
    outside them. This key and those below are for training from scratch only."""
    d_model: int = Field(default=128, ge=1)
    """Width of the embeddings."""
    d_kv: int = Field(default=32, ge=1)
    """Width of an attention head."""
    d_ff: int = Field(default=512, ge=1)
    """Width of the feed-forward layers."""
    num_heads: int = Field(default=4, ge=1)
    """Number of attention heads."""
    num_layers: int = Field(default=2, ge=1)
    """Number of encoder blocks."""
    num_decoder_layers: int = Field(default=2, ge=1)
    """Number of decoder blocks."""
    feed_forward: Literal["relu", "gated-gelu"] = "relu"
    """The activation: `relu` as in T5 1.0, `gated-gelu` as in T5 1.1 and FLAN-T5."""
    tie_word_embeddings: bool = True
    """Uses the embedding as the output layer too."""
    dropout_rate: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations that training drops."""
    dtype: Dtype = "float32"
    """The data type of matrix products; the rest is always float32."""
    remat: bool = False
    """Recomputes each block in the backward pass instead of storing its activations. This costs a third more work and
    saves memory on accelerators; on CPUs XLA's schedule saves none."""

    @model_validator(mode="after")
    def _possible_network(self) -> "ModelSettings":
        self.network(self.vocab_size)  # a size beyond all bounds raises a ValueError that names its key
        return self

    def network(self, vocab_size: int) -> T5Config:
        """The network that these settings describe, for a tokenizer of `vocab_size` tokens."""
        shape = {field.name for field in fields(T5Config)} - {"vocab_size"}
        return T5Config(vocab_size=vocab_size, **self.model_dump(include=shape))


class OutputSearchSettings(Settings):
    """A search for outputs, with the names of `generate` in transformers."""

    num_beams: int = Field(default=1, ge=1, le=64)
    """Number of hypotheses; 1 is greedy search."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Factor above 1 that makes tokens less likely which the output or its start has already."""
    length_penalty: float = 1.0
    """Exponent of the length in `log-probability / length ** length_penalty`, by which beam search compares finished
    hypotheses."""
    early_stopping: bool = False
    """Whether beam search ends as soon as `num_beams` hypotheses are finished; by default it ends when no live
    hypothesis can be better."""

    def options(self) -> SearchSettings:
        """The settings as decoding takes them."""
        return SearchSettings(**self.model_dump())


class TrainingSettings(Settings):
    """The training, on the texts or on shards."""

    batch_size: int = Field(ge=1)
    """Number of examples per step, over all devices and accumulated parts together."""
    accumulate: int = Field(default=1, ge=1)
    """Number of parts in which a batch is computed one after another, to save memory."""
    steps: int | None = Field(default=None, ge=1)
    """Number of steps; expected unless `epochs` is given."""
    epochs: float | None = Field(default=None, gt=0)
    """Number of passes over the training split; expected unless `steps` is given."""
    optimizer: Optimizer = "adamw"
    """The algorithm that updates the parameters."""
    learning_rate: float = Field(gt=0)
    """The highest learning rate, after the warm-up."""
    vector_learning_rate_factor: float = Field(default=1.0, gt=0)
    """Factor on the learning rate of embedding, position bias and norm scales; 1 in the paper."""
    schedule: Schedule = "constant"
    """`cosine` decays to 0 at the last step."""
    warmup_steps: int = Field(default=0, ge=0)
    """Number of first steps over which the learning rate rises from 0."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Factor of AdamW's decoupled weight decay."""
    max_gradient_norm: float | None = Field(default=None, gt=0)
    """Norm to which larger gradients are scaled down; null scales none."""
    max_source_length: int = Field(default=512, ge=1, le=4096)
    """Maximum number of tokens of a prompt; longer prompts are cut."""
    max_target_length: int = Field(default=512, ge=1, le=4096)
    """Maximum number of tokens of a target; longer targets are cut."""
    first_token: FirstToken = "fixed"
    """`authors` gives the decoder the target without a start token, so the target's first token is never learnt."""
    evaluate_every: int = Field(default=1000, ge=1)
    """Number of steps between evaluations on the validation split (loss, and ROUGE-2 of the outputs)."""
    validation_examples: int = Field(default=256, ge=1)
    """Number of validation examples on which an evaluation computes its scores."""
    validation_search: OutputSearchSettings = OutputSearchSettings()
    """The search for outputs on the validation split."""
    checkpoint_every: int = Field(default=500, ge=1)
    """Number of steps between checkpoints, from which a killed run resumes."""
    checkpoint_folder: str | None = Field(default=None, min_length=1)
    """A folder for checkpoints while training, such as `gs://bucket/folder`; null is the run folder. The checkpoint for
    predictions is copied to the run folder in the end."""
    log_every: int = Field(default=50, ge=1)
    """Number of steps between lines of `metrics.jsonl` and of the terminal."""

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingSettings":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("exactly one of steps and epochs is expected")
        return self

    def options(self) -> TrainingOptions:
        """The settings as the training loop takes them."""
        return TrainingOptions.from_json(self.model_dump())


class NameShares(Settings):
    """The names in the copies of a derivation."""

    own: float = Field(default=1.0, ge=0)
    """Proportion of copies with their own names."""
    vocabulary: float = Field(default=2.0, ge=0)
    """Proportion of copies with other names of the vocabulary."""
    made_up: float = Field(default=2.0, ge=0)
    """Proportion of copies with made-up names."""

    @model_validator(mode="after")
    def _some_names(self) -> "NameShares":
        if not self.own + self.vocabulary + self.made_up:
            raise ValueError("one of own, vocabulary and made_up is expected to be above 0")
        return self


class ShardsSettings(Settings):
    """Training on tokenised shards, which hold each derivation several times under different names."""

    copies: int = Field(default=1, ge=1)
    """Number of copies of each derivation; first copies go from short to long, the others keep the dataset's order."""
    names: NameShares = NameShares()
    max_characters: int = Field(default=750, ge=1)
    """Maximum length of a target; longer ones are left out, as in the evaluation."""
    without_clause: float = Field(default=1.0, ge=0, le=1)
    """Share that is kept of derivations without a `then derive` clause, which every evaluated prompt has."""
    examples_per_file: int = Field(default=4096, ge=1)
    """Number of examples in a file."""


class SelfTrainingSettings(Settings):
    """Further training on the model's own answers to training prompts, where the checker verifies them."""

    rounds: int = Field(default=1, ge=1, le=100)
    """Number of rounds of sampling, checking and training."""
    prompts: int = Field(ge=1)
    """Number of training prompts that are sampled in a round; each round goes on where the last one ended."""
    samples: int = Field(default=8, ge=1, le=64)
    """Number of answers that are sampled for a prompt."""
    temperature: float = Field(default=0.8, gt=0, le=2)
    """Factor that flattens the distribution of sampled tokens above 1 and sharpens it below."""
    top_k: int | None = Field(default=None, ge=1)
    """Samples among this many likeliest tokens; null samples among all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Samples among the likeliest tokens that together have this probability."""
    replay: float = Field(default=1.0, ge=0, le=100)
    """Number of examples of the original training data beside each own answer."""
    epochs: float = Field(default=2.0, gt=0)
    """Number of passes over the own answers and the original examples of a round."""
    learning_rate: float = Field(gt=0)
    """The highest learning rate of a round; its schedule and other settings are those of `training`."""
    warmup_steps: int = Field(default=0, ge=0)
    """Number of first steps of a round over which the learning rate rises from 0."""
    validation_prompts: int = Field(default=100, ge=1)
    """Number of prompts of the validation split that the model answers greedily before and after every round."""
    control: bool = False
    """Trains a second model for as many steps on the original training data alone, for comparison."""


class DecodingSettings(Settings):
    """How models answer: those of this run and every other checkpoint."""

    batch_size: int = Field(default=32, ge=1)
    """Number of examples decoded together, over all devices."""
    max_source_length: int = Field(default=512, ge=1, le=4096)
    """Maximum number of tokens of a prompt; longer prompts are cut."""
    max_target_length: int = Field(default=512, ge=1, le=4096)
    """Maximum number of tokens of an answer; longer answers are cut off."""
    dtype: Dtype | None = None
    """The data type of matrix products; null takes the one of the training, or the one that the publisher names."""
    search: OutputSearchSettings = OutputSearchSettings()


class PredictorSettings(Settings):
    """An entry of `predictors`; each kind adds its own keys, the built-in ones in mathderive/predictors/settings.py."""

    kind: str
    """The kind of predictor, which decides the other keys."""


def predictor_kinds() -> "Mapping[str, PredictorKind[Any]]":
    """The registered kinds of predictor, by the name that configs use."""
    # Predictors import the config's settings, so their registry is imported only when it is asked.
    kinds: Mapping[str, PredictorKind[Any]] = import_module("mathderive.predictors.registry").PREDICTORS
    return kinds


def _validate_predictor(entry: Any, info: ValidationInfo) -> PredictorSettings:
    """Validates an entry by the settings of its kind."""
    if isinstance(entry, PredictorSettings):
        return entry
    if not isinstance(entry, dict):
        raise ValueError("expected a mapping with a kind")
    kinds = predictor_kinds()
    known = f"expected one of {', '.join(sorted(kinds))}"
    if "kind" not in entry:
        raise ValueError(f"kind is missing; {known}")
    kind = entry["kind"]
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"unknown kind {json.dumps(kind)[:80]}; {known}")
    settings = kinds[kind].settings
    return settings.model_validate_json(json.dumps(entry)) if info.mode == "json" else settings.model_validate(entry)


PredictorEntry = Annotated[
    SerializeAsAny[PredictorSettings], PlainValidator(_validate_predictor, json_schema_input_type=PredictorSettings)
]
"""An entry of `predictors`, with the settings of its kind."""


class BleurtSettings(Settings):
    """BLEURT, a learned text metric."""

    checkpoint: str = Field(min_length=1)
    """A Hugging Face folder or id of a `BertForSequenceClassification` with one label, `Elron/bleurt-large-512` say."""
    batch_size: int = Field(default=16, ge=1)
    """Number of pairs scored together, over all devices."""
    max_length: int = Field(default=512, ge=3, le=512)
    """Maximum number of tokens of a pair; longer ones are cut. 128 for checkpoints with 128 in their name."""


class ScoreSettings(Settings):
    """The scores of the answers."""

    validity: bool = True
    """Checks every equation of every answer."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Number of worker processes that check; 0 is one per core. No influence on the verdicts."""
    bleurt: BleurtSettings | None = None
    """BLEURT, a learned text metric; null leaves it out. Its weights are not part of this package."""


class ReportSettings(Settings):
    """The report."""

    title: str = "Generating mathematical derivations"
    """The heading of the report."""
    examples: int = Field(default=10, ge=0, le=100)
    """Number of examples that the report shows with all answers."""


class Config(Settings):
    """The config of a run."""

    run: RunSettings = RunSettings()
    data: DataSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    model: ModelSettings | None = None
    training: TrainingSettings | None = None
    shards: ShardsSettings | None = None
    """Training on tokenised shards; null trains on the texts themselves."""
    self_training: SelfTrainingSettings | None = None
    """Further training on the model's verified answers; null ends the training with the generated derivations."""
    decoding: DecodingSettings = DecodingSettings()
    predictors: tuple[PredictorEntry, ...] = ()
    """Everything that answers the evaluated prompts."""
    score: ScoreSettings = ScoreSettings()
    report: ReportSettings = ReportSettings()
    extensions: tuple[str, ...] = ()
    """Python files that register further operators, metrics, predictors or sets; paths relative to the config file."""

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        if (self.model is None) != (self.training is None):
            raise ValueError("model and training are expected together, or neither")
        if self.data is None and (self.training or (self.evaluation.source == "generated" and self.predictors)):
            raise ValueError("data is expected where a model is trained or generated examples are evaluated")
        if self.shards and (self.model is None or self.model.init_from):
            raise ValueError("shards are for a model that is trained from scratch; expected model without init_from")
        if self.self_training and self.training is None:
            raise ValueError("self_training goes on with a model that the run has trained; expected model and training")
        return self
