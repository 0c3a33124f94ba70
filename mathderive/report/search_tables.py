"""The tables of searches: verified@n, and the cost of a verified derivation."""

from collections.abc import Sequence

from mathderive.metrics.verified_at import SearchCostRow, VerifiedRow
from mathderive.report.numbers import DASH, decimals, percent, value_of, with_interval
from mathderive.report.text_tables import TextTable, set_name

GREEDY = "★"
"""The mark of the greedy answer alone."""

VERIFIED_AT_KEY = (
    "Percent of questions that have a verified answer among n, with 95 % bootstrap intervals. Greedy first: the greedy "
    f"answer ({GREEDY} it alone) and n − 1 samples. Samples: n samples without the greedy answer. Unbiased: estimated "
    "from all samples of a question (Chen et al., 2021, equation 1). Solved: the search stopped at its first verified "
    "answer, so the share of questions that it had solved is taken; ≥ marks a lower bound, where n answers end within "
    "a round."
)

COST_KEY = (
    "The cost of all questions, per question with a verified answer. Samples include the greedy answer. Checks: "
    "distinct answers that were checked. Seconds: sampling and checking."
)


def search_tables(
    rows: Sequence[VerifiedRow], costs: Sequence[SearchCostRow], intervals: bool = True
) -> list[TextTable]:
    """Lays out both tables; none without rows."""
    if not rows:
        return []
    ends = {row.points[-1].n for row in rows}
    sizes = sorted({*(4**power for power in range(6) if 4**power <= max(ends)), *ends})
    lines = [
        [
            row.model,
            set_name(row.set),
            f"{'greedy first' if row.includes_greedy else 'samples'}, {row.estimator}",
            str(row.questions),
            *(_shown(row, n, intervals) for n in sizes),
        ]
        for row in rows
    ]
    head = ["Model", "Set", "Answers", "Questions", *(f"n = {n}" for n in sizes)]
    cost_lines = [
        [
            row.model,
            set_name(row.set),
            str(row.questions),
            str(row.verified),
            *(
                with_interval(cost, lambda value: decimals(value, 1)) if intervals else decimals(value_of(cost), 1)
                for cost in (row.samples, row.tokens, row.checks, row.seconds)
            ),
        ]
        for row in costs
    ]
    cost_head = ["Model", "Set", "Questions", "Verified", "Samples", "Tokens", "Checks", "Seconds"]
    return [
        TextTable("verified@n", VERIFIED_AT_KEY, head, lines, labels=3),
        TextTable("Cost of a verified derivation", COST_KEY, cost_head, cost_lines),
    ]


def _shown(row: VerifiedRow, n: int, intervals: bool) -> str:
    """Formats the share for n answers."""
    point = next((point for point in row.points if point.n == n), None)
    if point is None:
        return DASH
    text = with_interval(point.share) if intervals else percent(value_of(point.share))
    if row.includes_greedy and n == 1:
        return f"{GREEDY} {text}"
    return text if point.is_exact else f"≥ {text}"
