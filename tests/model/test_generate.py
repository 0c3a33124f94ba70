"""Searches give the tokens of `generate` in transformers: recorded tokens, or PyTorch's if it is installed."""

from operator import ne
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.decoding import decode
from mathderive.model.parameters import initialise
from mathderive.model.search_settings import SearchSettings
from tests.support.searches import SEARCHES, assert_same, limit, prompts, sharpened, sources_of
from tests.support.torch_t5 import (
    PUBLISHED,
    SEEDS,
    Arrays,
    random_params,
    random_prompts,
    torch_generate,
    torch_model_of,
    torch_score,
)

FAST = ("greedy", "the paper's validation")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in SEARCHES]
)
def test_tokens_are_those_of_generate(name: str, kind: str, config: T5Config, params: Arrays) -> None:
    with np.load(Path(__file__).parent / "golden" / "generated.npz") as generated:
        expected = generated[f"{kind}/{name}"]
    replicated = devices.replicate(sharpened(params, config))
    found = decode(config, replicated, sources_of(prompts(config)), expected.shape[1], search=SEARCHES[name])
    assert_same(found, expected, config)
    if SEARCHES[name].length_penalty <= 1:
        assert len({len(row) for row in found}) > 1, "rows should end at different lengths"
    assert len({token for row in found for token in row}) > 20, "rows should have many different tokens"


@pytest.mark.slow
# Short prompts are padded to one length, long ones in groups, whatever the search. If two logits are equal to rounding
# error, PyTorch's choice may be wrong: with the first seed and long prompts, its own float64 result differs once.
@pytest.mark.parametrize(
    ("name", "longest", "seed"),
    [(name, 40, 1) for name in SEARCHES] + [(name, 300, 2) for name in ("greedy", "the paper's validation")],
)
def test_tokens_are_those_of_generate_today(name: str, longest: int, seed: int, kind: str, config: T5Config) -> None:
    pytest.importorskip("torch")
    seed += SEEDS[kind]
    batch = random_prompts(config, seed, rows=100, longest=longest)
    params = sharpened(random_params(config, seed), config)
    expected = torch_generate(torch_model_of(config, params), batch, limit(SEARCHES[name]), SEARCHES[name])
    found = decode(config, devices.replicate(params), sources_of(batch), expected.shape[1], search=SEARCHES[name])
    assert_same(found, expected, config)


def settle_a_tie(
    model: Any, sources: list[list[int]], found: list[list[int]], generated: np.ndarray, search: SearchSettings
) -> list[list[int]]:
    """`found`, with PyTorch's choice in at most one row where both hypotheses have the same score.

    These models' beams compare many hypotheses, and two of them may have the same score in single precision. PyTorch
    adds the terms of a score in another order.
    """
    eos, settled = model.config.eos_token_id, list(found)
    for row, (source, ours, theirs) in enumerate(zip(sources, found, generated.tolist(), strict=True)):
        if eos in theirs:
            theirs = theirs[: theirs.index(eos) + 1]
        if ours != theirs and torch_score(model, source, ours, search) == pytest.approx(
            torch_score(model, source, theirs, search), abs=1e-4
        ):
            settled[row] = theirs
    assert sum(map(ne, settled, found)) <= 1
    return settled


# The base shapes, which differ from the small ones in sizes only, are compared in test_parity.py.
@pytest.mark.slow
@pytest.mark.parametrize("shape", ["t5-tiny", "t5-small", "t5-1.1-tiny", "t5-1.1-small"])
def test_published_shapes_write_the_tokens_of_generate(shape: str) -> None:
    pytest.importorskip("torch")
    config = PUBLISHED[shape]
    params = {name: np.array(array) for name, array in initialise(config, seed=0).items()}
    # The end-of-sequence token gets larger weights, because no row would end without them.
    for name, column in (("embedding", np.s_[config.eos_token_id]), ("head", np.s_[:, config.eos_token_id])):
        if name in params:
            params[name][column] *= 3
    model, replicated = torch_model_of(config, params), devices.replicate(params)
    batch = random_prompts(config, seed=1, rows=60 if "tiny" in shape else 10, longest=16)
    sources = sources_of(batch)
    for name in ("greedy, penalty", "2 beams", "4 beams, penalty"):
        search = SEARCHES[name]
        expected = torch_generate(model, batch, 8, search)
        found = decode(config, replicated, sources, 8, search=search)
        if search.num_beams > 1:
            found = settle_a_tie(model, sources, found, expected, search)
        assert_same(found, expected, config)
