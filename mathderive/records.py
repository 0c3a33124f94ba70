"""The records that pass between the stages, and their JSONL form.

A file has one JSON object a line, with its keys in the order declared here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from mathderive.core.errors import InputError
from mathderive.core.files import replacing
from mathderive.symbolic.engine.evaluation_sets import EVALUATION_SETS as EVALUATION_SETS
from mathderive.symbolic.engine.evaluation_sets import PERTURBED_SETS as PERTURBED_SETS
from mathderive.symbolic.engine.evaluation_sets import known_set, known_split

EvaluationSet = Annotated[str, AfterValidator(known_set)]
"""The key of an evaluation set, such as `static`; `mathderive.symbolic.engine.evaluation_sets` has them all."""

Split = Annotated[str, AfterValidator(known_split)]
"""The key of an evaluation set, or `train` or `validation`."""

BUILT_IN_METRICS = ("rouge2", "bleu", "gleu", "bleurt")
"""The text metrics with a field of their own in `Score` and `Sensitivity`; `further_metrics` holds all others."""

Truth = Literal["premise", "valid", "skipped", "incorrect", "unparsable", "undecided"]
"""The checker's verdict on the truth of an equation:

premise: the prompt gives the equation.
valid: the equation follows from earlier ones by one operator.
skipped: the equation is true, but takes more than one operator.
incorrect: the equation is false; the checker has a counterexample.
unparsable: the text cannot be parsed as an equation.
undecided: the checker reached its limit on work.
"""

Rules = Literal["paper", "textbook"]
"""The steps that count as one: the eighteen operators of the paper, or also what people do in one step."""

ErrorCategory = Literal["incorrect", "redundant", "irrelevant", "skipped"]
"""The error categories of Meadows et al. (2024), by precedence: an equation counts under the first that applies."""

MissingOperators = Literal["2", "3", "more", "unknown"]
"""The least number of operators that a bounded search finds to lead to a skipped equation.

more: the search finds none or needs more than three; unknown: it was ended by its limits on time or memory.
"""

TRUTHS: tuple[Truth, ...] = get_args(Truth)
RULES: tuple[Rules, ...] = get_args(Rules)
ERROR_CATEGORIES: tuple[ErrorCategory, ...] = get_args(ErrorCategory)
MISSING_OPERATORS: tuple[MissingOperators, ...] = get_args(MissingOperators)


class Record(BaseModel):
    """A line of a `.jsonl` file. Unknown keys and implicit conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepRecord(Record):
    """One step of a derivation in the authors' format: its annotation and the `srepr` of its equation."""

    annotation: str | list[str | int]
    srepr: str


class Example(Record):
    """A question and its reference answer.

    Attributes:
        id: `SOURCE-SET`.
        source_id: shared by an example and its variants.
        set: an evaluation set, or the training split that the example belongs to.
        prompt: the question alone.
        target: the reference derivation.
        steps: the reference derivation's steps with their annotations.
        few_shot_prompt: the prompt that the authors sent to GPT; known for released examples only.
    """

    id: str
    source_id: str
    set: Split
    prompt: str
    target: str
    steps: list[StepRecord]
    few_shot_prompt: str | None = None


class Prediction(Record):
    """A model's answer to one example.

    Attributes:
        text: the answer; empty where the model failed.
        finish_reason: the endpoint's reason for ending the answer.
        error: the reason why there is no answer.
        usage: token counts, where they are known.
    """

    id: str
    source_id: str
    set: EvaluationSet
    model: str
    text: str
    finish_reason: str | None = None
    error: str | None = None
    usage: dict[str, int] | None = None


class AnswerSeconds(Record):
    """How long the answer to one example took, in seconds."""

    id: str
    seconds: float


class ValiditySummary(Record):
    """The checker's verdicts on one answer, counted for the tables.

    Attributes:
        equations: the number of equations in the answer.
        derived: the number of equations that the prompt does not state.
        valid_derived: the number of valid equations among these.
        truths: the number of equations by verdict.
        errors: the number of equations by the paper's error category.
        missing_operators: the number of skipped equations by how many operators are missing.
        goal_reached: an equation of the answer states the goal, mirrored or not.
        sound: the goal is reached, and every equation is true.
        verified: the answer is sound, and every equation that the goal depends on is a premise or valid.
    """

    equations: int
    derived: int
    valid_derived: int
    truths: dict[Truth, int]
    errors: dict[ErrorCategory, int]
    missing_operators: dict[MissingOperators, int]
    goal_reached: bool
    sound: bool
    verified: bool

    @property
    def valid_equations(self) -> float:
        """The share of valid equations among those that the prompt does not state; 0 where there are none.

        So an answer that repeats the prompt has none.
        """
        return self.valid_derived / self.derived if self.derived else 0.0


