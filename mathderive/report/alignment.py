"""The alignment of an answer with its reference: the equations of both, matched in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mark = Literal["same", "moved", "again", "new"]
"""The relation of an answer's equation to the reference.

same: it is in the reference, in the same order.
moved: it is in the reference, in another place.
again: it is in the reference, but matched already.
new: it is not in the reference.
"""


@dataclass(frozen=True)
class Match:
    """The match of an answer's equation; `place` is the index of the reference's equation, from 0."""

    mark: Mark
    place: int | None


@dataclass(frozen=True)
class Alignment:
    """An answer beside its reference.

    Attributes:
        matches: the match of each equation of the answer.
        rows: the row, from 0, of each equation of the answer when both texts are shown side by side. Equations marked
            `same` share a row with the reference's; those between them fill the rows between from the top.
        reference_rows: the row of each equation of the reference.
    """

    matches: tuple[Match, ...]
    rows: tuple[int, ...]
    reference_rows: tuple[int, ...]


def align(reference: Sequence[str], answer: Sequence[str]) -> Alignment:
    """Matches equations along a longest common subsequence, then the remaining equal ones from the beginning.

    Args:
        reference: the reference's equations, each `mathderive.metrics.text.normalised`.
        answer: the answer's equations, each normalised too.
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
    """Returns the index pairs of a longest common subsequence; of several, one that begins as early as possible."""
    # lengths[i][j] is the length of the longest common subsequence of first[i:] and second[j:].
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
    """Returns the rows of the second sequence's items and those of the first's."""
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
