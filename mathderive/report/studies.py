"""What the report says beyond means: errors, what metrics see of them, comparisons, and scores by kind of question."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Literal

from mathderive.metrics.breakdown import BreakdownRow, breakdown_rows
from mathderive.metrics.comparisons import Comparisons, EffectRow, PairRow, effect_rows, pair_rows
from mathderive.metrics.error_table import FINDINGS, ErrorRow, FindingRates, error_rows
from mathderive.metrics.metric_study import MetricStudyRow, metric_study
from mathderive.metrics.statistics import Comparison, Estimate
from mathderive.records import MEASURES, METRICS, EvaluationSet, Example, Measure, Metric, Scores
from mathderive.report.tables import (
    MEASURE_NAMES,
    METRIC_NAMES,
    SET_NAMES,
    decimals,
    percent,
    value_of,
    with_interval,
)
from mathderive.report.text_tables import TextTable

ALPHA = 0.05


@dataclass(frozen=True)
class Studies:
    """The rows, computed once; those that need verdicts are empty where none were given."""

    errors: Sequence[ErrorRow]
    metric_study: Sequence[MetricStudyRow]
    comparisons: Sequence[PairRow]
    perturbation_effects: Sequence[EffectRow]
    breakdown: Sequence[BreakdownRow]


def make_studies(
    examples: Mapping[EvaluationSet, Sequence[Example]], scores: Scores, copy_model: str | None
) -> Studies:
    """All rows from the records; the copy baseline is no part of what is said of all models together."""
    return Studies(
        errors=error_rows(scores),
        metric_study=metric_study(scores, copy_model),
        comparisons=pair_rows(scores),
        perturbation_effects=effect_rows(scores),
        breakdown=breakdown_rows(chain(*examples.values()), scores),
    )


def as_json(studies: Studies) -> dict[str, Any]:
    """The studies' part of `tables.json`: unrounded, an estimate as its value and its interval; null where unknown."""
    return {name: rows for name, rows in asdict(studies).items() if rows}


def as_markdown(studies: Studies) -> str:
    """The studies' part of `tables.md`."""
    return "".join(f"\n## {title}\n\n{_joined(tables)}\n" for title, tables in _chapters(studies) if tables)


def _joined(tables: Sequence[TextTable]) -> str:
    return "\n\n".join(table.markdown() for table in tables)


def _chapters(studies: Studies) -> list[tuple[str, list[TextTable]]]:
    return [
        ("Reasoning errors", error_tables(studies.errors)),
        ("Do metrics see errors?", metric_study_tables(studies.metric_study)),
        ("Comparisons", comparison_tables(studies)),
        ("By kind of question", breakdown_tables(studies.breakdown)),
    ]


def summary_tables(studies: Studies) -> list[TextTable]:
    """What a terminal has room for: errors, and what metrics see of them, over all sets and without intervals."""
    errors = [row for row in studies.errors if row.set is None]
    study = [row for row in studies.metric_study if row.set is None]
    return [*error_tables(errors, intervals=False), *metric_study_tables(study, intervals=False)]


def error_tables(rows: Sequence[ErrorRow], intervals: bool = True) -> list[TextTable]:
    """The error table by equation and by derivation; none without rows."""
    if not rows:
        return []
    names = [finding.capitalize() for finding in FINDINGS]

    def table(title: str, key: str, head: Sequence[str], cells: Callable[[ErrorRow], list[str]]) -> TextTable:
        lines = [[row.model, _set_name(row.set), *cells(row)] for row in rows]
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
            *shares(row, lambda found: f"{_shown(found.of_equations, percent, intervals)} ({found.equations})"),
        ],
    )
    by_derivation = table(
        "Errors by derivation",
        "Percent of answers that have at least one such equation, with the number of answers in parentheses. Verified: "
        "the goal is reached, and every equation it depends on is a premise or follows by one operator.",
        ["Answers", "Verified"],
        lambda row: [
            str(row.answers),
            _shown(row.verified, percent, intervals),
            *shares(row, lambda found: f"{_shown(found.of_answers, percent, intervals)} ({found.answers})"),
        ],
    )
    return [by_equation, by_derivation]


ERRORS_KEY = (
    "Valid: a premise, or one operator away from earlier equations. An equation has the first that applies of the "
    "paper's categories: incorrect (false), redundant (said before), irrelevant (true, but the goal does not depend on "
    "it), skipped (true, but more than one operator away). Unparsable and undecided ones are counted apart."
)


