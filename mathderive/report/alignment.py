"""Where an answer is as its reference is: the equations of both, matched in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mark = Literal["same", "moved", "again", "new"]
"""Of an answer's equation: one of the reference's, in the reference's order; one of the reference's, elsewhere; one of
the reference's that is matched already; none of the reference's."""


@dataclass(frozen=True)
class Match:
    """What an answer's equation is in the reference; `place` is the reference's equation, from 0."""

    mark: Mark
    place: int | None


@dataclass(frozen=True)
class Alignment:
    """An answer beside its reference.

    Attributes:
        matches: of each equation of the answer.
        rows, reference_rows: of each equation of the answer and of the reference, the row, from 0, that it stands in
            when both are written side by side: the same equations share one, and what lies between them fills the rows
            between from the top.
    """

    matches: tuple[Match, ...]
    rows: tuple[int, ...]
    reference_rows: tuple[int, ...]


def align(reference: Sequence[str], answer: Sequence[str]) -> Alignment:
    """Matches along a longest common subsequence, then what is left where it is equal, from the beginning.

    Args:
        reference, answer: equations in one spelling (`mathderive.metrics.text.normalised`).
    """
    pairs = common_subsequence(reference, answer)
    matches = {written: Match("same", place) for place, written in pairs}
    taken = {place for place, _ in pairs}
    for written, equation in enumerate(answer):
        if written not in matches:
            places = [place for place, known in enumerate(reference) if known == equation]
            free = [place for place in places if place not in taken]
            if free:
                matches[written] = Match("moved", free[0])
                taken.add(free[0])
            else:
                matches[written] = Match("again", places[0]) if places else Match("new", None)
    rows, reference_rows = _rows(pairs, len(reference), len(answer))
    return Alignment(tuple(matches[written] for written in range(len(answer))), rows, reference_rows)


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int]]:
    """The places, in both, of a longest common subsequence; of several, one that begins as early as it can."""
    # lengths[i][j]: of the longest common subsequence of first[i:] and second[j:]
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in reversed(range(len(first))):
        for j in reversed(range(len(second))):
            equal = first[i] == second[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if equal else max(lengths[i + 1][j], lengths[i][j + 1])
    pairs, i, j = [], 0, 0
    while lengths[i][j]:
        if first[i] == second[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] == lengths[i][j]:
            i += 1
        else:
            j += 1
    return pairs


def _rows(pairs: Sequence[tuple[int, int]], first: int, second: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows of the second sequence's and of the first's items."""
    first_rows: list[int] = []
    second_rows: list[int] = []
    row = 0
    for i, j in (*pairs, (first, second)):
        before = i - len(first_rows), j - len(second_rows)
        first_rows += range(row, row + before[0])
        second_rows += range(row, row + before[1])
        row += max(before)
        if (i, j) != (first, second):
            first_rows.append(row)
            second_rows.append(row)
            row += 1
    return tuple(second_rows), tuple(first_rows)
