"""The report: one HTML page that opens from disk, and the tables as Markdown and JSON beside it."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mathderive.core.files import write_json, write_text
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.metrics.error_table import FINDINGS
from mathderive.records import PERTURBED_SETS, EvaluationSet, Example, Prediction, Scores, Sensitivity
from mathderive.report import studies, tables
from mathderive.report.drawing import DARK, LIGHT, Theme
from mathderive.report.examples import ShownExample, answers_by_example, choose, shown_example
from mathderive.report.explorer import MAX_EXAMPLES, explorer_data
from mathderive.report.figures import (
    breakdown_figure,
    metric_study_figure,
    score_figure,
    training_figure,
    training_summary,
)
from mathderive.report.grids import score_grid, sensitivity_grid
from mathderive.report.plain import visible
from mathderive.report.recorded import RECORDED_EXAMPLES
from mathderive.report.studies import Studies
from mathderive.report.tables import FailureRow, ScoreRow, SensitivityRow
from mathderive.symbolic.engine.evaluation_sets import evaluation_set


@dataclass(frozen=True)
class ReportContents:
    """Everything the report says, as plain data; mappings are shown in their own order.

    Attributes:
        config: the resolved config as YAML.
        environment: what it ran on and with, shown as given: hardware, versions, git revision, content hash.
        timings: seconds each stage took.
        checked: the checker's verdicts, on what was checked.
        training: rows of the trained model's `metrics.jsonl`, if one was trained (see `training_figure`).
        notes: what a reader must know first, such as a predictor that was skipped and why.
        shown_examples: how many examples are shown in full.
        copy_model: the predictor that repeats the prompt; the page explains it where it has scores.
    """

    title: str
    config: str
    seed: int
    environment: Mapping[str, str]
    timings: Mapping[str, float]
    examples: Mapping[EvaluationSet, Sequence[Example]]
    predictions: Mapping[str, Mapping[EvaluationSet, Sequence[Prediction]]]
    scores: Scores
    sensitivity: Mapping[str, Sequence[Sensitivity]]
    checked: Mapping[str, Mapping[EvaluationSet, Sequence[CheckedAnswer]]] = field(default_factory=dict)
    training: Sequence[Mapping[str, Any]] | None = None
    notes: Sequence[str] = ()
    shown_examples: int = 10
    copy_model: str | None = "copy"


def write_report(folder: Path, contents: ReportContents) -> Studies:
    """Writes `tables.json`, `tables.md` and `index.html`, each whole or not at all; returns what goes beyond means."""
    scores = tables.score_rows(contents.scores)
    sensitivity = tables.sensitivity_rows(contents.sensitivity)
    failures = tables.failure_rows(contents.predictions)
    found = studies.make_studies(contents.examples, contents.scores, contents.copy_model)
    write_json(folder / "tables.json", {**tables.as_json(scores, sensitivity, failures), **studies.as_json(found)})
    write_text(folder / "tables.md", tables.as_markdown(scores, sensitivity, failures) + studies.as_markdown(found))
    write_text(folder / "index.html", render(contents, scores, sensitivity, failures, found))
    return found


def render(
    contents: ReportContents,
    scores: Sequence[ScoreRow],
    sensitivity: Sequence[SensitivityRow],
    failures: Sequence[FailureRow],
    found: Studies,
) -> str:
    """The page. All text is escaped, and characters that hide or act are shown as their numbers."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalized
    )
    environment.filters.update(percent=tables.percent, duration=duration)
    copy_model = contents.copy_model
    questions = sum(map(len, contents.examples.values()))
    explored = shown_examples(contents, MAX_EXAMPLES)
    script = _file("elements.js") + _file("explorer.js")
    return environment.from_string(_file("template.html")).render(
        contents=contents,
        scores=score_grid(scores),
        sensitivity=sensitivity_grid(sensitivity),
        failures=failures,
        failures_key=tables.FAILURES_KEY,
        questions=questions,
        score_table=tables.score_table(scores),
        copied=next((row for row in scores if row.model == copy_model), None),
        figure=_themed(lambda theme: score_figure(scores, copy_model, theme)),
        errors=studies.error_tables(found.errors),
        metric_study=studies.metric_study_tables(found.metric_study),
        metric_study_figure=_themed(
            lambda theme: metric_study_figure(found.metric_study, copy_model, theme) if found.metric_study else None
        ),
        comparisons=studies.comparison_tables(found),
        breakdown=studies.breakdown_tables(found.breakdown),
        breakdown_figure=_themed(
            lambda theme: breakdown_figure(found.breakdown, copy_model, theme) if found.breakdown else None
        ),
        training=_themed(lambda theme: training_figure(contents.training or (), theme)),
        training_summary=training_summary(contents.training or ()),
        explorer=Markup(explorer_data(explored)) if any(example.answers for example in explored) else "",
        omitted=questions - len(explored),
        findings=FINDINGS,
        recorded_examples=RECORDED_EXAMPLES,
        script=Markup(script),
        script_hash=Markup(f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"),
        styles=[Markup(_file(f"{name}.css")) for name in ("house", "report", "explorer")],
        examples=shown_examples(contents, contents.shown_examples),
        set_names=tables.SET_NAMES,
        set_labels=tables.SET_LABELS,
        perturbed_sets=[evaluation_set(key) for key in PERTURBED_SETS],
        not_computed=tables.NOT_COMPUTED,
    )


def duration(seconds: float) -> str:
    """A time as people say it: `0.8 s`, `12 min 5 s`, `3 h 20 min`."""
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _finalized(value: object) -> object:
    # Markup is a subclass: what this package has made itself passes as it is.
    return visible(value) if type(value) is str else value


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _themed(draw: Callable[[Theme], str | None]) -> list[str]:
    """The figure for a light and for a dark page; nothing where there is none to draw."""
    return [_data_uri(figure) for figure in map(draw, (LIGHT, DARK)) if figure is not None]


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def shown_examples(contents: ReportContents, count: int) -> list[ShownExample]:
    """At most so many of the examples, with all answers to them."""
    records = (contents.predictions, contents.scores, contents.checked)
    answers = answers_by_example(*(chain(*(chain(*by_set.values()) for by_set in found.values())) for found in records))
    return [shown_example(example, answers.get(example.id, ())) for example in choose(contents.examples, count)]
