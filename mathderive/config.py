"""One typed tree for `configs/*.yaml` and the command line's overrides; unknown keys are refused by name."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mathderive.errors import InputError
from mathderive.model.config import SearchSettings
from mathderive.symbolic.settings import SamplingSettings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""A name that is also a folder's name."""


class Settings(BaseModel):
    """A node of the tree: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class RunSettings(Settings):
    name: Name | None = None
    """The folder below `runs/`; by default the config's file name."""
    seed: int = Field(default=0, ge=0, lt=2**32)


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
    """How many source examples are drawn by seed among those with all four variants; null takes every example."""
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
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products; parameters, norms, softmax and logits stay float32."""
    remat: bool = False
    """Computes each block again in the backward pass rather than keep what it held: a third more work, for memory
    that XLA saves on accelerators; its schedule for CPUs makes nothing of it."""


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


class DecodingSettings(Settings):
    batch_size: int = Field(default=32, ge=1)
    """Examples decoded at once, over all devices together."""
    max_source_length: int = Field(default=512, ge=1, le=4096)
    max_target_length: int = Field(default=512, ge=1, le=4096)
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
    api_key_variable: str = "OPENAI_API_KEY"
    """The environment variable that holds the key; the key itself is never written anywhere."""
    few_shot: int = Field(default=5, ge=0, le=50)
    temperature: float | None = Field(default=0.0, ge=0, le=2)
    """null leaves it out, for models that refuse it."""
    max_tokens: int | None = Field(default=None, ge=1)
    concurrency: int = Field(default=8, ge=1, le=256)
    timeout_seconds: float = Field(default=120.0, gt=0)
    max_attempts: int = Field(default=6, ge=1, le=20)


PredictorSettings = Annotated[
    CopyPredictor | T5Predictor | ReleasedPredictor | OpenAIPredictor, Field(discriminator="kind")
]


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
    decoding: DecodingSettings = DecodingSettings()
    predictors: tuple[PredictorSettings, ...] = ()
    report: ReportSettings = ReportSettings()

    @model_validator(mode="after")
    def _parts_fit(self) -> "Config":
        if (self.model is None) != (self.training is None):
            raise ValueError("model and training are expected together, or neither")
        if self.data is None and (self.training or (self.evaluation.source == "generated" and self.predictors)):
            raise ValueError("data is expected where a model is trained or generated examples are evaluated")
        return self


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Reads a config file and applies `key.sub=value` overrides, whose values are YAML.

    A file may say `extends: OTHER.yaml`, a path seen from itself, and then only what differs: sections are merged key
    by key, anything else is replaced. A `data.expected_content_hash` is forgotten where an extending file or an
    override asks for other examples.

    Raises:
        InputError: names the file (or the override), the key and what was expected.
    """
    tree = _read_tree(path)
    overridden = [_apply_override(tree, override) for override in overrides]
    if any(_asks_for_other_examples(key) for key in overridden) and ("data", "expected_content_hash") not in overridden:
        _forget_expected_hash(tree)
    config = validate(tree, str(path), overridden)
    if config.run.name is None:
        named = config.run.model_copy(update={"name": path.stem})
        config = config.model_copy(update={"run": named})
    return config


