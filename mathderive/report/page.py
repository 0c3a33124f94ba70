"""The report: one HTML page that opens from disk, and the tables as Markdown and JSON beside it."""

import base64
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from mathderive.files import write_json, write_text
from mathderive.records import EvaluationSet, Example, Prediction, Sensitivity
from mathderive.report import tables
from mathderive.report.examples import ShownExample, choose, shown_example
from mathderive.report.figures import DARK, LIGHT, score_figure, training_figure, training_summary
from mathderive.report.grids import score_grid, sensitivity_grid
from mathderive.report.plain import visible
from mathderive.report.tables import FailureRow, ScoreRow, Scores, SensitivityRow
from mathderive.report.typeset import Typesetter


@dataclass(frozen=True)
class ReportContents:
    """Everything the report says, as plain data; mappings are shown in their own order.

    Attributes:
        config: the resolved config as YAML.
        environment: what it ran on and with, shown as given: hardware, versions, git revision, content hash.
        timings: seconds each stage took.
        trusted_equations: LaTeX that our own printer wrote, from the steps of the examples; only these are
            set as formulas.
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
    trusted_equations: Set[str]
    training: Sequence[Mapping[str, Any]] | None = None
    notes: Sequence[str] = ()
    shown_examples: int = 10
    copy_model: str | None = "copy"


def write_report(folder: Path, contents: ReportContents) -> None:
    """Writes `tables.json`, `tables.md` and `index.html`, each whole or not at all."""
    scores = tables.score_rows(contents.scores)
    sensitivity = tables.sensitivity_rows(contents.sensitivity)
    failures = tables.failure_rows(contents.predictions)
    write_json(folder / "tables.json", tables.as_json(scores, sensitivity, failures))
    write_text(folder / "tables.md", tables.as_markdown(scores, sensitivity, failures))
    write_text(folder / "index.html", render(contents, scores, sensitivity, failures))


def render(
    contents: ReportContents,
    scores: Sequence[ScoreRow],
    sensitivity: Sequence[SensitivityRow],
    failures: Sequence[FailureRow],
) -> str:
    """The page. All text is escaped, and characters that hide or act are shown as their numbers."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_finalized
    )
    environment.filters.update(percent=tables.percent, duration=duration)
    source = resources.files(__package__).joinpath("template.html").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        contents=contents,
        scores=score_grid(scores),
        sensitivity=sensitivity_grid(sensitivity),
        failures=failures,
        failures_key=tables.FAILURES_KEY,
        questions=sum(map(len, contents.examples.values())),
        copied=next((row for row in scores if row.model == contents.copy_model), None),
        figure=[_data_uri(score_figure(scores, contents.copy_model, theme)) for theme in (LIGHT, DARK)],
        training=_training_figures(contents),
        training_summary=training_summary(contents.training or ()),
        examples=_shown(contents),
        set_names=tables.SET_NAMES,
        set_labels=tables.SET_LABELS,
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


def _training_figures(contents: ReportContents) -> list[str]:
    figures = [training_figure(contents.training or (), theme) for theme in (LIGHT, DARK)]
    return [_data_uri(figure) for figure in figures if figure is not None]


def _shown(contents: ReportContents) -> list[ShownExample]:
    typesetter = Typesetter(contents.trusted_equations)
    predictions = {
        model: {prediction.id: prediction for of_set in by_set.values() for prediction in of_set}
        for model, by_set in contents.predictions.items()
    }
    scores = {
        model: {score.id: score for of_set in by_set.values() for score in of_set}
        for model, by_set in contents.scores.items()
    }
    return [
        shown_example(
            example,
            {model: by_id[example.id] for model, by_id in predictions.items() if example.id in by_id},
            {model: by_id[example.id] for model, by_id in scores.items() if example.id in by_id},
            typesetter,
        )
        for example in choose(contents.examples, contents.shown_examples)
    ]
