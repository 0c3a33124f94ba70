"""The memory of a process with all processes that it has started, and those that these have started."""

from collections import Counter
from pathlib import Path


def memory_mebibytes(process_id: int) -> dict[str, int]:
    """`resident` counts pages that processes share once for each of them, `proportional` counts them once."""
    totals: Counter[str] = Counter()
    for process in [process_id, *_descendants(process_id)]:
        try:
            rows = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # the process has ended
        totals.update(
            {name: int(row.split()[1]) for row in rows for name in ("Rss", "Pss") if row.startswith(f"{name}:")}
        )
    return {"resident": totals["Rss"] // 1024, "proportional": totals["Pss"] // 1024}


def _descendants(process_id: int) -> list[int]:
    found = []
    for children in Path(f"/proc/{process_id}/task").glob("*/children"):
        try:
            numbers = [int(child) for child in children.read_text().split()]
        except OSError:
            continue  # the process has ended
        for child in numbers:
            found += [child, *_descendants(child)]
    return found
