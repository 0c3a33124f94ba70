"""What a report shows of three made-up models, checked by our checker: one right, one that errs, one hostile."""

from functools import cache
from typing import Any

from mathderive.checker.checker import check
from mathderive.metrics.checked_answers import checked_answer, summarise
from mathderive.metrics.sensitivity import SensitivityScorer
from mathderive.metrics.text import score
from mathderive.records import EVALUATION_SETS, Example, Prediction, StepRecord
from mathderive.report.page import ReportContents

X = "Symbol('x', commutative=True)"
SOURCES = (
    (r"\sin{(x)}", r"\cos{(x)}", f"sin({X})", f"cos({X})"),
    ("x^{3}", "3 x^{2}", f"Pow({X}, Integer(3))", f"Mul(Integer(3), Pow({X}, Integer(2)))"),
)
"""A function and its derivative, as LaTeX and as `srepr`."""

HOSTILE = (
    "</script><script>window.ran=1</script>",
    r"\text{<img src=x onerror=window.ran=1>} = 1",
    r"\href{javascript:window.ran=1}{x} = 1",
    "{" * 3000,
    "<svg onload=window.ran=1></svg><!--",
    "a = \u202eb",
)


def example(source: int, name: Any) -> Example:
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
    examples = [example(source, name) for name in EVALUATION_SETS for source in range(sources)]
    asked = {example.id: example for example in examples}
    predictions = {
        model: [
            Prediction(id=e.id, source_id=e.source_id, set=e.set, model=model, text=answer(model, e)) for e in examples
        ]
        for model in ("right", "wrong", "hostile")
    }
    checked: dict[str, list[Any]] = {}
    scores: dict[str, list[Any]] = {}
    for model, of_model in predictions.items():
        verdicts = [check(asked[p.id].prompt, p.text) for p in of_model]
        pairs = list(zip(of_model, verdicts, strict=True))
        checked[model] = [checked_answer(asked[p.id], p, found) for p, found in pairs]
        scores[model] = [score(asked[p.id], p).model_copy(update={"validity": summarise(found)}) for p, found in pairs]
    scorer = SensitivityScorer(examples)
    return ReportContents(
        title="A run",
        config="",
        seed=0,
        environment={},
        timings={},
        examples=by_set(examples),
        predictions={model: by_set(rows) for model, rows in predictions.items()},
        scores={model: by_set(rows) for model, rows in scores.items()},
        sensitivity={model: scorer.rows(predictions[model], scores[model]) for model in predictions},
        checked={model: by_set(rows) for model, rows in checked.items()},
    )


def by_set(records: list[Any]) -> dict[Any, list[Any]]:
    return {name: [record for record in records if record.set == name] for name in EVALUATION_SETS}
