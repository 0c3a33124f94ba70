"""An answer beside its reference: laws of the matching, and a longest common subsequence by trying all."""

from collections import Counter
from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from mathderive.report.alignment import align, common_subsequence

SEQUENCES = st.text(alphabet="abc", max_size=7)


def longest_by_trying(first: str, second: str) -> int:
    for size in range(len(first), 0, -1):
        of_second = set(combinations(second, size))
        if any(chosen in of_second for chosen in combinations(first, size)):
            return size
    return 0


@given(SEQUENCES, SEQUENCES)
def test_the_common_subsequence_is_one_and_longest(first: str, second: str) -> None:
    pairs = common_subsequence(first, second)
    assert all(first[i] == second[j] for i, j in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))
    assert len(pairs) == longest_by_trying(first, second)


@given(SEQUENCES, SEQUENCES)
def test_every_equation_is_matched_as_often_as_both_have_it(reference: str, answer: str) -> None:
    matches = align(reference, answer).matches
    for equation, match in zip(answer, matches, strict=True):
        assert (match.place is None) == (match.mark == "new") == (equation not in reference)
        assert match.place is None or reference[match.place] == equation
    taken = [match.place for match in matches if match.mark in ("same", "moved")]
    assert len(taken) == len(set(taken)) == (Counter(reference) & Counter(answer)).total()


@given(SEQUENCES, SEQUENCES)
def test_rows_keep_the_order_and_put_the_same_side_by_side(reference: str, answer: str) -> None:
    alignment = align(reference, answer)
    for rows in (alignment.rows, alignment.reference_rows):
        assert list(rows) == sorted(set(rows))
    for match, row in zip(alignment.matches, alignment.rows, strict=True):
        if match.mark == "same":
            assert match.place is not None
            assert alignment.reference_rows[match.place] == row
    used = {*alignment.rows, *alignment.reference_rows}
    assert used == set(range(len(used)))  # no row is empty


@given(SEQUENCES)
def test_a_reference_is_the_same_as_itself(reference: str) -> None:
    alignment = align(reference, reference)
    assert [match.mark for match in alignment.matches] == ["same"] * len(reference)
    assert alignment.rows == alignment.reference_rows == tuple(range(len(reference)))


def test_what_moved_what_is_said_again_and_what_is_new() -> None:
    alignment = align("abcd", "acdbax")
    marks = [(match.mark, match.place) for match in alignment.matches]
    assert marks == [("same", 0), ("same", 2), ("same", 3), ("moved", 1), ("again", 0), ("new", None)]
    assert (alignment.reference_rows, alignment.rows) == ((0, 1, 2, 3), (0, 2, 3, 4, 5, 6))
