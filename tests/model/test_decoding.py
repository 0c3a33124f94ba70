"""Decoding: what holds of any search. That the tokens are those of `generate` is in `test_generate.py`."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathderive.core import devices
from mathderive.model import decoding
from mathderive.model.decoding import MIN_LENGTH, MIN_ROWS, decode, group_by_length, padded_length
from mathderive.model.search_settings import SearchSettings
from tests.support.searches import prompts, sources_of
from tests.support.torch_t5 import random_prompts

BEAMS = SearchSettings(num_beams=3, repetition_penalty=1.5)


@pytest.fixture
def replicated(params):
    return devices.replicate(params)


@pytest.fixture
def sources(config):
    return sources_of(prompts(config))[:3]


def test_a_row_does_not_depend_on_its_neighbours(config, replicated, sources) -> None:
    together = decode(config, replicated, sources, 30, search=BEAMS)
    assert decode(config, replicated, sources[:2], 30, search=BEAMS) == together[:2]
    others = decode(config, replicated, [sources[0], [], sources[2]], 30, search=BEAMS)
    assert others == [together[0], [], together[2]]


def test_a_row_does_not_depend_on_what_is_padded_with_it(config, replicated, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [*sources_of(random_prompts(config, seed=8, rows=3 * MIN_ROWS, longest=300)), []]
    assert len(group_by_length(sorted(map(len, sources)))) > 1
    in_groups = decode(config, replicated, sources, 10, search=BEAMS)
    monkeypatch.setattr(decoding, "MIN_ROWS", len(sources))
    assert decode(config, replicated, sources, 10, search=BEAMS) == in_groups


@pytest.mark.slow
def test_the_limit_is_in_tokens(config, replicated, sources) -> None:
    longest = decode(config, replicated, sources, 100)
    assert max(map(len, longest)) > MIN_LENGTH
    for limit in (1, MIN_LENGTH + 1):
        assert decode(config, replicated, sources, limit) == [row[:limit] for row in longest]


@pytest.mark.parametrize("search", [SearchSettings(), BEAMS])
def test_every_row_may_have_a_limit_of_its_own(config, replicated, sources, search) -> None:
    limits = [3, 40, 9]
    apart = [
        decode(config, replicated, [one], limit, search=search)[0] for one, limit in zip(sources, limits, strict=True)
    ]
    assert decode(config, replicated, sources, limits, search=search) == apart


def test_a_batch_goes_on_with_the_rows_that_are_left(
    config, replicated, sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 24 rows over 12 to 8, of which the one that is longest on its way has the longest source."""
    left = []
    keep = decoding._select_rows
    monkeypatch.setattr(decoding, "_select_rows", lambda *given: (left.append(given[-1].size), keep(*given))[1])
    config = replace(config, eos_token_id=config.vocab_size)  # which is never said, so that limits alone end rows
    rows = [sources[number % len(sources)][: 5 + number] for number in range(23)] + [[7] * 150]
    limits = [20] * 12 + [70] * 11 + [130]
    for search in (SearchSettings(), BEAMS):
        found = decode(config, replicated, rows, limits, search=search)
        for number in (0, 11, 12, 22, 23):
            assert decode(config, replicated, [rows[number]], limits[number], search=search) == [found[number]]
    assert left == 2 * [12, 8]


def test_a_hypothesis_cut_at_the_limit_counts(config, replicated, sources) -> None:
    found = decode(config, replicated, sources, 5, search=SearchSettings(num_beams=4, early_stopping=True))
    assert all(1 <= len(row) <= 5 for row in found)


def test_nothing_to_decode(config, replicated) -> None:
    assert decode(config, replicated, [], 5) == []
    assert decode(config, replicated, [[], []], 5) == [[], []]


@given(st.integers(1, 5000))
def test_padded_lengths_are_few_and_long_enough(length) -> None:
    padded = padded_length(length)
    assert padded >= length
    assert padded == MIN_LENGTH or padded < 1.5 * length
    assert len({padded_length(shorter) for shorter in range(1, length + 1)}) <= 2 * np.log2(padded / MIN_LENGTH) + 1


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=100).map(sorted))
def test_groups_hold_every_row_and_save_padding(lengths) -> None:
    groups = group_by_length(lengths)
    padded = [length for rows, length in groups for _ in range(rows)]
    assert len(padded) == len(lengths)
    assert all(np.array(padded) >= lengths)
    assert all(rows >= MIN_ROWS for rows, _ in groups[:-1])
    together = len(lengths) * padded_length(lengths[-1])
    assert sum(padded) == together if len(groups) == 1 else sum(padded) <= 0.75 * together


def test_half_precision_decodes(config, replicated, sources) -> None:
    rows = decode(config, replicated, sources, 10, "bfloat16")
    assert all(1 <= len(row) <= 10 for row in rows)
    assert np.max(np.concatenate(rows)) < config.vocab_size
