"""The smallest supports, against trying every set."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from mathderive.checker.inference.dependencies import smallest_supports


@st.composite
def steps(draw: st.DrawFn) -> tuple[dict[int, list[frozenset[int]]], set[int]]:
    count = draw(st.integers(1, 7))
    options: dict[int, list[frozenset[int]]] = {
        number: draw(st.lists(st.frozensets(st.integers(1, number - 1), max_size=2), min_size=1, max_size=3))
        if number > 1
        else [frozenset()]
        for number in range(1, count + 1)
    }
    return options, draw(st.sets(st.integers(1, count)))


@given(steps())
def test_it_is_the_union_of_all_smallest_sets(drawn: tuple[dict[int, list[frozenset[int]]], set[int]]) -> None:
    options, free = drawn
    end = max(options)
    supports = [
        {*chosen, end}
        for size in range(end)
        for chosen in combinations(range(1, end), size)
        if all(any(option <= {*chosen, end} for option in options[step]) for step in (*chosen, end))
    ]
    best = min(len(support - free) for support in supports)
    smallest = set().union(*(support for support in supports if len(support - free) == best))
    needed = smallest_supports(end, options, free)
    assert needed - free == smallest - free
    assert needed <= smallest
