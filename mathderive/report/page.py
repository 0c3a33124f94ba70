"""The report: an HTML page that opens from disk, with the tables as Markdown and JSON beside it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from mathderive.core.files import write_json, write_text
from mathderive.metrics.checked_answers import CheckedAnswer
from mathderive.metrics.error_table import FINDINGS
from mathderive.metrics.physics import PhysicsReferences
from mathderive.records import PERTURBED_SETS, EvaluationSet, Example, Prediction, Record, Scores, Sensitivity
from mathderive.report import studies, tables
from mathderive.report.examples import ShownExample, answers_by_example, choose, shown_example
from mathderive.report.explorer import MAX_EXAMPLES, explorer_data
from mathderive.report.failure_table import FAILURES_KEY, FailureRow, failure_rows
from mathderive.report.figures import (
    breakdown_figure,
    metric_study_figure,
    score_figure,
    training_figure,
    training_summary,
)
from mathderive.report.headline import Headline, make_headline
from mathderive.report.numbers import NOT_COMPUTED
from mathderive.report.physics_tables import physics_tables
from mathderive.report.recorded import RECORDED, RECORDED_EXAMPLES, RecordedRow
from mathderive.report.score_table import ScoreRow, computed_measures, score_grid, score_rows, score_table
from mathderive.report.search_figure import search_figure
from mathderive.report.search_tables import search_tables
from mathderive.report.self_training_table import (
    SelfTrainingRow,
    self_training_as_json,
    self_training_as_markdown,
    self_training_table,
)
from mathderive.report.sensitivity_table import SensitivityRow, sensitivity_grid, sensitivity_rows
from mathderive.report.studies import Studies
from mathderive.report.templates import drawn_figure, read_text, render_page
from mathderive.report.verdict_signs import elements_script
from mathderive.symbolic.engine.evaluation_sets import SET_LABELS, SET_TITLES, evaluation_set


@dataclass(frozen=True)
class ReportContents:
    """The report's contents as plain data; mappings are shown in their own order.

    Attributes:
        config: the resolved config as YAML.
        environment: hardware, versions, git revision and content hash, shown as given.
        timings: the seconds that each stage took.
        origin: a word for the examples: `generated`, `released` or `physics`.
        facts: what stands at the top of the page, such as the date and the command.
        checked: the checker's verdicts, where answers were checked.
        training: the rows of the trained model's `metrics.jsonl`, if one was trained (see `training_figure`).
        notes: remarks that come first, such as that a predictor was skipped and why.
        shown_examples: the number of examples that are shown in full.
        copy_model: the predictor that repeats the prompt; the page explains it if it has scores.
        self_training: the rounds of self-training, where there were any.
        physics: the references, if people wrote them.
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
    self_training: Sequence[SelfTrainingRow] = ()
    physics: PhysicsReferences | None = None
    origin: str = "generated"
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def recorded(self) -> Sequence[RecordedRow]:
        """The authors' means, where the examples are of the paper's kind."""
        return () if self.origin == "physics" else RECORDED


def write_report(folder: Path, contents: ReportContents) -> str:
    """Writes `tables.json`, `tables.md` and `index.html`, each whole or not at all; returns a terminal's tables."""
    scores = score_rows(contents.scores)
    sensitivity = sensitivity_rows(contents.sensitivity)
    failures = failure_rows(contents.predictions)
    results = studies.make_studies(
        contents.examples, contents.scores, contents.copy_model, contents.predictions, contents.physics
    )
    headline = make_headline(scores, results.comparisons, contents.copy_model)
    rounds = contents.self_training
    as_json = {**tables.as_json(scores, sensitivity, failures), **studies.as_json(results)}
    write_json(folder / "tables.json", {**as_json, **self_training_as_json(rounds)})
    chapters = [
        tables.as_markdown(scores, sensitivity, failures)
        + studies.as_markdown(results)
        + self_training_as_markdown(rounds)
    ]
    parts = [table.plain() for table in studies.summary_tables(results)]
    if headline is not None:
        chapters.insert(0, headline.markdown())
        parts.append(headline.plain())
    write_text(folder / "tables.md", "\n".join(chapters))
    write_text(folder / "index.html", render(contents, headline, scores, sensitivity, failures, results))
    return "\n\n".join(parts)


def render(
    contents: ReportContents,
    headline: Headline | None,
    scores: Sequence[ScoreRow],
    sensitivity: Sequence[SensitivityRow],
    failures: Sequence[FailureRow],
    results: Studies,
) -> str:
    """Renders the page."""
    copy_model = contents.copy_model
    questions = sum(map(len, contents.examples.values()))
    explored = shown_examples(contents, MAX_EXAMPLES)
    explorer = explorer_data(explored) if any(example.answers for example in explored) else ""
    return render_page(
        "template.html",
        title=contents.title,
        script=elements_script() + read_text("explorer.js") if explorer else "",
        explorer=explorer,
        contents=contents,
        headline=headline,
        scores=score_grid(scores, contents.recorded),
        **_figures(contents, scores, results),
        sensitivity=sensitivity_grid(sensitivity),
        failures=failures,
        failures_key=FAILURES_KEY,
        questions=questions,
        score_table=score_table(scores),
        measures=computed_measures(scores),
        copied=next((row for row in scores if row.model == copy_model), None),
        searches=search_tables(results.verified_at, results.search_costs),
        errors=studies.error_tables(results.errors),
        metric_study=studies.metric_study_tables(results.metric_study),
        comparisons=studies.comparison_tables(results),
        breakdown=studies.breakdown_tables(results.breakdown),
        physics=[physics_tables(results.by_field, results.references, intervals) for intervals in (False, True)],
        training_summary=training_summary(contents.training or ()),
        self_training=self_training_table(contents.self_training) if contents.self_training else None,
        omitted=questions - len(explored),
        findings=FINDINGS,
        recorded_examples=RECORDED_EXAMPLES,
        examples=shown_examples(contents, contents.shown_examples),
        set_names=SET_TITLES,
        set_labels=SET_LABELS,
        perturbed_sets=[evaluation_set(key) for key in PERTURBED_SETS],
        not_computed=NOT_COMPUTED,
    )


def _figures(contents: ReportContents, scores: Sequence[ScoreRow], results: Studies) -> dict[str, list[str]]:
    copy_model = contents.copy_model
    return {
        "figure": drawn_figure(lambda shape: score_figure(scores, copy_model, shape, contents.recorded)),
        "search_figure": drawn_figure(
            lambda shape: search_figure(results.verified_at, shape) if results.verified_at else None
        ),
        "metric_study_figure": drawn_figure(
            lambda shape: metric_study_figure(results.metric_study, copy_model, shape) if results.metric_study else None
        ),
        "breakdown_figure": drawn_figure(
            lambda shape: breakdown_figure(results.breakdown, copy_model, shape) if results.breakdown else None
        ),
        "training": drawn_figure(lambda shape: training_figure(contents.training or (), shape)),
    }


def shown_examples(contents: ReportContents, count: int) -> list[ShownExample]:
    """Lays out at most `count` of the examples, with all answers to them."""
    answers = answers_by_example(_all(contents.predictions), _all(contents.scores), _all(contents.checked))
    return [shown_example(example, answers.get(example.id, ())) for example in choose(contents.examples, count)]


_RecordT = TypeVar("_RecordT", bound=Record)


def _all(records: Mapping[str, Mapping[EvaluationSet, Sequence[_RecordT]]]) -> Iterator[_RecordT]:
    """Yields the records of all models and sets."""
    return chain.from_iterable(chain.from_iterable(by_set.values()) for by_set in records.values())
