"""Report contents for three made-up models, checked by the checker: a right, a wrong and a hostile one."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol, TypeVar

from mathderive.checker.checker import check
from mathderive.metrics.checked_answers import CheckedAnswer, checked_answer, summarise
from mathderive.metrics.scoring import score
from mathderive.metrics.sensitivity import SensitivityScorer
from mathderive.records import EVALUATION_SETS, EvaluationSet, Example, Prediction, Score, StepRecord
from mathderive.report.page import ReportContents

X = "Symbol('x', commutative=True)"
SOURCES = (
    (r"\sin{(x)}", r"\cos{(x)}", f"sin({X})", f"cos({X})"),
    ("x^{3}", "3 x^{2}", f"Pow({X}, Integer(3))", f"Mul(Integer(3), Pow({X}, Integer(2)))"),
)
"""Functions and their derivatives, as LaTeX and as `srepr`."""

HOSTILE = (
    "</script><script>window.ran=1</script>",
    r"\text{<img src=x onerror=window.ran=1>} = 1",
    r"\href{javascript:window.ran=1}{x} = 1",
    "{" * 3000,
    "<svg onload=window.ran=1></svg><!--",
    "a = \u202eb",
)


class InSet(Protocol):
    """A record of an evaluation set."""

    @property
    def set(self) -> Any: ...


InSetT = TypeVar("InSetT", bound=InSet)


def by_set(records: Iterable[InSetT]) -> dict[EvaluationSet, list[InSetT]]:
    """Groups records by their set."""
    listed = list(records)
    return {name: [record for record in listed if record.set == name] for name in EVALUATION_SETS}


def example(source: int, name: EvaluationSet) -> Example:
    body, derived, body_srepr, derived_srepr = SOURCES[source % len(SOURCES)]
    body, derived = (f"{body} + {source + 1}", derived)
    sides = [("f{(x)}", body), (r"\frac{d}{d x} f{(x)}", rf"\frac{{d}}{{d x}} ({body})")]
    sides += [(sides[1][0], derived), (f"{sides[1][0]} + 1", f"{derived} + 1")]
    steps = [f"{right} = {left}" if name == "ee" else f"{left} = {right}" for left, right in sides]
    annotations: list[Any] = ["premise", ["differentiate", 1, X], ["evaluate_derivatives", 2], ["add", 3, "Integer(1)"]]
    sreprs = (f"Equality({body_srepr}, {derived_srepr})",) * len(steps)
    return Example(
        id=f"{source}-{name}",
        source_id=str(source),
        set=name,
        prompt=f"Given {steps[0]}, then derive {steps[2]}, then obtain {steps[3]}",
        target=" and ".join(steps),
        steps=[StepRecord(annotation=a, srepr=s) for a, s in zip(annotations, sreprs, strict=True)],
    )


def answer(model: str, question: Example) -> str:
    steps = question.target.split(" and ")
    match model:
        case "right":
            return question.target
        case "wrong":  # a step left out, one exchanged, one false, one again
            return " and ".join([steps[0], steps[2], steps[1], steps[3] + " + 1", steps[0]])
        case _:
            return HOSTILE[int(question.source_id) % len(HOSTILE)]


@cache
def checked_contents(sources: int = len(HOSTILE)) -> ReportContents:
    examples = {name: [example(source, name) for source in range(sources)] for name in EVALUATION_SETS}
    all_examples = [each for in_set in examples.values() for each in in_set]
    predictions: dict[str, list[Prediction]] = {}
    checked: dict[str, list[CheckedAnswer]] = {}
    scores: dict[str, list[Score]] = {}
    for model in ("right", "wrong", "hostile"):
        predictions[model], checked[model], scores[model] = [], [], []
        for name, in_set in examples.items():
            for each in in_set:
                text = answer(model, each)
                prediction = Prediction(id=each.id, source_id=each.source_id, set=name, model=model, text=text)
                validity = check(each.prompt, text)
                predictions[model].append(prediction)
                checked[model].append(checked_answer(each, prediction, validity))
                scores[model].append(score(each, prediction, summarise(validity)))
    scorer = SensitivityScorer(all_examples)
    return ReportContents(
        title="A run",
        config="",
        seed=0,
        environment={},
        timings={},
        examples=examples,
        predictions={model: by_set(rows) for model, rows in predictions.items()},
        scores={model: by_set(rows) for model, rows in scores.items()},
        sensitivity={model: scorer.rows(predictions[model], scores[model]) for model in predictions},
        checked={model: by_set(rows) for model, rows in checked.items()},
    )