def _read_tree(path: Path, extending: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The file's sections, and below them those of the file it extends; `extending` are the files that led here."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        who = f"{extending[-1]}: extends: " if extending else ""
        raise InputError(f"{who}{path}: no such config file; expected one like configs/quick.yaml") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from None
    tree = parse_yaml(text, str(path))
    if not isinstance(tree, dict):
        raise InputError(f"{path}: expected a mapping of sections ({', '.join(Config.model_fields)})")
    if "extends" not in tree:
        return tree
    other = tree.pop("extends")
    if not isinstance(other, str):
        raise InputError(f"{path}: extends: expected the path of another config, seen from this one")
    extended = path.parent / other
    if extended.resolve() in [place.resolve() for place in (*extending, path)]:
        raise InputError(f"{path}: extends: {other} extends this file again; expected an end")
    below = _read_tree(extended, (*extending, path))
    if any(_asks_for_other_examples((section, key)) for section in tree for key in _keys_of(tree[section])):
        _forget_expected_hash(below)
    return _merged(below, tree)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = {**below, **above}
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            merged[key] = _merged(below[key], above[key])
    return merged


def _keys_of(section: Any) -> Iterable[str]:
    return section if isinstance(section, dict) else ("",)


def _asks_for_other_examples(key: tuple[str, ...]) -> bool:
    return (key[0] == "data" and key[1:] != ("workers",)) or key[:2] == ("run", "seed")


def _forget_expected_hash(tree: dict[str, Any]) -> None:
    if isinstance(tree.get("data"), dict):
        tree["data"].pop("expected_content_hash", None)


def validate(tree: dict[str, Any], place: str, overridden: Sequence[tuple[str, ...]] = ()) -> Config:
    """Makes the typed tree; `place` is named in errors, save for keys that an override set."""
    try:
        # By way of JSON: pydantic's strict mode then takes a list for a tuple and still no "5" for 5.
        return Config.model_validate_json(json.dumps(tree))
    except TypeError as error:
        raise InputError(f"{place}: {error}; expected numbers, text, lists and mappings only") from None
    except ValidationError as error:
        problems = error.errors(include_url=False)
        # A misspelt key often shows twice, as unknown and as missing: the unknown one says more.
        first: Any = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
        raise InputError(_explain(first, place, overridden)) from None


def dump_config(config: Config) -> str:
    """The resolved config as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML with 5e-5 a number, as in YAML 1.2 and JSON, and a repeated key an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is not text", node.start_mark)
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+0123456789.")
)


def parse_yaml(text: str, place: str) -> Any:
    """Reads YAML safely; `place` is named in the error."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{place}: not valid YAML: {error}") from None


def _apply_override(tree: dict[str, Any], override: str) -> tuple[str, ...]:
    key, equals, text = override.partition("=")
    path = tuple(key.split("."))
    if not equals or not all(path):
        raise InputError(f"command line: {override}: expected key.sub=value, such as training.learning_rate=1e-3")
    node: Any = tree
    for depth, part in enumerate(path[:-1]):
        node = _child(node, part, path[: depth + 1], override, make=True)
    if isinstance(node, list):
        _child(node, path[-1], path, override)
        node[int(path[-1])] = parse_yaml(text, f"command line: {key}")
    elif isinstance(node, dict):
        node[path[-1]] = parse_yaml(text, f"command line: {key}")
    else:
        raise InputError(f"command line: {override}: {'.'.join(path[:-1])} is a value, not a section")
    return path


def _child(node: Any, part: str, path: tuple[str, ...], override: str, make: bool = False) -> Any:
    if isinstance(node, list):
        if not part.isdigit() or int(part) >= len(node):
            raise InputError(f"command line: {override}: {'.'.join(path)}: expected an index below {len(node)}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise InputError(f"command line: {override}: {'.'.join(path[:-1])} is a value, not a section")
    if node.get(part) is None and make:
        node[part] = {}
    return node[part]


def _explain(problem: Any, place: str, overridden: Sequence[tuple[str, ...]]) -> str:
    location = tuple(str(part) for part in problem["loc"] if part not in _UNION_TAGS)
    if any(path == location[: len(path)] or (location == path[: len(location)] and location) for path in overridden):
        place = "command line"
    key = ".".join(location) or "config"
    if problem["type"] == "extra_forbidden":
        known = sorted(set(_known_keys(problem["loc"])))
        near = difflib.get_close_matches(location[-1], known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
        return f"{place}: {key}: unknown key; {hint}"
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if problem["type"] == "missing":
        return f"{place}: {key}: missing; expected a value"
    given = problem["input"]
    shown = "" if isinstance(given, dict | list) else f", got {json.dumps(given)[:80]}"
    return f"{place}: {key}: {message}{shown}"


_PREDICTORS: dict[str, type[Settings]] = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind
    for kind in (CopyPredictor, T5Predictor, ReleasedPredictor, OpenAIPredictor)
}
_UNION_TAGS = frozenset(_PREDICTORS)


def _known_keys(location: Sequence[str | int]) -> Iterator[str]:
    """The keys that could have stood where the last part of `location` stands."""
    kind: Any = Config
    for part in location[:-1]:
        if part in _PREDICTORS:
            kind = _PREDICTORS[str(part)]
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            annotation = kind.model_fields[str(part)].annotation
            options = [annotation, *get_args(annotation)]
            models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
            kind = models[0] if models else None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from kind.model_fields
