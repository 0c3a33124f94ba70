"""The studies beyond mean scores: errors, the metric study, comparisons, kinds of question, and searches."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

from mathderive.metrics.breakdown import BreakdownRow, breakdown_rows
from mathderive.metrics.comparisons import Comparisons, EffectRow, PairRow, effect_rows, pair_rows
from mathderive.metrics.error_table import FINDINGS, ErrorRow, FindingRates, error_rows
from mathderive.metrics.measures import Measure, measures
from mathderive.metrics.metric_study import MetricStudyRow, metric_study
from mathderive.metrics.physics import FieldRow, PhysicsReferences, ReferenceRow, field_rows, reference_rows
from mathderive.metrics.registry import text_metrics
from mathderive.metrics.statistics import ALPHA, Comparison, Estimate
from mathderive.metrics.verified_at import (
    Predictions,
    SearchCostRow,
    VerifiedRow,
    search_cost_rows,
    verified_rows,
)
from mathderive.records import EvaluationSet, Example, MissingOperators, Scores
from mathderive.report.numbers import decimals, percent, value_of, with_interval
from mathderive.report.physics_tables import physics_tables
from mathderive.report.search_tables import search_tables
from mathderive.report.text_tables import TextTable, set_name
from mathderive.symbolic.engine.evaluation_sets import SET_TITLES


@dataclass(frozen=True)
class Studies:
    """The rows of every study; those that need verdicts are empty where answers were not checked."""

    errors: Sequence[ErrorRow]
    metric_study: Sequence[MetricStudyRow]
    comparisons: Sequence[PairRow]
    perturbation_effects: Sequence[EffectRow]
    breakdown: Sequence[BreakdownRow]
    verified_at: Sequence[VerifiedRow] = ()
    search_costs: Sequence[SearchCostRow] = ()
    by_field: Sequence[FieldRow] = ()
    references: Sequence[ReferenceRow] = ()


def make_studies(
    examples: Mapping[EvaluationSet, Sequence[Example]],
    scores: Scores,
    copy_model: str | None,
    predictions: Predictions,
    physics: PhysicsReferences | None = None,
) -> Studies:
    """Computes all rows from the records; rows of all models together leave the copy baseline out."""
    return Studies(
        errors=error_rows(scores),
        metric_study=metric_study(scores, copy_model),
        comparisons=pair_rows(scores),
        perturbation_effects=effect_rows(scores),
        breakdown=breakdown_rows(chain(*examples.values()), scores),
        verified_at=verified_rows(predictions),
        search_costs=search_cost_rows(predictions),
        by_field=field_rows(physics, scores) if physics else (),
        references=reference_rows(physics) if physics else (),
    )


def as_json(studies: Studies) -> dict[str, Any]:
    """Returns the studies' part of `tables.json`: values not rounded, each with its interval; null where unknown."""
    return {name: rows for name, rows in asdict(studies).items() if rows}


def as_markdown(studies: Studies) -> str:
    """Returns the studies' part of `tables.md`."""
    return "".join(f"\n## {title}\n\n{_joined(tables)}\n" for title, tables in _chapters(studies) if tables)


def _joined(tables: Sequence[TextTable]) -> str:
    return "\n\n".join(table.markdown() for table in tables)


def _chapters(studies: Studies) -> list[tuple[str, list[TextTable]]]:
    return [
        ("Search", search_tables(studies.verified_at, studies.search_costs)),
        ("Reasoning errors", error_tables(studies.errors)),
        ("Metric study", metric_study_tables(studies.metric_study)),
        ("Comparisons", comparison_tables(studies)),
        ("By kind of question", breakdown_tables(studies.breakdown)),
        ("Physics", physics_tables(studies.by_field, studies.references)),
    ]


def summary_tables(studies: Studies) -> list[TextTable]:
    """Lays out the tables for a terminal, over all sets and without intervals.

    They are those of errors, of the metric study, of searches and of physics.
    """
    errors = [row for row in studies.errors if row.set is None]
    study = [row for row in studies.metric_study if row.set is None]
    searches = [row for row in studies.verified_at if row.set is None]
    costs = [row for row in studies.search_costs if row.set is None]
    return [
        *error_tables(errors, intervals=False),
        *metric_study_tables(study, intervals=False),
        *search_tables(searches, costs, intervals=False),
        *physics_tables(studies.by_field, studies.references, intervals=False),
    ]


