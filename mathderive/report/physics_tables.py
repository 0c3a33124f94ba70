"""The tables on derivations in physics that people wrote: the checker on the references, and models by field."""

from collections.abc import Sequence

from mathderive.metrics.measures import measures
from mathderive.metrics.physics import FieldRow, ReferenceRow
from mathderive.metrics.statistics import Estimate
from mathderive.records import TRUTHS
from mathderive.report.numbers import percent, value_of, with_interval
from mathderive.report.text_tables import TextTable


def physics_tables(
    by_field: Sequence[FieldRow], references: Sequence[ReferenceRow], intervals: bool = True
) -> list[TextTable]:
    """Lays out the verdicts on the references and the models' means by field; no table without rows."""
    show = with_interval if intervals else _without_interval
    tables = []
    if references:
        lines = [
            [
                _field_name(row.field),
                row.rules,
                str(row.derivations),
                str(row.equations),
                *(f"{_share(row.truths[truth], row.equations)} ({row.truths[truth]})" for truth in TRUTHS),
                show(row.sound),
                show(row.verified),
            ]
            for row in references
        ]
        head = ["Field", "Rules", "Derivations", "Equations", *map(str.capitalize, TRUTHS), "Sound", "Verified"]
        tables.append(TextTable("The checker on the derivations that people wrote", REFERENCES_KEY, head, lines))
    if by_field:
        shown = [measure for measure in measures() if any(row.means[measure.key] for row in by_field)]
        lines = [
            [row.model, _field_name(row.field), *(show(row.means[m.key]) for m in shown), str(row.answers)]
            for row in by_field
        ]
        head = ["Model", "Field", *(measure.title for measure in shown), "Answers"]
        tables.append(TextTable("Models by field of physics", "Means over the answers, ×100.", head, lines))
    return tables


REFERENCES_KEY = (
    "Verdicts: percent of the equations, with their number in parentheses. Sound and verified: percent of derivations. "
    "Rules: paper counts the paper’s operators as steps; textbook also counts what people do in one step. Undecided "
    "are mostly terms that the checker cannot evaluate, such as vectors. Verdicts on models’ answers are by the rules "
    "paper."
)


def _share(count: int, total: int) -> str:
    return percent(count / total if total else None)


def _without_interval(estimate: Estimate | None) -> str:
    return percent(value_of(estimate))


def _field_name(field: str | None) -> str:
    return "All fields" if field is None else field
