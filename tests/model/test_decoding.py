"""Properties of decoding that hold for any search; `test_generate.py` compares the tokens with `generate`."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.core import devices
from mathderive.model import decoding
from mathderive.model.config import T5Config
from mathderive.model.decoding import MIN_LENGTH, MIN_ROWS, decode, group_by_length, padded_length
from mathderive.model.search_settings import SearchSettings
from tests.support.searches import sources_of
from tests.support.torch_t5 import Arrays, random_prompts

BEAMS = SearchSettings(num_beams=3, repetition_penalty=1.5)


@pytest.fixture
def replicated(params: Arrays) -> Any:
    return devices.replicate(params)


def test_a_row_does_not_depend_on_its_neighbours(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    together = decode(config, replicated, sources, 30, search=BEAMS)
    assert decode(config, replicated, sources[:2], 30, search=BEAMS) == together[:2]
    others = decode(config, replicated, [sources[0], [], sources[2]], 30, search=BEAMS)
    assert others == [together[0], [], together[2]]


def test_a_row_does_not_depend_on_what_is_padded_with_it(
    config: T5Config, replicated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [*sources_of(random_prompts(config, seed=8, rows=3 * MIN_ROWS, longest=300)), []]
    assert len(group_by_length(sorted(map(len, sources)))) > 1
    in_groups = decode(config, replicated, sources, 10, search=BEAMS)
    monkeypatch.setattr(decoding, "MIN_ROWS", len(sources))
    assert decode(config, replicated, sources, 10, search=BEAMS) == in_groups


@pytest.mark.slow
def test_the_limit_is_in_tokens(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    longest = decode(config, replicated, sources, 100)
    assert max(map(len, longest)) > MIN_LENGTH
    for limit in (1, MIN_LENGTH + 1):
        assert decode(config, replicated, sources, limit) == [row[:limit] for row in longest]


@pytest.mark.parametrize("search", [SearchSettings(), BEAMS])
def test_every_row_may_have_a_limit_of_its_own(
    config: T5Config, replicated: Any, sources: list[list[int]], search: SearchSettings
) -> None:
    limits = [3, 40, 9]
    apart = [
        decode(config, replicated, [one], limit, search=search)[0] for one, limit in zip(sources, limits, strict=True)
    ]
    assert decode(config, replicated, sources, limits, search=search) == apart


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", ["t5"])  # every number of rows and every length is compiled anew
def test_a_batch_goes_on_with_the_rows_that_are_left(
    config: T5Config, replicated: Any, sources: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch shrinks from 24 rows to 12 and to 8; the row with the longest output has the longest source."""
    sizes: list[int] = []
    select_rows = decoding._select_rows

    def record_size(source_length: int, state: Any, encoder_mask: Any, rows: np.ndarray) -> Any:
        sizes.append(rows.size)
        return select_rows(source_length, state, encoder_mask, rows)

    def all_rows(done: np.ndarray) -> np.ndarray:
        return np.arange(done.shape[1])[np.newaxis]

    config = replace(config, eos_token_id=config.vocab_size)  # never generated, so that only limits end rows
    rows = [sources[number % len(sources)][: 5 + number] for number in range(23)] + [[7] * 150]
    limits = [20] * 12 + [70] * 11 + [130]
    for search in (SearchSettings(), BEAMS):
        with monkeypatch.context() as patched:
            patched.setattr(decoding, "_select_rows", record_size)
            found = decode(config, replicated, rows, limits, search=search)
        with monkeypatch.context() as patched:
            patched.setattr(decoding, "_unfinished_rows", all_rows)
            assert decode(config, replicated, rows, limits, search=search) == found
    assert sizes == 2 * [12, 8]


def test_a_hypothesis_cut_at_the_limit_counts(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    found = decode(config, replicated, sources, 5, search=SearchSettings(num_beams=4, early_stopping=True))
    assert all(1 <= len(row) <= 5 for row in found)


def test_nothing_to_decode(config: T5Config, replicated: Any) -> None:
    assert decode(config, replicated, [], 5) == []
    assert decode(config, replicated, [[], []], 5) == [[], []]


@given(st.integers(1, 5000))
def test_padded_lengths_are_few_and_long_enough(length: int) -> None:
    padded = padded_length(length)
    assert padded >= length
    assert padded == MIN_LENGTH or padded < 1.5 * length
    assert len({padded_length(shorter) for shorter in range(1, length + 1)}) <= 2 * np.log2(padded / MIN_LENGTH) + 1


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=100).map(sorted))
def test_groups_hold_every_row_and_save_padding(lengths: list[int]) -> None:
    groups = group_by_length(lengths)
    padded = [length for rows, length in groups for _ in range(rows)]
    assert len(padded) == len(lengths)
    assert all(np.array(padded) >= lengths)
    assert all(rows >= MIN_ROWS for rows, _ in groups[:-1])
    together = len(lengths) * padded_length(lengths[-1])
    assert sum(padded) == together if len(groups) == 1 else sum(padded) <= 0.75 * together


def test_half_precision_decodes(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    rows = decode(config, replicated, sources, 10, "bfloat16")
    assert all(1 <= len(row) <= 10 for row in rows)
    assert np.max(np.concatenate(rows)) < config.vocab_size
