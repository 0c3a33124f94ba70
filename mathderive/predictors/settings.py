"""The config's settings of the built-in predictors."""

import json
from typing import Any, Literal

from pydantic import Field, JsonValue, field_validator, model_validator

from mathderive.config.schema import Name, PredictorEntry, PredictorSettings
from mathderive.predictors.addresses import Address, parse_address

MOST_SAMPLES = 1024
"""Maximum number of samples of a question."""


class CopySettings(PredictorSettings):
    """The baseline that answers with the equations of the prompt."""

    kind: Literal["copy"]
    name: Name = "copy"
    """The name of its rows in the report."""


class EngineSettings(PredictorSettings):
    """A bounded search of the operators, without a model."""

    kind: Literal["engine"]
    name: Name = "engine"
    """The name of its rows in the report."""
    expansions: int = Field(default=60, ge=1, le=10_000)
    """Maximum number of equations that the search for a requested equation expands at each of its two ends."""
    operations: int = Field(default=60, ge=1, le=500)
    """Maximum number of operations in a side of an equation that the search looks at."""


class T5Settings(PredictorSettings):
    """A T5: the model that the run trains, or another checkpoint."""

    kind: Literal["t5"]
    name: Name | None = None
    """By default the trained model's name, or the checkpoint's."""
    checkpoint: str | None = None
    """A checkpoint folder of this package, a Hugging Face folder or id; null is the model that this run trains."""
    round: int | None = Field(default=None, ge=0)
    """The round of self-training after which that model answers, 0 for the model before it; null is the last round."""

    @model_validator(mode="after")
    def _check_round(self) -> "T5Settings":
        if self.round is not None and self.checkpoint is not None:
            raise ValueError("round is for the model that this run trains; expected no checkpoint beside it")
        return self


class SamplerSettings(PredictorSettings):
    """A search around a predictor that can answer a question several times: `t5` or `openai`."""

    kind: Literal["search"]
    name: Name | None = None
    """By default the name of the model that is sampled, with `-search`."""
    around: PredictorEntry
    """The entry of the predictor that is sampled."""
    strategy: Literal["best_of", "stepwise"] = "best_of"
    """`best_of` draws whole answers; `stepwise` continues beginnings that the checker has verified."""
    samples: int = Field(default=16, ge=1, le=MOST_SAMPLES)
    """Maximum number of answers to a question; the first one is the greedy answer."""
    samples_at_once: int = Field(default=5, ge=1, le=64)
    """Number of samples drawn before the checker looks at them."""
    tokens: int | None = Field(default=None, ge=1)
    """Number of tokens after which no further samples of a question are drawn."""
    temperature: float = Field(default=0.8, gt=0, le=2)
    """Factor that flattens the distribution of sampled tokens above 1 and sharpens it below."""
    top_k: int | None = Field(default=None, ge=1)
    """Samples among this many likeliest tokens; null samples among all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Samples among the likeliest tokens that together have this probability."""
    to_the_end: bool = False
    """Draws all samples even after a verified one, to measure how many of them are verified; with `best_of` only."""

    @model_validator(mode="after")
    def _check_independence(self) -> "SamplerSettings":
        if self.to_the_end and self.strategy != "best_of":
            raise ValueError("to_the_end counts independent samples; expected the strategy best_of with it")
        return self

    @model_validator(mode="after")
    def _check_top_k(self) -> "SamplerSettings":
        if self.top_k is not None and self.around.kind == "openai":
            raise ValueError("top_k is no parameter of OpenAI's protocol; expected null, or around.parameters")
        return self


class ReleasedSettings(PredictorSettings):
    """The outputs recorded in the released files; each model keeps its own name."""

    kind: Literal["released"]


