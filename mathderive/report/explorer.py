"""What the page's explorer shows, as one compressed text within the page: every answer, opened one at a time.

`explorer.js` unpacks it. Equations recur, in prompt, reference and answers, and from set to set: each text is held
once, and so is each formula. All text is made fit to be shown here (`plain.visible`); that it is shown as text and
never as markup is the script's part.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mathderive.checker.verdicts import StepVerdict
from mathderive.metrics.error_table import FINDINGS, Finding
from mathderive.records import METRICS
from mathderive.report.examples import Answer, Line, Lines, ShownExample
from mathderive.report.plain import visible
from mathderive.report.tables import METRIC_NAMES, SET_NAMES
from mathderive.report.typeset import split_formulas, typeset

MAX_EXAMPLES = 1_000
"""The paper's five sets have 500; some ten times as many make a page of tens of megabytes."""


def explorer_data(examples: Sequence[ShownExample]) -> str:
    """Base64 of the zlib-compressed JSON that `explorer.js` reads; the same examples give the same text."""
    text = json.dumps(as_json(examples), ensure_ascii=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def as_json(examples: Sequence[ShownExample]) -> dict[str, Any]:
    """The data before it is packed.

    An equation is its place in `equations`, where it is its text and the place of its formula in `formulas`, if it has
    one. `answers` name their example and model by place; their `lines` are those of `_answer_line`.
    """
    equations = _Equations()
    models = list(dict.fromkeys(answer.model for example in examples for answer in example.answers))
    sets = list(dict.fromkeys(example.set for example in examples))
    data = {
        "models": [visible(model) for model in models],
        "sets": [SET_NAMES[name] for name in sets],
        "metrics": [METRIC_NAMES[metric] for metric in METRICS],
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
    """Texts and formulas, each held once."""

    def __init__(self) -> None:
        self.texts: list[tuple[str] | tuple[str, int]] = []
        self.formulas: list[str] = []
        self._places: dict[str, int] = {}
        self._formula_places: dict[str, int] = {}

    def place(self, text: str) -> int:
        """The text's place, which it is given when it is asked for first."""
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
            "rows": answer.alignment.reference_rows,
            "note": _shown(answer.text.note),
            "scores": score and [getattr(score, metric) for metric in METRICS],
            "goal": validity.goal_reached if validity else score and score.goal_reached,
            "validity": validity
            and _present(
                {
                    "verified": validity.verified,
                    "premises": _all(validity.premises_used),
                    "intermediates": _all(validity.intermediates_present),
                    "found": _found(validity.steps),
                }
            ),
        }
    )


def _answer_line(line: Line, row: int, equations: _Equations) -> dict[str, Any]:
    """Its equation, its row beside the reference, and what it is there; then the verdict."""
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
            "truth": step.truth,
            "redundant": step.redundant or None,
            "irrelevant": step.irrelevant or None,
            "reason": _reason(step.reason, equations),
            "counterexample": step.counterexample
            and [[equations.place(name), visible(value)] for name, value in step.counterexample.items()],
        }
    )


def _reason(text: str, equations: _Equations) -> list[str | int]:
    """Its words, and in turn with them the places of the formulas that stand between `$`s."""
    return [equations.place(piece) if place % 2 else visible(piece) for place, piece in enumerate(split_formulas(text))]


def _found(steps: Iterable[StepVerdict]) -> dict[Finding, int]:
    """How many steps have what against them: the paper's category, or the truth that has none."""
    found = [step.category or step.truth for step in steps]
    return {finding: found.count(finding) for finding in FINDINGS if finding in found}


def _all(values: Sequence[bool]) -> bool | None:
    """None where there is nothing to ask of."""
    return all(values) if values else None


def _shown(text: str | None) -> str | None:
    return None if text is None else visible(text)


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is not None: the script reads what is absent as null."""
    return {name: value for name, value in values.items() if value is not None}
