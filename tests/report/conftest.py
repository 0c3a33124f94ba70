"""Small made-up contents for the report's tests: two models and the copy baseline, two sources, five sets."""

from collections.abc import Callable
from typing import Any

import pytest

from mathderive.metrics.sensitivity import SensitivityScorer
from mathderive.metrics.text import score
from mathderive.records import (
    ERROR_CATEGORIES,
    EVALUATION_SETS,
    TRUTHS,
    Example,
    Prediction,
    Record,
    Score,
    ValiditySummary,
)
from mathderive.report.page import ReportContents

STEPS = (
    r"f{(x)} = \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = 1",
)


def by_set(records: list[Any]) -> dict[Any, list[Any]]:
    return {name: [record for record in records if record.set == name] for name in EVALUATION_SETS}


def with_validity(score: Score) -> Score:
    right = score.model != "copy" and int(score.source_id) % 2 == 0
    truths = {**dict.fromkeys(TRUTHS, 0), "premise": 1, "valid" if right else "incorrect": 2}
    errors = {**dict.fromkeys(ERROR_CATEGORIES, 0), "incorrect": truths["incorrect"]}
    validity = ValiditySummary(equations=3, truths=truths, errors=errors, verified=right)
    return score.model_copy(update={"validity": validity})


@pytest.fixture
def make_contents() -> Callable[..., ReportContents]:
    """Makes contents whose every answer is the text given (its own target where None).

    With `checked`, t5's answers to every second source are verified, those to the others and all of copy's have an
    incorrect equation.
    """

    def make(
        answer: str | None = None, model: str = "t5", sources: int = 2, checked: bool = False, **changes: Any
    ) -> ReportContents:
        examples = []
        for source in map(str, range(sources)):
            for name in EVALUATION_SETS:
                steps = [step.replace("x", "\\tau" if name == "vr" else "x") for step in STEPS]
                prompt = f"Given {steps[0]}, then derive {steps[1]}, then obtain {steps[2]}"
                ids = {"id": f"{source}-{name}", "source_id": source, "set": name}
                examples.append(Example(**ids, prompt=prompt, target=" and ".join(steps), steps=[]))
        answers = {model: lambda e: e.target if answer is None else answer, "copy": lambda e: STEPS[0]}
        predictions: dict[str, list[Record]] = {
            name: [Prediction(id=e.id, source_id=e.source_id, set=e.set, model=name, text=write(e)) for e in examples]
            for name, write in answers.items()
        }
        scores = {
            name: [score(e, p) for e, p in zip(examples, of_model, strict=True)]
            for name, of_model in predictions.items()
        }
        if checked:
            scores = {name: [with_validity(s) for s in of_model] for name, of_model in scores.items()}
        scorer = SensitivityScorer(examples)
        values: dict[str, Any] = {
            "title": "A run",
            "config": "run:\n  seed: 7\n",
            "seed": 7,
            "environment": {"Python": "3.11"},
            "timings": {"data": 1.5, "train": 7325.0},
            "examples": by_set(examples),
            "predictions": {name: by_set(p) for name, p in predictions.items()},
            "scores": {name: by_set(s) for name, s in scores.items()},
            "sensitivity": {name: scorer.rows(p, scores[name]) for name, p in predictions.items()},
        }
        return ReportContents(**{**values, **changes})

    return make
