"""The tables of scores, sensitivity and failures in the files `tables.json` and `tables.md`.

They depend on a run's predictions, scores and sensitivity alone. The same records give the same text byte for byte:
nothing here reads the clock, the machine or the order of a Python set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from mathderive.metrics.statistics import Estimate, Interval
from mathderive.report.failure_table import FailureRow, failure_table
from mathderive.report.numbers import DASH, NOT_COMPUTED, value_of
from mathderive.report.score_table import ScoreRow, score_table
from mathderive.report.sensitivity_table import SENSITIVITY_KEY, SensitivityRow, sensitivity_tables


def as_json(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> dict[str, Any]:
    """Returns these tables' part of `tables.json`: means not rounded, intervals apart; null where not computed."""
    return {
        "scores": [
            {
                "model": row.model,
                "set": row.set,
                "examples": row.examples,
                **_values(row.means),
                "intervals": _intervals(row.means),
            }
            for row in scores
        ],
        "sensitivity": [
            {
                "model": row.model,
                "set": row.set,
                "pairs": row.pairs,
                **{metric: means and _values(means) for metric, means in row.means.items()},
                "intervals": {metric: means and _intervals(means) for metric, means in row.means.items()},
            }
            for row in sensitivity
        ],
        **({"failures": [asdict(row) for row in failures]} if failures else {}),
    }


def as_markdown(
    scores: Sequence[ScoreRow], sensitivity: Sequence[SensitivityRow], failures: Sequence[FailureRow] = ()
) -> str:
    """Returns these tables' part of `tables.md`: hundredths with one decimal, as in the paper; ratios with three."""
    tables = [score_table(scores), *([failure_table(failures)] if failures else [])]
    parts = [table.markdown(level=2) for table in tables]
    if sensitivity:
        by_metric = sensitivity_tables(sensitivity)
        tables += by_metric
        parts += ["## Sensitivity", SENSITIVITY_KEY, *(table.markdown() for table in by_metric)]
    if any(DASH in row for table in tables for row in table.rows):
        parts.append(NOT_COMPUTED)
    return "\n\n".join(parts) + "\n"


def _values(means: Mapping[Any, Estimate | None]) -> dict[str, float | None]:
    return {name: value_of(estimate) for name, estimate in means.items()}


def _intervals(means: Mapping[Any, Estimate | None]) -> dict[str, Interval | None]:
    return {name: None if estimate is None else estimate.interval for name, estimate in means.items()}