def error_tables(rows: Sequence[ErrorRow], intervals: bool = True) -> list[TextTable]:
    """Lays out the errors by equation and by derivation; no tables without rows."""
    if not rows:
        return []
    names = [finding.capitalize() for finding in FINDINGS]

    def table(title: str, key: str, head: Sequence[str], cells: Callable[[ErrorRow], list[str]]) -> TextTable:
        lines = [[row.model, set_name(row.set), *cells(row)] for row in rows]
        return TextTable(title, key, ["Model", "Set", *head, *names], lines)

    def shares(row: ErrorRow, show: Callable[[FindingRates], str]) -> list[str]:
        return [show(row.findings[finding]) for finding in FINDINGS]

    by_equation = table(
        "Errors by equation",
        ERRORS_KEY + " Percent of all equations, with the number of equations in parentheses.",
        ["Equations", "Valid"],
        lambda row: [
            str(row.equations),
            _shown(row.valid_equations, percent, intervals),
            *shares(row, lambda rates: f"{_shown(rates.of_equations, percent, intervals)} ({rates.equations})"),
        ],
    )
    by_derivation = table(
        "Errors by derivation",
        "Percent of answers that have at least one such equation, with the number of answers in parentheses. Sound: "
        "the goal is reached, and every equation is true. Verified: sound, and every equation that the goal depends on "
        "is a premise or follows by one operator.",
        ["Answers", "Sound", "Verified"],
        lambda row: [
            str(row.answers),
            _shown(row.sound, percent, intervals),
            _shown(row.verified, percent, intervals),
            *shares(row, lambda rates: f"{_shown(rates.of_answers, percent, intervals)} ({rates.answers})"),
        ],
    )
    return [by_equation, by_derivation, _missing_steps_table(rows)]


def _missing_steps_table(rows: Sequence[ErrorRow]) -> TextTable:
    """Lays out how many operators are missing where an answer skips steps."""

    def cells(counts: Mapping[MissingOperators, int]) -> list[str]:
        skipped = sum(counts.values())
        return [
            str(skipped),
            *(f"{100 * count / skipped:.1f} ({count})" if count else "0" for count in counts.values()),
        ]

    return TextTable(
        "Missing steps",
        "How many operators lead from earlier equations to a skipped one, in percent of the skipped equations, with "
        "their number in parentheses. More: more than three, or more than the bounded search finds. Unknown: the "
        "search was ended by its limits.",
        ["Model", "Set", "Skipped equations", "Two", "Three", "More", "Unknown"],
        [[row.model, set_name(row.set), *cells(row.missing_operators)] for row in rows],
    )


ERRORS_KEY = (
    "Valid: of the equations that the prompt does not state, those that are one operator away from earlier ones; – "
    "where there are none. An equation counts under the first of the paper's categories that applies: incorrect "
    "(false), redundant (said before), irrelevant (true, but the goal does not depend on it), skipped (true, but more "
    "than one operator away). Unparsable and undecided equations count separately."
)


def metric_study_tables(rows: Sequence[MetricStudyRow], intervals: bool = True) -> list[TextTable]:
    """Lays out how metrics rank verified answers and shares of valid equations; no tables without rows."""
    if not rows:
        return []
    metrics = [metric for metric in text_metrics() if any(row.metric == metric.key for row in rows)]
    by_place: dict[tuple[str | None, EvaluationSet | None], dict[str, MetricStudyRow]] = {}
    for row in rows:
        by_place.setdefault((row.model, row.set), {})[row.metric] = row

    def table(title: str, key: str, count: str, auc: str, correlation: str) -> TextTable:
        def cells(by_metric: Mapping[str, MetricStudyRow]) -> list[str]:
            rows_in_order = [by_metric.get(metric.key) for metric in metrics]
            return [
                _shown(getattr(row, field) if row else None, _two_decimals, intervals)
                for row in rows_in_order
                for field in (auc, correlation)
            ]

        head = [f"{metric.title} {statistic}" for metric in metrics for statistic in ("AUC", "ρ")]
        lines = []
        for (model, name), by_metric in by_place.items():
            any_row = next(iter(by_metric.values()))
            positive = f"{getattr(any_row, count)}/{any_row.answers}"
            lines.append([model or "All models", set_name(name), positive, *cells(by_metric)])
        return TextTable(title, key, ["Model", "Set", "Answers", *head], lines)

    return [
        table(
            "Do metrics see that a derivation is right?",
            "AUC: the probability that the metric ranks a verified answer above one that is not; 0.5 is chance. "
            "ρ: Spearman's correlation of the metric with being verified. Answers: the number of verified ones of all. "
            + STUDY_KEY,
            "verified",
            "verified_auc",
            "verified_correlation",
        ),
        table(
            "Do metrics see how many equations are valid?",
            "AUC: the same for answers in which every equation that the prompt does not state is valid; Answers counts "
            "these. "
            "ρ: Spearman's correlation of the metric with the share of valid equations.",
            "all_valid",
            "all_valid_auc",
            "valid_equations_correlation",
        ),
    ]


