"""What passes between the stages, and its JSONL form: one JSON object a line, keys in the order declared here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from mathderive.core.errors import InputError
from mathderive.core.files import replacing
from mathderive.symbolic.engine.evaluation_sets import EVALUATION_SETS as EVALUATION_SETS
from mathderive.symbolic.engine.evaluation_sets import PERTURBED_SETS as PERTURBED_SETS
from mathderive.symbolic.engine.evaluation_sets import known_set, known_split

EvaluationSet = Annotated[str, AfterValidator(known_set)]
"""The key of an evaluation set, such as `static`; `mathderive.symbolic.engine.evaluation_sets` has them all."""

Split = Annotated[str, AfterValidator(known_split)]
"""The key of an evaluation set, or `train` or `validation`."""

Metric = Literal["rouge2", "bleu", "gleu", "bleurt"]
METRICS: tuple[Metric, ...] = ("rouge2", "bleu", "gleu", "bleurt")

Truth = Literal["premise", "valid", "skipped", "incorrect", "unparsable", "undecided"]
"""Whether an equation is right, and how far that was shown:

premise: the prompt gives it.
valid: one of the eighteen operators gives it from earlier equations.
skipped: true, but by more than one operator.
incorrect: false; there is a counterexample.
unparsable: no equation that can be read.
undecided: the bounds on work ended the search.
"""

ErrorCategory = Literal["incorrect", "redundant", "irrelevant", "skipped"]
"""The categories of Meadows et al. (2024) for what is wrong with an equation, which has the first that applies."""

TRUTHS: tuple[Truth, ...] = get_args(Truth)
ERROR_CATEGORIES: tuple[ErrorCategory, ...] = get_args(ErrorCategory)

Measure = Literal["rouge2", "bleu", "gleu", "bleurt", "goal_reached", "valid_equations", "verified"]
"""Everything that an answer is measured by: the text metrics, and what is said of its equations."""

MEASURES: tuple[Measure, ...] = get_args(Measure)


class Record(BaseModel):
    """A line of a `.jsonl` file; unknown keys and implicit conversions are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class StepRecord(Record):
    """One step of a derivation: its annotation and the `srepr` of its equation, as the authors write them."""

    annotation: str | list[str | int]
    srepr: str


class Example(Record):
    """A question and its reference answer.

    `id` is `SOURCE-SET`; `source_id` is shared by an example and its variants. `set` is one of the evaluation
    sets, or the training split the example belongs to. `prompt` is bare; `few_shot_prompt` is what the authors
    sent to GPT, known for released examples only.
    """

    id: str
    source_id: str
    set: Split
    prompt: str
    target: str
    steps: list[StepRecord]
    few_shot_prompt: str | None = None


class Prediction(Record):
    """A model's answer to one example. `error` says why there is none; `usage` counts tokens where known."""

    id: str
    source_id: str
    set: EvaluationSet
    model: str
    text: str
    finish_reason: str | None = None
    error: str | None = None
    usage: dict[str, int] | None = None


class ValiditySummary(Record):
    """What the tables need of the verdicts on an answer's equations.

    `truths` counts its equations by their truth, `errors` those that have one of the paper's categories.
    `verified`: the goal is reached, and every equation it depends on is premise or valid.
    """

    equations: int
    truths: dict[Truth, int]
    errors: dict[ErrorCategory, int]
    verified: bool

    @property
    def valid_equations(self) -> float:
        """The share of equations that are premise or valid; 0 of an answer without any."""
        return (self.truths["premise"] + self.truths["valid"]) / self.equations if self.equations else 0.0


class Score(Record):
    """One example's scores, between 0 and 1 (BLEURT's now and then outside), unrounded; null where not computed."""

    id: str
    source_id: str
    set: EvaluationSet
    model: str
    rouge2: float
    bleu: float
    gleu: float
    bleurt: float | None = None
    goal_reached: bool
    validity: ValiditySummary | None = None

    def measured(self, measure: Measure) -> float | None:
        """What the answer has by one measure, between 0 and 1; None where that was not computed."""
        match measure:
            case "verified":
                return None if self.validity is None else float(self.validity.verified)
            case "valid_equations":
                return None if self.validity is None else self.validity.valid_equations
            case "goal_reached":
                return float(self.goal_reached)
            case _:
                return getattr(self, measure)


Scores = Mapping[str, Mapping[EvaluationSet, Sequence[Score]]]
"""By model, then by set."""


class MetricSensitivity(Record):
    """One metric's reaction to one perturbation (the paper's p_M, A, B, A - B and B / A).

    `ratio` is null where A is 0; `norm_abs` is `abs` over the mean of A over the run's items of that set, null
    where that mean is 0.
    """

    difference: float
    reference_similarity: float
    output_similarity: float
    abs: float
    ratio: float | None
    norm_abs: float | None


class Sensitivity(Record):
    """A pair (static example, perturbed variant) of one model; a metric is null where it was not computed."""

    source_id: str
    set: EvaluationSet
    model: str
    rouge2: MetricSensitivity
    bleu: MetricSensitivity
    gleu: MetricSensitivity
    bleurt: MetricSensitivity | None = None


RecordT = TypeVar("RecordT", bound=Record)


def write_jsonl(path: Path, records: Iterable[Record]) -> int:
    """Writes the records in place of `path`, all or none; returns how many."""
    count = 0
    with replacing(path) as stream:
        for record in records:
            stream.write(to_line(record))
            count += 1
    return count


def to_line(record: Record) -> str:
    """The record's one line, newline included."""
    return record.model_dump_json() + "\n"


def read_jsonl(path: Path, kind: type[RecordT]) -> list[RecordT]:
    """Reads a file of records.

    Raises:
        InputError: the file is missing or a line is no such record; names file, line and field.
    """
    return list(iterate_jsonl(path, kind))


def iterate_jsonl(path: Path, kind: type[RecordT]) -> Iterator[RecordT]:
    """`read_jsonl`, one record at a time."""
    try:
        with path.open(encoding="utf-8") as stream:
            for number, line in enumerate(stream, start=1):
                yield parse_line(line, kind, f"{path}:{number}")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected {kind.__name__} records, one JSON object a line") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error})") from None


def parse_line(line: str, kind: type[RecordT], place: str) -> RecordT:
    """Reads one line; `place` is named in the error."""
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first: Any = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "line"
        raise InputError(f"{place}: {field}: {first['msg']} (expected a {kind.__name__} record)") from None
