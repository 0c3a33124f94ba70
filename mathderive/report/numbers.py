"""Numbers as the report's tables show them."""

import re
from collections.abc import Callable

from mathderive.metrics.statistics import Estimate

DASH = "–"
NOT_COMPUTED = f"{DASH} not computed."


def percent(value: float | None) -> str:
    """Formats a share in hundredths with one decimal; None as a dash."""
    return DASH if value is None else _with_minus_sign(f"{100 * value:.1f}")


def decimals(value: float | None, places: int = 3) -> str:
    """Formats a number with so many decimals; None as a dash."""
    return DASH if value is None else _with_minus_sign(f"{value:.{places}f}")


def with_interval(estimate: Estimate | None, show: Callable[[float | None], str] = percent) -> str:
    """Formats a value, followed by its interval in brackets if it has one."""
    if estimate is None or estimate.interval is None:
        return show(value_of(estimate))
    low, high = estimate.interval
    return f"{show(estimate.value)} [{show(low)}, {show(high)}]"


def split_interval(cell: str) -> tuple[str, str]:
    """Splits a cell such as `3.2 [1.0, 5.4]*` into the value with its marks, and the interval or an empty text."""
    found = re.fullmatch(r"(.*?) (\[[^\[\]]*\])(.*)", cell)
    return (found[1] + found[3], found[2]) if found else (cell, "")


def value_of(estimate: Estimate | None) -> float | None:
    """Returns the value alone."""
    return None if estimate is None else estimate.value


def _with_minus_sign(number: str) -> str:
    """Writes a typographic minus, and none before zero."""
    return re.sub(r"^-(?=[0.]*$)", "", number).replace("-", "−")