STUDY_KEY = "–: all answers are alike in this. All models: without the copy baseline."


def comparison_tables(studies: Studies) -> list[TextTable]:
    """Lays out the comparisons of models and the effects of perturbations; no tables without rows."""
    tables = []
    if rows := studies.comparisons:
        shown = _computed_measures([row.comparisons for row in rows])
        lines = [
            [row.model, row.other, SET_TITLES[row.set], *_differences(row.comparisons, shown), str(row.examples)]
            for row in rows
        ]
        head = ["Model", "Other", "Set", *(measure.title for measure in shown), "Examples"]
        tables.append(TextTable("Models compared", "Model minus other, ×100. " + COMPARISON_KEY, head, lines, labels=3))
    if effects := studies.perturbation_effects:
        shown = _computed_measures([row.comparisons for row in effects])
        lines = [
            [row.model, SET_TITLES[row.set], *_differences(row.comparisons, shown), str(row.pairs)] for row in effects
        ]
        head = ["Model", "Set", *(measure.title for measure in shown), "Pairs"]
        key = "Score on the variant minus score on its static example, ×100. " + COMPARISON_KEY
        tables.append(TextTable("Effects of the perturbations", key, head, lines))
    return tables


COMPARISON_KEY = (
    "Means of paired differences. * p < 0.05 by the paired bootstrap test on the same examples, adjusted for all tests "
    "in the column by Holm's method."
)


def breakdown_tables(rows: Sequence[BreakdownRow]) -> list[TextTable]:
    """Lays out means by the reference's number of equations and by its operators; no tables without rows."""
    kinds: tuple[tuple[Literal["equations", "operator"], str, str, str], ...] = (
        (
            "equations",
            "By length",
            "Equations",
            "Means ×100 over all sets, by the number of the reference's equations.",
        ),
        ("operator", "By operator", "Operator", "Means ×100 over the examples whose reference has the operator."),
    )
    tables = []
    for by, title, column, key in kinds:
        chosen = [row for row in rows if row.by == by]
        if chosen:
            shown = _computed_measures([row.means for row in chosen])
            lines = [
                [row.model, str(row.value), *(with_interval(row.means[m.key]) for m in shown), str(row.answers)]
                for row in chosen
            ]
            head = ["Model", column, *(measure.title for measure in shown), "Answers"]
            tables.append(TextTable(title, key, head, lines))
    return tables


def _computed_measures(rows: Sequence[Mapping[str, Any]]) -> list[Measure]:
    return [measure for measure in measures() if any(row[measure.key] for row in rows)]


def _differences(comparisons: Comparisons, shown: Sequence[Measure]) -> list[str]:
    return [_difference(comparisons[measure.key]) for measure in shown]


def _difference(comparison: Comparison | None) -> str:
    if comparison is None:
        return with_interval(None)
    significant = comparison.adjusted_p is not None and comparison.adjusted_p < ALPHA
    return with_interval(comparison.difference) + "*" * significant


def _shown(estimate: Estimate | None, show: Callable[[float | None], str], intervals: bool) -> str:
    return with_interval(estimate, show) if intervals else show(value_of(estimate))


def _two_decimals(value: float | None) -> str:
    return decimals(value, 2)
