"""The cache stays within its bytes, and gives what the function gives."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from mathderive.core.caching import cached_within


def test_a_text_in_the_cache_is_not_computed_again() -> None:
    seen: list[str] = []

    @cached_within(10_000)
    def double(text: str) -> str | None:
        seen.append(text)
        return 2 * text or None

    assert [double(text) for text in ("a", "", "b", "a", "")] == ["aa", None, "bb", "aa", None]
    assert seen == ["a", "", "b"]


def test_memory_stays_within_the_bound_for_texts_of_any_length() -> None:
    @cached_within(1_000_000)
    def repeat(text: str) -> str | None:
        return 50 * text

    tracemalloc.start()
    try:
        for number in range(20_000):
            repeat(f"{number:01000d}")
        repeat("x" * 10**7)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 500_000 < held < 1_500_000


@given(st.lists(st.text(max_size=3), max_size=50), st.integers(0, 2_000))
def test_any_sequence_of_texts_gives_the_functions_results(texts: list[str], max_bytes: int) -> None:
    @cached_within(max_bytes)
    def reverse(text: str) -> str | None:
        return text[::-1]

    assert [reverse(text) for text in texts] == [text[::-1] for text in texts]
