"""Greedy decoding against `generate` of transformers: recorded tokens, and PyTorch where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch_t5 import SEEDS, random_batch, random_params, torch_generate, torch_model

from mathderive.model import decoding
from mathderive.model.decoding import SHORTEST, greedy_decode, padded_length


def sources_of(batch):
    return [ids[mask].tolist() for ids, mask in zip(batch["input_ids"], batch["encoder_mask"], strict=True)]


def assert_same(found, generated, config):
    """`generated` pads after the end; ours stop there."""
    for row, expected in zip(found, generated.tolist(), strict=True):
        assert row == expected[: len(row)]
        assert row[-1] == config.eos_token_id or len(row) == len(expected)
        assert set(expected[len(row) :]) <= {config.pad_token_id}


def test_tokens_are_those_of_generate(config, params, golden):
    found = greedy_decode(config, params, sources_of(golden), golden["generated"].shape[1])
    assert_same(found, golden["generated"], config)
    assert len({len(row) for row in found}) > 1, "rows should end at different lengths"
    assert len({token for row in found for token in row}) > 5, "rows should say something"


@pytest.mark.slow
def test_tokens_are_those_of_generate_today(kind, config):
    pytest.importorskip("torch")
    seed = SEEDS[kind] + 1
    batch = random_batch(config, seed)
    expected = torch_generate(torch_model(config, seed), batch, 100)
    assert_same(greedy_decode(config, random_params(config, seed), sources_of(batch), 100), expected, config)


def test_a_row_does_not_depend_on_its_neighbours(config, params, golden):
    sources = sources_of(golden)
    together = greedy_decode(config, params, sources, 30)
    assert greedy_decode(config, params, sources[:2], 30) == together[:2]
    assert greedy_decode(config, params, [sources[0], [], sources[2]], 30) == [together[0], [], together[2]]


def test_the_limit_is_in_tokens(config, params, golden):
    longest = greedy_decode(config, params, sources_of(golden), 100)
    for limit in (1, SHORTEST + 1):
        assert greedy_decode(config, params, sources_of(golden), limit) == [row[:limit] for row in longest]


def test_nothing_to_decode(config, params):
    assert greedy_decode(config, params, [], 5) == []
    assert greedy_decode(config, params, [[], []], 5) == [[], []]


@given(st.integers(1, 5000))
def test_padded_lengths_are_few_and_long_enough(length):
    padded = padded_length(length)
    assert padded >= length
    assert padded == SHORTEST or padded < 2 * length
    assert padded & (padded - 1) == 0


def test_batches_of_like_lengths_compile_once(config, params):
    greedy_decode(config, params, [[5] * 10, [6] * 20], 20)
    compiled = decoding._segment._cache_size()
    greedy_decode(config, params, [[7] * 33, [8] * 50], 20)
    assert decoding._segment._cache_size() == compiled


def test_half_precision_decodes(config, params, golden):
    rows = greedy_decode(config, params, sources_of(golden), 10, "bfloat16")
    assert all(1 <= len(row) <= 10 for row in rows)
    assert np.array(rows[1]).max() < config.vocab_size