def metric_study_tables(rows: Sequence[MetricStudyRow], intervals: bool = True) -> list[TextTable]:
    """What metrics see of being verified, and of the share of valid equations; none without rows."""
    if not rows:
        return []
    metrics = [metric for metric in METRICS if any(row.metric == metric for row in rows)]
    by_place: dict[tuple[str | None, EvaluationSet | None], dict[Metric, MetricStudyRow]] = {}
    for row in rows:
        by_place.setdefault((row.model, row.set), {})[row.metric] = row

    def table(title: str, key: str, count: str, auc: str, correlation: str) -> TextTable:
        def cells(of_metric: Mapping[Metric, MetricStudyRow]) -> list[str]:
            found = [of_metric.get(metric) for metric in metrics]
            return [
                _shown(getattr(row, field) if row else None, _two_decimals, intervals)
                for row in found
                for field in (auc, correlation)
            ]

        head = [f"{METRIC_NAMES[metric]} {what}" for metric in metrics for what in ("AUC", "ρ")]
        lines = []
        for (model, name), of_metric in by_place.items():
            of_any = next(iter(of_metric.values()))
            positive = f"{getattr(of_any, count)}/{of_any.answers}"
            lines.append([model or "All models", _set_name(name), positive, *cells(of_metric)])
        return TextTable(title, key, ["Model", "Set", "Answers", *head], lines)

    return [
        table(
            "Do metrics see that a derivation is right?",
            "AUC: the probability that the metric ranks a verified answer above one that is not; 0.5 is chance. "
            "ρ: Spearman's correlation of the metric with being verified. Answers: how many of them are verified. "
            + STUDY_KEY,
            "verified",
            "verified_auc",
            "verified_correlation",
        ),
        table(
            "Do metrics see how many equations are valid?",
            "AUC: the same for answers whose every equation is valid; Answers counts these. "
            "ρ: Spearman's correlation of the metric with the share of valid equations.",
            "all_valid",
            "all_valid_auc",
            "valid_equations_correlation",
        ),
    ]


STUDY_KEY = "–: of all or of none of the answers. All models: without the copy baseline."


def comparison_tables(studies: Studies) -> list[TextTable]:
    """Models against one another, and variants against static examples; none without rows."""
    tables = []
    if rows := studies.comparisons:
        measures = _measures([row.comparisons for row in rows])
        lines = [
            [row.model, row.other, SET_NAMES[row.set], *_compared(row.comparisons, measures), str(row.examples)]
            for row in rows
        ]
        head = ["Model", "Other", "Set", *(MEASURE_NAMES[measure] for measure in measures), "Examples"]
        tables.append(TextTable("Models compared", "Model minus other, ×100. " + COMPARISON_KEY, head, lines, labels=3))
    if effects := studies.perturbation_effects:
        measures = _measures([row.comparisons for row in effects])
        lines = [
            [row.model, SET_NAMES[row.set], *_compared(row.comparisons, measures), str(row.pairs)] for row in effects
        ]
        head = ["Model", "Set", *(MEASURE_NAMES[measure] for measure in measures), "Pairs"]
        key = "Score on the variant minus score on its static example, ×100. " + COMPARISON_KEY
        tables.append(TextTable("Effects of the perturbations", key, head, lines))
    return tables


COMPARISON_KEY = (
    "Means of paired differences. * p < 0.05 by the paired bootstrap test on the same examples, adjusted for all tests "
    "in the column by Holm's method."
)


def breakdown_tables(rows: Sequence[BreakdownRow]) -> list[TextTable]:
    """Means by the reference's number of equations and by its operators; none without rows."""
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
        of_kind = [row for row in rows if row.by == by]
        if of_kind:
            measures = _measures([row.means for row in of_kind])
            lines = [
                [row.model, str(row.value), *(with_interval(row.means[m]) for m in measures), str(row.answers)]
                for row in of_kind
            ]
            head = ["Model", column, *(MEASURE_NAMES[measure] for measure in measures), "Answers"]
            tables.append(TextTable(title, key, head, lines))
    return tables


def _measures(of_rows: Sequence[Mapping[Measure, Any]]) -> list[Measure]:
    return [measure for measure in MEASURES if any(found[measure] for found in of_rows)]


def _compared(comparisons: Comparisons, measures: Sequence[Measure]) -> list[str]:
    return [_difference(comparisons[measure]) for measure in measures]


def _difference(comparison: Comparison | None) -> str:
    if comparison is None:
        return with_interval(None)
    significant = comparison.adjusted_p is not None and comparison.adjusted_p < ALPHA
    return with_interval(comparison.difference) + "*" * significant


def _shown(estimate: Estimate | None, show: Callable[[float | None], str], intervals: bool) -> str:
    return with_interval(estimate, show) if intervals else show(value_of(estimate))


def _two_decimals(value: float | None) -> str:
    return decimals(value, 2)


def _set_name(name: EvaluationSet | None) -> str:
    return "All sets" if name is None else SET_NAMES[name]
