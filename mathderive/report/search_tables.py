"""The tables of searches: verified@n, and the cost of a verified derivation."""

from collections.abc import Sequence

from mathderive.metrics.verified_at import SearchCostRow, VerifiedRow
from mathderive.report.numbers import DASH, decimals, percent, value_of, with_interval
from mathderive.report.text_tables import TextTable, set_name

VERIFIED_AT_KEY = (
    "Percent of questions that have a verified answer among n, with 95 % bootstrap intervals. Greedy first: the greedy "
    "answer and n − 1 samples. Samples: n samples without the greedy answer. Unbiased: estimated from all samples "
    "of a question (Chen et al., 2021, equation 1). Solved: the search stopped at its first verified answer, so the "
    "share of questions that it had solved is taken; ≥ marks a lower bound, where n answers end within a round."
)

COST_KEY = (
    "What all questions cost, per question with a verified answer. Samples include the greedy answer. Checks: distinct "
    "answers that were checked. Seconds: sampling and checking."
)


def search_tables(
    rows: Sequence[VerifiedRow], costs: Sequence[SearchCostRow], intervals: bool = True
) -> list[TextTable]:
    """Lays out both tables; none without rows."""
    if not rows:
        return []
    largest = max(point.n for row in rows for point in row.points)
    sizes = sorted({*(4**power for power in range(largest.bit_length()) if 4**power <= largest), largest})
    lines = [
        [
            row.model,
            set_name(row.set),
            f"{'greedy first' if row.includes_greedy else 'samples'}, {row.estimator}",
            str(row.questions),
            _shown(row, None, intervals),
            *(_shown(row, n, intervals) for n in sizes),
        ]
        for row in rows
    ]
    head = ["Model", "Set", "Answers", "Questions", "Greedy", *(f"n = {n}" for n in sizes)]
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


def _shown(row: VerifiedRow, n: int | None, intervals: bool) -> str:
    """Formats the share for n answers, or that of the greedy answers."""
    if n is None:
        share, is_exact = row.greedy, True
    else:
        point = next((point for point in row.points if point.n == n), None)
        if point is None:
            return DASH
        share, is_exact = point.share, point.is_exact
    text = with_interval(share) if intervals else percent(value_of(share))
    return text if is_exact else f"≥ {text}"
