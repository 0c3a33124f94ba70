"""Small made-up contents for the report's tests: a model and the copy baseline, two sources, five sets."""

from collections.abc import Callable
from typing import Any

import pytest

from mathderive.metrics.scoring import score
from mathderive.metrics.sensitivity import SensitivityScorer
from mathderive.records import (
    ERROR_CATEGORIES,
    EVALUATION_SETS,
    MISSING_OPERATORS,
    TRUTHS,
    ErrorCategory,
    EvaluationSet,
    Example,
    Prediction,
    Truth,
    ValiditySummary,
)
from mathderive.report.page import ReportContents
from tests.support.explored import by_set

STEPS = (
    r"f{(x)} = \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = \frac{d}{d x} \sin{(x)}",
    r"\frac{d}{d x} f{(x)} = 1",
)


def make_validity(prediction: Prediction) -> ValiditySummary:
    right = prediction.model != "copy" and int(prediction.source_id) % 2 == 0
    truths: dict[Truth, int] = {**dict.fromkeys(TRUTHS, 0), "premise": 1, "valid" if right else "incorrect": 2}
    errors: dict[ErrorCategory, int] = {**dict.fromkeys(ERROR_CATEGORIES, 0), "incorrect": truths["incorrect"]}
    return ValiditySummary(
        equations=3,
        derived=2,
        valid_derived=2 if right else 0,
        truths=truths,
        errors=errors,
        missing_operators=dict.fromkeys(MISSING_OPERATORS, 0),
        goal_reached=right,
        sound=right,
        verified=right,
    )


def make_example(source: str, name: EvaluationSet) -> Example:
    steps = [step.replace("x", "\\tau" if name == "vr" else "x") for step in STEPS]
    prompt = f"Given {steps[0]}, then derive {steps[1]}, then obtain {steps[2]}"
    target = " and ".join(steps)
    return Example(id=f"{source}-{name}", source_id=source, set=name, prompt=prompt, target=target, steps=[])


@pytest.fixture
def make_contents() -> Callable[..., ReportContents]:
    """Makes contents in which every answer is the given text, or its example's target where the text is None.

    With `checked`, the model's answers to every second source are verified. Its other answers, and all answers of copy,
    have two incorrect equations.
    """

    def make(
        answer: str | None = None, model: str = "t5", sources: int = 2, checked: bool = False, **changes: Any
    ) -> ReportContents:
        places = [(str(source), name) for source in range(sources) for name in EVALUATION_SETS]
        examples = [make_example(source, name) for source, name in places]
        answers: dict[str, Callable[[Example], str]] = {
            model: lambda e: e.target if answer is None else answer,
            "copy": lambda e: STEPS[0],
        }
        predictions = {
            writer: [
                Prediction(id=e.id, source_id=e.source_id, set=name, model=writer, text=write(e))
                for e, (_, name) in zip(examples, places, strict=True)
            ]
            for writer, write in answers.items()
        }
        scores = {
            writer: [score(e, p, make_validity(p) if checked else None) for e, p in zip(examples, written, strict=True)]
            for writer, written in predictions.items()
        }
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