class MetricRecord(Record):
    """A record with a value for each text metric.

    A subclass declares a field for each of `BUILT_IN_METRICS` and a mapping `further_metrics`, which is left out of
    the JSON where it is empty.
    """

    @model_serializer(mode="wrap")
    def _omit_empty_mapping(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        if not values.get("further_metrics"):
            values.pop("further_metrics", None)
        return values


class Score(MetricRecord):
    """One answer's scores, not rounded.

    Attributes:
        rouge2, bleu, gleu: text metrics, between 0 and 1.
        bleurt: BLEURT, mostly between 0 and 1; null where it was not computed.
        ends_with_goal: the answer's last equation has the same text as the goal.
        validity: the checker's verdicts; null where the answer was not checked.
        further_metrics: the values of text metrics that extensions registered, by key.
    """

    id: str
    source_id: str
    set: EvaluationSet
    model: str
    rouge2: float
    bleu: float
    gleu: float
    bleurt: float | None = None
    ends_with_goal: bool
    validity: ValiditySummary | None = None
    further_metrics: dict[str, float] = Field(default_factory=dict)

    def metric(self, key: str) -> float | None:
        """Returns the score by a text metric; None where it was not computed."""
        value: float | None = getattr(self, key) if key in BUILT_IN_METRICS else self.further_metrics.get(key)
        return value


Scores = Mapping[str, Mapping[EvaluationSet, Sequence[Score]]]
"""Scores by model, then by set."""


class MetricSensitivity(Record):
    """One metric's reaction to one perturbation; `mathderive.metrics.sensitivity` has the formulas.

    Attributes:
        difference: the paper's p_M.
        reference_similarity: the paper's A.
        output_similarity: the paper's B.
        abs: A - B.
        ratio: B / A; null where A is 0.
        norm_abs: `abs` over the mean of A over the run's pairs of that set; null where that mean is 0.
    """

    difference: float
    reference_similarity: float
    output_similarity: float
    abs: float
    ratio: float | None
    norm_abs: float | None


class Sensitivity(MetricRecord):
    """One model's reaction to one perturbation: a pair of a static example and its variant.

    `bleurt` is null where it was not computed; `further_metrics` is as in `Score`.
    """

    source_id: str
    set: EvaluationSet
    model: str
    rouge2: MetricSensitivity
    bleu: MetricSensitivity
    gleu: MetricSensitivity
    bleurt: MetricSensitivity | None = None
    further_metrics: dict[str, MetricSensitivity] = Field(default_factory=dict)

    def metric(self, key: str) -> MetricSensitivity | None:
        """Returns the reaction of a text metric; None where it was not computed."""
        value: MetricSensitivity | None
        value = getattr(self, key) if key in BUILT_IN_METRICS else self.further_metrics.get(key)
        return value


RecordT = TypeVar("RecordT", bound=Record)


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Replaces the file at `path` in one step and returns the number of records written."""
    count = 0
    with replacing(path) as stream:
        for record in records:
            stream.write(to_line(record))
            count += 1
    return count


def to_line(record: Record) -> str:
    """Returns the record as one line of JSON, newline included."""
    return record.model_dump_json() + "\n"


def read_jsonl(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Reads a file of records.

    Raises:
        InputError: the file is missing, or a line does not hold such a record; names file, line and field.
    """
    return list(iterate_jsonl(path, kind))


def iterate_jsonl(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """Reads a file of records one at a time; raises as `read_jsonl` does."""
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                yield parse_line(line, kind, f"{path}:{number}")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected {kind.__name__} records, one JSON object a line") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected a file of {kind.__name__} records") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from None


def parse_line(line: str, kind: type[RecordT], place: str) -> RecordT:
    """Parses one line.

    Args:
        place: the line's place, for the error message.

    Raises:
        InputError: the line does not hold such a record.
    """
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise InputError(f"{place}: {field}: {first['msg']} (expected a {kind.__name__} record)") from None
