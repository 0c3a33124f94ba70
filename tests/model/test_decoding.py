"""Decoding: what holds of any search. That the tokens are those of `generate` is in `test_generate.py`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from searches import prompts, sources_of

from mathderive import parallel
from mathderive.model.decoding import SHORTEST, decode, padded_length
from mathderive.model.search_settings import SearchSettings

BEAMS = SearchSettings(num_beams=3, repetition_penalty=1.5)


@pytest.fixture
def replicated(params):
    return parallel.replicate(params)


@pytest.fixture
def sources(config):
    return sources_of(prompts(config))[:3]


def test_a_row_does_not_depend_on_its_neighbours(config, replicated, sources):
    together = decode(config, replicated, sources, 30, search=BEAMS)
    assert decode(config, replicated, sources[:2], 30, search=BEAMS) == together[:2]
    others = decode(config, replicated, [sources[0], [], sources[2]], 30, search=BEAMS)
    assert others == [together[0], [], together[2]]


@pytest.mark.slow
def test_the_limit_is_in_tokens(config, replicated, sources):
    longest = decode(config, replicated, sources, 100)
    assert max(map(len, longest)) > SHORTEST
    for limit in (1, SHORTEST + 1):
        assert decode(config, replicated, sources, limit) == [row[:limit] for row in longest]


def test_a_hypothesis_cut_at_the_limit_counts(config, replicated, sources):
    found = decode(config, replicated, sources, 5, search=SearchSettings(num_beams=4, early_stopping=True))
    assert all(1 <= len(row) <= 5 for row in found)


def test_nothing_to_decode(config, replicated):
    assert decode(config, replicated, [], 5) == []
    assert decode(config, replicated, [[], []], 5) == [[], []]


@given(st.integers(1, 5000))
def test_padded_lengths_are_few_and_long_enough(length):
    padded = padded_length(length)
    assert padded >= length
    assert padded == SHORTEST or padded < 2 * length
    assert padded & (padded - 1) == 0


def test_half_precision_decodes(config, replicated, sources):
    rows = decode(config, replicated, sources, 10, "bfloat16")
    assert all(1 <= len(row) <= 10 for row in rows)
    assert np.max(np.concatenate(rows)) < config.vocab_size
