"""One typed tree for `configs/*.yaml`: what every key means, and what it may be."""

from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings
from mathderive.symbolic.engine.settings import SamplingSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is also a folder's name."""

Dtype = Literal["float32", "bfloat16"]
"""Of matrix products; parameters, norms, softmax and logits stay float32."""


class Settings(BaseModel):
    """A node of the tree: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RunSettings(Settings):
    name: Name | None = None
    """The folder below `runs/`; by default the config's file name."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    needs_accelerator: bool = False
    """Training is refused where JAX finds neither GPU nor TPU: it would take weeks. No influence on the results."""


class SplitSizes(Settings):
    train: int = Field(ge=1)
    validation: int = Field(ge=1)
    static: int = Field(ge=1)
    """Static examples; each brings the variants its rule allows."""


class DataSettings(Settings):
    sizes: SplitSizes
    sampling: SamplingSettings = SamplingSettings()
    leak_free: bool = True
    """Splits disjoint up to renaming; `false` is the paper's plain way: consecutive derivations fill the splits."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Processes that generate; 0 is one per core. No influence on the contents."""
    expected_content_hash: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the decoded examples; the data stage ends with an error where they are others."""

    def deciding(self) -> dict[str, Any]:
        """What decides the examples, beside the seed."""
        return self.model_dump(mode="json", exclude={"workers", "expected_content_hash"})


class BeamSettings(Settings):
    """That the data stage runs by Apache Beam; from the command line, for it has no influence on the contents."""

    options: str = ""
    """As on a Beam pipeline's command line."""
    folder: str | None = None
    """Where all of Beam's workers can write, such as `gs://bucket/folder`; null is the run folder."""


class ProcessSettings(Settings):
    """This process among several that train one model; from the command line, for it has no influence on the stamps."""

    coordinator: str
    """HOST:PORT where process 0 listens and the others find it."""
    count: int = Field(ge=1)
    index: int = Field(ge=0)


class EvaluationSettings(Settings):
    source: Literal["generated", "released"] = "generated"
    released: tuple[str, ...] | None = None
    """Files or folders of the authors' `*_results.json`; null downloads them. Only for `source: released`."""
    examples: int | None = Field(default=100, ge=1)
    """Number of static examples that are drawn by seed among those with all required variants; null takes every one."""
    max_characters: int = Field(default=750, ge=1)


class ModelSettings(Settings):
    name: Name = "t5"
    init_from: str | None = None
    """A Hugging Face id or folder whose weights and tokenizer training starts from; null is from scratch."""
    tokens_to_add: tuple[str, ...] = ()
    """Added to the tokenizer of `init_from`; the embedding grows with it."""
    vocab_size: int = Field(default=250, ge=32, le=32_000)
    """Pieces that a SentencePiece tokenizer learns from the training split; the 256 bytes that text outside them falls
    back to come on top. From scratch only, as what follows."""
    d_model: int = Field(default=128, ge=1)
    d_kv: int = Field(default=32, ge=1)
    d_ff: int = Field(default=512, ge=1)
    num_heads: int = Field(default=4, ge=1)
    num_layers: int = Field(default=2, ge=1)
    num_decoder_layers: int = Field(default=2, ge=1)
    feed_forward: Literal["relu", "gated-gelu"] = "relu"
    tie_word_embeddings: bool = True
    dropout_rate: float = Field(default=0.1, ge=0, lt=1)
    dtype: Dtype = "float32"
    remat: bool = False
    """Computes each block again in the backward pass rather than keep what it held: a third more work, for memory
    that XLA saves on accelerators; its schedule for CPUs makes nothing of it."""

    def network(self, vocab_size: int) -> T5Config:
        """The network of these settings, from scratch, for a tokenizer of so many tokens."""
        shape = {field.name for field in fields(T5Config)} - {"vocab_size"}
        return T5Config(vocab_size=vocab_size, **self.model_dump(include=shape))


FirstToken = Literal["authors", "fixed"]