class ChatSettings(PredictorSettings):
    """A chat model behind an endpoint that speaks OpenAI's protocol, hence its name in configs."""

    kind: Literal["openai"]
    name: Name
    """The name of its rows in the report."""
    model: str = Field(min_length=1)
    """The model's name at the endpoint."""
    base_url: str | None = None
    """The endpoint's address, with or without `/chat/completions`; null is OpenAI's."""
    api_key_variable: str | None = Field(default="OPENAI_API_KEY", min_length=1)
    """The environment variable that holds the key. The key itself is never written anywhere. null sends no key, for a
    server that needs none."""
    few_shot: int = Field(default=5, ge=0, le=50)
    """Worked examples before the question."""
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """The temperature of sampling; null omits it, for models that refuse it."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Maximum number of tokens of an answer; null leaves it to the endpoint."""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    """Further parameters, sent unchanged: `seed`, `top_p`, `reasoning_effort`, `max_completion_tokens`. The keys of a
    mapping `extra_body` are sent beside them, as by the client of that name."""
    sample: int = Field(default=0, ge=0)
    """The number of this sample: another number asks the same question again, and the ledger keeps both answers."""
    concurrency: int = Field(default=8, ge=1, le=256)
    """Maximum number of requests in flight."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of requests in a minute; null sets no limit."""
    tokens_per_minute: int | None = Field(default=None, ge=1)
    """Maximum number of tokens in a minute, of prompts and answers; null sets no limit."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """Timeout of one attempt."""
    max_attempts: int = Field(default=8, ge=1, le=100)
    """Maximum number of attempts at a request."""
    keep_going: bool = False
    """Records an item as failed when all its attempts failed; false ends the stage, and a rerun asks it again."""
    prompt_price: float | None = Field(default=None, ge=0)
    """US dollars per million prompt tokens."""
    completion_price: float | None = Field(default=None, ge=0)
    """US dollars per million completion tokens."""
    max_cost: float | None = Field(default=None, gt=0)
    """Maximum cost in US dollars, including everything that the run's ledger knows of this model."""

    @property
    def address(self) -> Address:
        """The address of every request."""
        return parse_address(self.base_url)

    @property
    def endpoint(self) -> str:
        """The base URL; the ledger stores requests under it."""
        return self.address.endpoint

    @property
    def longest_answer(self) -> int | None:
        """The maximum number of completion tokens; null if the config sets none."""
        newer = self.sent_parameters.get("max_completion_tokens")
        return newer if isinstance(newer, int) else self.max_tokens

    @property
    def sent_parameters(self) -> dict[str, Any]:
        """The further parameters as they are sent."""
        return _with_extra_body(self.parameters)

    @field_validator("parameters")
    @classmethod
    def _check_parameters(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        sent = _with_extra_body(parameters)
        for name in ("model", "temperature", "max_tokens"):
            if name in sent:
                raise ValueError(f"{name} is a key of the predictor itself; expected it there")
        for name in ("messages", "stream", "stream_options", "n"):
            if name in sent:
                raise ValueError(f"{name} is not the config's to choose; expected parameters of sampling only")
        for name in ("extra_headers", "extra_query"):
            if name in sent:
                raise ValueError(f"{name} is no parameter of a request; expected parameters, or extra_body")
        longest = sent.get("max_completion_tokens", 1)
        if type(longest) is not int or longest < 1:
            raise ValueError("max_completion_tokens: expected a whole number, at least 1")
        try:
            json.dumps(parameters, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise ValueError("expected JSON: finite numbers, Unicode texts, lists and mappings") from None
        return parameters

    @model_validator(mode="after")
    def _check_address(self) -> "ChatSettings":
        parse_address(self.base_url)  # an error of the field itself would repeat the address, which may hold a secret
        return self

    @model_validator(mode="after")
    def _check_cost(self) -> "ChatSettings":
        if self.max_cost is not None:
            if self.prompt_price is None or self.completion_price is None:
                raise ValueError("max_cost needs prompt_price and completion_price; expected both")
            if self.longest_answer is None:
                raise ValueError("max_cost needs max_tokens, for an answer's worst cost; expected a number of tokens")
        return self


def _with_extra_body(parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The parameters with the keys of `extra_body` beside them."""
    extra = parameters.get("extra_body", {})
    if not isinstance(extra, dict):
        raise ValueError("extra_body: expected a mapping of parameters")
    plain = {name: value for name, value in parameters.items() if name != "extra_body"}
    if twice := sorted(plain.keys() & extra.keys()):
        raise ValueError(f"{twice[0]} stands in extra_body too; expected it once")
    return plain | extra
