"""The data of the page's explorer, which shows every answer: one compressed text within the page.

`explorer.js` unpacks it. The same equations occur in prompts, references and answers of several sets, so each text and
each formula is stored once. All text is made safe to show here (`plain.visible`); the script shows it as text and never
as markup.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mathderive.checker.verdicts import StepVerdict
from mathderive.metrics.error_table import FINDINGS, Finding
from mathderive.metrics.registry import text_metrics
from mathderive.report.examples import Answer, Line, Lines, ShownExample
from mathderive.report.numbers import percent
from mathderive.report.plain import visible
from mathderive.report.typeset import split_formulas, typeset
from mathderive.report.verdict_signs import OUTCOMES
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES

MAX_EXAMPLES = 1_000
"""The largest number of examples in the explorer: ten times as many would make a page of tens of megabytes."""


def explorer_data(examples: Sequence[ShownExample]) -> str:
    """Returns, in Base64, the zlib-compressed JSON that `explorer.js` reads; the same examples give the same text."""
    text = json.dumps(as_json(examples), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def as_json(examples: Sequence[ShownExample]) -> dict[str, Any]:
    """Returns the data before it is packed.

    An equation is an index into `equations`, which holds its text and, if it has a formula, an index into `formulas`.
    `answers` refer to their example and model by index.
    """
    equations = _Equations()
    models = list(dict.fromkeys(answer.model for example in examples for answer in example.answers))
    sets = list(dict.fromkeys(example.set for example in examples))
    data = {
        "models": [visible(model) for model in models],
        "sets": [SET_TITLES[name] for name in sets],
        "metrics": [metric.title for metric in text_metrics()],
        "findings": FINDINGS,
        "outcomes": OUTCOMES,
        "examples": [
            {
                "id": visible(example.id),
                "set": sets.index(example.set),
                "prompt": _lines(example.prompt, equations, role=True),
                "reference": _lines(example.reference, equations),
            }
            for example in examples
        ],
        "answers": [
            {"example": place, "model": models.index(answer.model), **_answer(answer, equations)}
            for place, example in enumerate(examples)
            for answer in example.answers
        ],
    }
    return {**data, "equations": equations.texts, "formulas": equations.formulas}


class _Equations:
    """The distinct texts and formulas."""

    def __init__(self) -> None:
        self.texts: list[tuple[str] | tuple[str, int]] = []
        self.formulas: list[str] = []
        self._places: dict[str, int] = {}
        self._formula_places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """Returns the text's index, and adds the text if it is new."""
        if text not in self._places:
            self._places[text] = len(self.texts)
            formula = typeset(text)
            shown = visible(text)
            self.texts.append((shown,) if formula is None else (shown, self._formula_place(formula)))
        return self._places[text]

    def _formula_place(self, formula: str) -> int:
        if formula not in self._formula_places:
            self._formula_places[formula] = len(self.formulas)
            self.formulas.append(formula)
        return self._formula_places[formula]


def _lines(text: Lines, equations: _Equations, role: bool = False) -> dict[str, Any]:
    lines = [
        _present({"equation": equations.place(line.latex), "role": line.role if role else None, "origin": line.origin})
        for line in text.lines
    ]
    return _present({"lines": lines, "note": _shown(text.note)})


def _answer(answer: Answer, equations: _Equations) -> dict[str, Any]:
    score, validity = answer.score, answer.validity
    return _present(
        {
            "lines": [
                _answer_line(line, row, equations)
                for line, row in zip(answer.text.lines, answer.alignment.rows, strict=True)
            ],
            "equations": answer.text.count,
            "rows": answer.alignment.reference_rows,
            "note": _shown(answer.text.note),
            "scores": score and [_percent(score.metric(metric.key)) for metric in text_metrics()],
            "endsWithGoal": score and score.ends_with_goal,
            "validity": validity
            and _present(
                {
                    "verified": validity.verified,
                    "sound": validity.sound,
                    "goalReached": validity.goal_reached,
                    "premises": _all(validity.premises_used),
                    "intermediates": _all(validity.intermediates_present),
                    "findings": _count(validity.steps),
                }
            ),
        }
    )


def _answer_line(line: Line, row: int, equations: _Equations) -> dict[str, Any]:
    """Returns a line's equation, its row beside the reference, its match there, and its verdict."""
    assert line.match is not None
    return _present(
        {
            "equation": equations.place(line.latex),
            "row": row,
            "mark": line.match.mark,
            "place": line.match.place,
            "verdict": line.verdict and _verdict(line.verdict, equations),
        }
    )


def _verdict(step: StepVerdict, equations: _Equations) -> dict[str, Any]:
    return _present(
        {
            **step.label.model_dump(),
            "reason": _reason(step.reason, equations),
            "counterexample": step.counterexample
            and [[equations.place(name), visible(value)] for name, value in step.counterexample.items()],
        }
    )


def _reason(text: str, equations: _Equations) -> list[str | int]:
    """Splits a reason into its words and, in turn with them, the indices of the formulas between `$`s."""
    return [equations.place(piece) if place % 2 else visible(piece) for place, piece in enumerate(split_formulas(text))]


def _count(steps: Iterable[StepVerdict]) -> dict[Finding, int]:
    """Counts the steps by the paper's category, or by the verdict where no category applies."""
    kinds = [step.label.kind for step in steps]
    return {finding: kinds.count(finding) for finding in FINDINGS if finding in kinds}


def _all(values: Sequence[bool]) -> bool | None:
    """Returns whether all values hold; None if there are none."""
    return all(values) if values else None


def _percent(value: float | None) -> str | None:
    """Formats a score as the report's tables do; None stays None."""
    return None if value is None else percent(value)


def _shown(text: str | None) -> str | None:
    return None if text is None else visible(text)


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leaves out what is None, since the script treats absent values as null."""
    return {name: value for name, value in values.items() if value is not None}