class TrainingSettings(Settings):
    batch_size: int = Field(ge=1)
    """Examples a step, over all devices and accumulated parts together."""
    accumulate: int = Field(default=1, ge=1)
    """Parts a batch is computed in, one after another, to save memory."""
    steps: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0)
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    learning_rate: float = Field(gt=0)
    vector_learning_rate_factor: float = Field(default=1.0, gt=0)
    """How many times as fast as the matrices embedding, position bias and norm scales learn; 1 with the paper."""
    schedule: Literal["constant", "cosine"] = "constant"
    """`cosine` decays to 0 at the last step."""
    warmup_steps: int = Field(default=0, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_gradient_norm: float | None = Field(default=None, gt=0)
    max_source_length: int = Field(default=512, ge=1, le=4096)
    max_target_length: int = Field(default=512, ge=1, le=4096)
    """Tokens; longer texts are cut."""
    first_token: FirstToken = "fixed"
    """`authors`: the decoder is fed the target without a start token, so the target's first token is never learnt."""
    evaluate_every: int = Field(default=1000, ge=1)
    """Steps between looks at the validation split (loss, and ROUGE-2 of the outputs)."""
    validation_examples: int = Field(default=256, ge=1)
    validation_search: SearchSettings = SearchSettings()
    """How its outputs are searched for."""
    checkpoint_every: int = Field(default=500, ge=1)
    checkpoint_folder: str | None = Field(default=None, min_length=1)
    """Where checkpoints go while training, such as `gs://bucket/folder`; null is the run folder. The one to predict
    with is copied there in the end."""
    log_every: int = Field(default=50, ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingSettings":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("exactly one of steps and epochs is expected")
        return self


class NameShares(Settings):
    """How often a copy of a derivation has its own names, others of the vocabulary, and made-up ones; in proportion."""

    own: float = Field(default=1.0, ge=0)
    vocabulary: float = Field(default=2.0, ge=0)
    made_up: float = Field(default=2.0, ge=0)

    @model_validator(mode="after")
    def _some_names(self) -> "NameShares":
        if not self.own + self.vocabulary + self.made_up:
            raise ValueError("one of own, vocabulary and made_up is expected to be above 0")
        return self


class ShardsSettings(Settings):
    """Training by way of tokenised shards: derivations again and again, under other names."""

    copies: int = Field(default=1, ge=1)
    """Of each derivation; the first copies come from short to long, the others in the dataset's order."""
    names: NameShares = NameShares()
    max_characters: int = Field(default=750, ge=1)
    """Of a target; longer ones are left out, as from the evaluation."""
    without_clause: float = Field(default=1.0, ge=0, le=1)
    """Which share is kept of the derivations whose prompt has no `then derive` clause; the evaluated ones all have."""
    examples_per_file: int = Field(default=4096, ge=1)


class DecodingSettings(Settings):
    batch_size: int = Field(default=32, ge=1)
    """Examples decoded at once, over all devices together."""
    max_source_length: int = Field(default=512, ge=1, le=4096)
    max_target_length: int = Field(default=512, ge=1, le=4096)
    dtype: Dtype | None = None
    """null is what the model was trained with, or its publisher names."""
    search: SearchSettings = SearchSettings()


class CopyPredictor(Settings):
    kind: Literal["copy"]
    name: Name = "copy"


class T5Predictor(Settings):
    kind: Literal["t5"]
    name: Name | None = None
    """By default the trained model's name, or the checkpoint's."""
    checkpoint: str | None = None
    """One of our checkpoint folders, a Hugging Face folder or id; null is this run's own model."""


class ReleasedPredictor(Settings):
    """The outputs recorded in the released files, each model under its own name."""

    kind: Literal["released"]


class OpenAIPredictor(Settings):
    kind: Literal["openai"]
    name: Name
    model: str = Field(min_length=1)
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    api_key_variable: str | None = Field(default="OPENAI_API_KEY", min_length=1)
    """The environment variable that holds the key, which is itself never written anywhere; null where none is needed,
    as on a server of one's own: then none is sent."""
    few_shot: int = Field(default=5, ge=0, le=50)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """null leaves it out, for models that refuse it."""
    max_tokens: int | None = Field(default=None, ge=1)
    parameters: dict[str, float | int | str] = {}
    """Further ones of sampling, sent as they stand: `seed`, `top_p`, `reasoning_effort`, `max_completion_tokens`."""
    sample: int = Field(default=0, ge=0)
    """Which of several answers to the same question: another number asks anew, and the ledger keeps both."""
    concurrency: int = Field(default=8, ge=1, le=256)
    requests_per_minute: int | None = Field(default=None, ge=1)
    tokens_per_minute: int | None = Field(default=None, ge=1)
    timeout_seconds: float = Field(default=120.0, gt=0)
    max_attempts: int = Field(default=8, ge=1, le=100)
    keep_going: bool = False
    """Items whose every attempt failed are recorded as failed; else the stage ends without them, to ask them again."""
    prompt_price: float | None = Field(default=None, ge=0)
    """In US dollars a million tokens, as is `completion_price`."""
    completion_price: float | None = Field(default=None, ge=0)
    max_cost: float | None = Field(default=None, gt=0)
    """In US dollars, all that the run's ledger knows of this model included."""

    @property
    def endpoint(self) -> str:
        """The base URL, by which the ledger knows it."""
        return (self.base_url or "https://api.openai.com/v1").rstrip("/")

    @property
    def longest_answer(self) -> int | None:
        """The most tokens that are asked for, where that is said."""
        newer = self.parameters.get("max_completion_tokens")
        return newer if isinstance(newer, int) else self.max_tokens

    @field_validator("parameters")
    @classmethod
    def _leaves_the_rest_alone(cls, parameters: dict[str, float | int | str]) -> dict[str, float | int | str]:
        for name in ("model", "temperature", "max_tokens"):
            if name in parameters:
                raise ValueError(f"{name} is a key of the predictor itself; expected it there")
        for name in ("messages", "stream", "n"):
            if name in parameters:
                raise ValueError(f"{name} is not the config's to choose; expected parameters of sampling only")
        longest = parameters.get("max_completion_tokens", 1)
        if not isinstance(longest, int) or longest < 1:
            raise ValueError("max_completion_tokens: expected a whole number, at least 1")
        return parameters

    @model_validator(mode="after")
    def _can_count_cost(self) -> "OpenAIPredictor":
        if self.max_cost is not None:
            if self.prompt_price is None or self.completion_price is None:
                raise ValueError("max_cost needs prompt_price and completion_price; expected both")
            if self.longest_answer is None:
                raise ValueError("max_cost needs max_tokens, for an answer's worst cost; expected a number of tokens")
        return self


PredictorSettings = Annotated[
    CopyPredictor | T5Predictor | ReleasedPredictor | OpenAIPredictor, Field(discriminator="kind")
]


class BleurtSettings(Settings):
    checkpoint: str = Field(min_length=1)
    """A Hugging Face folder or id of a `BertForSequenceClassification` with one label: `Elron/bleurt-large-512`."""
    batch_size: int = Field(default=16, ge=1)
    """Pairs scored at once, over all devices together."""
    max_length: int = Field(default=512, ge=3, le=512)
    """Tokens of a pair; longer ones are cut. 128 for checkpoints that were trained so, as their names say."""


class ScoreSettings(Settings):
    validity: bool = True
    """Whether every equation of every answer is checked."""
    workers: int = Field(default=0, ge=0, le=1024)
    """Processes that check; 0 is one per core. No influence on the verdicts."""
    bleurt: BleurtSettings | None = None
    """null leaves BLEURT out: its weights are not part of this package."""


class ReportSettings(Settings):
    title: str = "Generating mathematical derivations"
    examples: int = Field(default=10, ge=0, le=100)


class Config(Settings):
    """The whole of a run."""

    run: RunSettings = RunSettings()
    data: DataSettings | None = None
    evaluation: EvaluationSettings = EvaluationSettings()
    model: ModelSettings | None = None
    training: TrainingSettings | None = None
    shards: ShardsSettings | None = None
    """null trains on the texts as they are."""
    decoding: DecodingSettings = DecodingSettings()
    predictors: tuple[PredictorSettings, ...] = ()
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
        return self
