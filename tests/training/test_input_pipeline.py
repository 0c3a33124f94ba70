"""Batches have every example once an epoch, depend on (seed, step) alone, and have little padding."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathderive.config.training_options import FirstToken
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.training.input_pipeline import Batches, TokenPair, batch_iterator, choose_shapes, collate, tokenize
from mathderive.training.step import label_loss
from tests.support.torch_t5 import CONFIGS, Arrays, random_params, torch_model

CONFIG = T5Config(
    vocab_size=1000, d_model=1, d_kv=1, d_ff=1, num_heads=1, num_layers=1, num_decoder_layers=1,
    pad_token_id=0, decoder_start_token_id=3,
)  # fmt: skip


def example(number: int, source_length: int, target_length: int) -> TokenPair:
    """A pair of texts that repeat the token 10 + number."""
    return np.full(source_length, 10 + number, np.int32), np.full(target_length, 10 + number, np.int32)


def numbers(batch: Arrays) -> list[int]:
    rows = (batch["labels"] != 0).any(axis=1)
    return (batch["labels"][rows, 0] - 10).tolist()


lengths = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 90)), min_size=1, max_size=60)


@settings(deadline=None)
@given(lengths=lengths, batch_size=st.integers(1, 9), seed=st.integers(0, 5))
def test_an_epoch_has_every_example_once(lengths: list[tuple[int, int]], batch_size: int, seed: int) -> None:
    examples = [example(number, *pair) for number, pair in enumerate(lengths)]
    batches = Batches(examples, CONFIG, batch_size, seed)
    assert batches.steps_per_epoch == -(-len(examples) // batch_size)
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        seen = Counter(number for step in steps for number in numbers(batches[step]))
        assert seen == Counter(range(len(examples)))


@settings(deadline=None)
@given(lengths=lengths, batch_size=st.integers(1, 9))
def test_batches_hold_whole_examples_in_few_shapes(lengths: list[tuple[int, int]], batch_size: int) -> None:
    examples = [example(number, *pair) for number, pair in enumerate(lengths)]
    batches = Batches(examples, CONFIG, batch_size, seed=0)
    shapes = set()
    for step in range(batches.steps_per_epoch):
        batch = batches[step]
        shapes.add((batch["input_ids"].shape[1], batch["labels"].shape[1]))
        assert len(batch["input_ids"]) == len(batch["labels"]) == batch_size
        for row, number in enumerate(numbers(batch)):
            source, target = examples[number]
            assert np.trim_zeros(batch["input_ids"][row]).tolist() == source.tolist()
            assert np.trim_zeros(batch["labels"][row]).tolist() == target.tolist()
    assert shapes <= set(batches.shapes)
    assert len(batches.shapes) <= 6


def test_decoder_inputs_are_the_labels_one_step_late() -> None:
    batch = Batches([(np.array([5, 6, 1]), np.array([7, 8, 1]))], CONFIG, 2, seed=0)[0]
    assert batch["input_ids"][0, :4].tolist() == [5, 6, 1, 0]
    assert batch["labels"][0, :4].tolist() == [7, 8, 1, 0]
    assert batch["decoder_input_ids"][0, :4].tolist() == [3, 7, 8, 1]
    assert not batch["labels"][1].any()


def test_the_authors_first_token_is_no_label() -> None:
    examples = [(np.array([5, 6, 1]), np.array([7, 8, 9, 1]))]
    batch = Batches(examples, CONFIG, 1, seed=0, first_token="authors")[0]
    assert batch["input_ids"][0, :4].tolist() == [5, 6, 1, 0]
    assert batch["decoder_input_ids"][0, :4].tolist() == [7, 8, 9, 1]
    assert batch["labels"][0, :4].tolist() == [8, 9, 1, 0]


@pytest.mark.parametrize("first_token", ["fixed", "authors"])
def test_the_loss_is_that_of_transformers(first_token: FirstToken) -> None:
    torch = pytest.importorskip("torch")
    config = CONFIGS["t5"]
    examples = [(np.array([5, 6, 1]), np.array([7, 8, 9, 1])), (np.array([4, 1]), np.array([9, 1]))]
    batch = collate(examples, config, 2, (8, 8), first_token)
    params: Any = random_params(config, 0)
    loss, count = label_loss(config, params, dict(jax.tree.map(jnp.asarray, batch)), None, "float32")

    targets = torch.tensor([[7, 8, 9, 1], [9, 1, 0, 0]])
    labels = targets.masked_fill(targets == 0, -100)
    # The authors give decoder inputs and labels; from labels alone, transformers makes the decoder inputs.
    shifted = {"decoder_input_ids": targets[:, :-1], "labels": labels[:, 1:].contiguous()}
    fed = shifted if first_token == "authors" else {"labels": labels}
    sources = torch.tensor([[5, 6, 1], [4, 1, 0]])
    expected = torch_model(config, 0)(input_ids=sources, attention_mask=(sources != 0).long(), **fed).loss
    assert float(loss / count) == pytest.approx(expected.item(), abs=1e-5)


def test_batches_depend_on_seed_and_step_alone() -> None:
    examples = [example(number, 1 + number % 50, 1 + number % 70) for number in range(100)]
    first, again, other = (Batches(examples, CONFIG, 8, seed) for seed in (4, 4, 5))
    for step in (30, 2, 17):
        for key in first[step]:
            np.testing.assert_array_equal(first[step][key], again[step][key])
    assert [numbers(first[step]) for step in range(5)] != [numbers(other[step]) for step in range(5)]
    assert [numbers(first[step]) for step in range(13)] != [numbers(first[step]) for step in range(13, 26)]


def test_the_iterator_goes_on_from_where_its_state_was_taken() -> None:
    examples = [example(number, 1 + number % 50, 1 + number % 70) for number in range(50)]
    batches = Batches(examples, CONFIG, 8, seed=0)
    iterator = batch_iterator(batches, 20)
    for _ in range(9):
        next(iterator)
    state = iterator.get_state()
    rest = [numbers(batch) for batch in iterator]
    resumed = batch_iterator(batches, 20)
    resumed.set_state(state)
    assert [numbers(batch) for batch in resumed] == rest
    assert rest == [numbers(batches[step]) for step in range(9, 20)]


def padded_tokens(lengths: Iterable[Sequence[int]], shapes: Sequence[tuple[int, int]]) -> int:
    return sum(
        next(source + target for source, target in shapes if source >= pair[0] and target >= pair[1])
        for pair in lengths
    )


@settings(deadline=None, max_examples=50)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=12),
    count=st.integers(1, 3),
)
def test_no_other_chain_of_shapes_pads_less(lengths: list[tuple[int, int]], count: int) -> None:
    shapes = choose_shapes(np.array(lengths), count)
    assert len(shapes) <= count
    assert all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(shapes))
    grid = list(itertools.product(range(8, 40, 8), range(8, 40, 8)))
    last = shapes[-1]
    smaller = [shape for shape in grid if shape[0] <= last[0] and shape[1] <= last[1] and shape != last]
    best = min(
        padded_tokens(lengths, [*chain, last])
        for size in range(count)
        for chain in itertools.combinations(smaller, size)
        if all(a <= c and b <= d for (a, b), (c, d) in itertools.pairwise(chain))
    )
    assert padded_tokens(lengths, shapes) == best


def test_more_shapes_pad_less() -> None:
    rng = np.random.default_rng(0)
    lengths = (rng.gamma(6, 15, (500, 1)) * rng.uniform(0.8, 1.2, (500, 2)) + 1).astype(int)
    shares = [lengths.sum() / padded_tokens(lengths, choose_shapes(lengths, count)) for count in (1, 3, 6)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.8


class Letters:
    """A tokenizer that has a token for each letter."""

    vocab_size = 200

    def encode(self, text: str) -> list[int]:
        return [*map(ord, text), 1]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids[:-1]))

    def save(self, folder: Path) -> None:
        raise NotImplementedError


def test_long_texts_are_cut_and_keep_their_end() -> None:
    ((source, target),) = tokenize([("abcdef", "xyz")], Letters(), 4, 4)
    assert source.tolist() == [*map(ord, "abc"), 1]
    assert target.tolist() == [*map(ord, "xyz"), 1]


def test_no_examples_is_one_line() -> None:
    with pytest.raises(InputError, match="no examples"):
        Batches([], CONFIG, 4, seed=0)
