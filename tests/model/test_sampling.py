"""Properties of sampling: what its frequencies are, and that a sample depends on its key and its source alone."""

from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.decoding import decode, sample
from mathderive.model.parameters import bind
from mathderive.model.sampling import Sample, Sampling, sample_key, truncated
from tests.support.searches import sharpened
from tests.support.torch_t5 import Arrays

DRAWS = 4000
"""Number of draws whose frequencies are compared with probabilities."""


def keys(example: str, count: int) -> list[tuple[int, int]]:
    return [sample_key(0, example, number) for number in range(count)]


@pytest.fixture
def weights(params: Arrays, config: T5Config) -> Arrays:
    return sharpened(params, config)


@pytest.fixture
def replicated(weights: Arrays) -> Any:
    return devices.replicate(weights)


def log_probabilities(config: T5Config, weights: Arrays, source: list[int], output: list[int]) -> np.ndarray:
    """Of every token at every place of an output, with teacher forcing: `[length, vocab_size]`."""
    model = bind(config, weights, "float32")
    inputs = [[config.decoder_start_token_id, *output[:-1]]]
    logits = np.asarray(model(jnp.array([source]), jnp.ones((1, len(source)), bool), jnp.array(inputs)))[0].astype(
        float
    )
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_temperature_0_is_greedy_search(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    samplings = [Sampling(keys(str(row), 2), temperature=0, top_p=0.5) for row in range(3)]
    greedy = decode(config, replicated, sources, 30)
    for drawn, expected in zip(sample(config, replicated, sources, samplings, 30), greedy, strict=True):
        assert [one.ids for one in drawn] == [expected, expected]


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_tokens_have_the_frequencies_of_the_softmax(
    config: T5Config, weights: Arrays, replicated: Any, sources: list[list[int]], temperature: float
) -> None:
    source = sources[0]
    logits = log_probabilities(config, weights, source, [0])[0] / temperature
    expected = np.exp(logits) / np.exp(logits).sum() * DRAWS
    (drawn,) = sample(config, replicated, [source], [Sampling(keys("a", DRAWS), temperature)], 1)
    counts = np.bincount([one.ids[0] for one in drawn], minlength=config.vocab_size)
    order = np.argsort(expected)  # the least likely ones, of fewer than 10 expected draws together, count as one
    rare = order[: max(1, np.searchsorted(np.cumsum(expected[order]), 10) + 1)]
    others = np.setdiff1d(order, rare)
    assert len(others) > 3
    both = [[*found[others], found[rare].sum()] for found in (counts, expected)]
    assert stats.chisquare(*both).pvalue > 1e-4


@pytest.mark.slow
def test_a_sample_depends_on_its_source_and_key_alone(
    config: T5Config, replicated: Any, sources: list[list[int]]
) -> None:
    samplings = [Sampling(keys(str(row), 3), temperature=1.3) for row in range(3)]
    together = sample(config, replicated, sources, samplings, 40)
    assert len({tuple(one.ids) for drawn in together for one in drawn}) > 5
    for source, sampling, drawn in zip(sources, samplings, together, strict=True):
        for key, one in zip(sampling.keys, drawn, strict=True):
            assert ids(sample(config, replicated, [source], [replace(sampling, keys=[key])], 40)) == [[one.ids]]
    mixed = sample(config, replicated, [[], *sources[1:]], [replace(samplings[0], temperature=0), *samplings[1:]], 40)
    assert ids(mixed) == [[], *ids(together)[1:]]


def ids(drawn: list[list[Sample]]) -> list[list[list[int]]]:
    return [[one.ids for one in samples] for samples in drawn]


@pytest.mark.slow
def test_the_log_probability_is_the_models(
    config: T5Config, weights: Arrays, replicated: Any, sources: list[list[int]]
) -> None:
    samplings = [Sampling(keys(str(row), 2), temperature=0.7, top_k=20) for row in range(3)]
    for source, drawn in zip(sources, sample(config, replicated, sources, samplings, 12), strict=True):
        for one in drawn:
            each = log_probabilities(config, weights, source, one.ids)[np.arange(len(one.ids)), one.ids]
            assert one.log_probability == pytest.approx(each.sum(), rel=1e-4)


@pytest.mark.slow
def test_a_sample_goes_on_from_its_own_beginning_as_before(
    config: T5Config, weights: Arrays, replicated: Any, sources: list[list[int]]
) -> None:
    samplings = [Sampling(keys(str(row), 1)) for row in range(3)]
    whole = [drawn[0] for drawn in sample(config, replicated, sources, samplings, 40)]
    begun = [replace(samplings[row], beginning=whole[row].ids[: row * 3]) for row in range(3)]
    again = [drawn[0] for drawn in sample(config, replicated, sources, begun, 40)]
    assert [one.ids for one in again] == [one.ids for one in whole]
    for source, sampling, one in zip(sources, begun, again, strict=True):
        forced = len(sampling.beginning)
        rest = log_probabilities(config, weights, source, one.ids)[np.arange(forced, len(one.ids)), one.ids[forced:]]
        assert one.log_probability == pytest.approx(rest.sum(), rel=1e-4)


def test_every_row_may_have_a_limit_of_its_own(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    samplings = [Sampling(keys(str(row), 2)) for row in range(3)]
    whole = sample(config, replicated, sources, samplings, 40)
    limits = [3, 40, 9]
    expected = [[one.ids[:limit] for one in drawn] for limit, drawn in zip(limits, whole, strict=True)]
    assert ids(sample(config, replicated, sources, samplings, limits)) == expected


@settings(deadline=None)  # the first example of each length compiles
@given(
    st.sampled_from((2, 5, 12)).flatmap(
        lambda size: st.lists(st.integers(-8, 8), min_size=size, max_size=size, unique=True)
    ),
    st.integers(1, 12),
    st.floats(0.01, 1.0),
)
def test_top_k_and_top_p_keep_the_most_likely_tokens(logits: list[int], top_k: int, top_p: float) -> None:
    array = np.array(logits, np.float32)
    top_k = min(top_k, len(logits))
    order = np.argsort(-array)[:top_k]
    probabilities = np.exp(array[order]) / np.exp(array[order]).sum()
    reached = np.cumsum(probabilities) - probabilities
    if np.abs(reached - top_p).min() < 1e-5:
        return  # rounding decides
    kept = set(order[reached < top_p].tolist())
    found = truncated(jnp.array(array[None, None]), jnp.array([top_k]), jnp.array([top_p]))
    assert set(np.flatnonzero(np.isfinite(found[0, 0])).tolist()) == kept


def test_keys_differ() -> None:
    found = {sample_key(seed, name, number) for seed in range(3) for name in ("a", "b", "1") for number in range(50)}
    assert len(found) == 450
    assert sample_key(1, "1a", 1) != sample_key(1, "a", 11)


@pytest.mark.parametrize("wrong", [{"keys": []}, {"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}])
def test_settings_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Sampling(**{"keys": keys("a", 1), **wrong})


def test_a_beginning_must_leave_room(config: T5Config, replicated: Any, sources: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="beginning"):
        sample(config, replicated, sources[:1], [Sampling(keys("a", 1), beginning=[5, 6])], 2)
