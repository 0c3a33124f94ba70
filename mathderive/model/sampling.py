"""Sampling: which token each sample of an output goes on with.

A token is drawn from `softmax(logits / temperature)` by the Gumbel-max trick: the largest of the scaled logits with
independent Gumbel noise added has that distribution (Maddison et al., *A\\* Sampling*, 2014). Top-k (Fan et al.,
*Hierarchical Neural Story Generation*, 2018) and top-p (Holtzman et al., *The Curious Case of Neural Text
Degeneration*, 2020) remove unlikely tokens first, in this order, as `generate` in transformers does.

The noise of a token depends on the key of its sample and the token's position alone, so a sample does not depend on
the batch or the devices that it is drawn on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mathderive.model import ops
from mathderive.model.beams import write_tokens
from mathderive.model.cache import resize_axis
from mathderive.model.config import T5Config

_REMOVED = -jnp.inf
"""The logit of a token that top-k or top-p removes."""


_LEAST = 1e-6
"""Replaces smaller temperatures and top-p above 0, where float32 would overflow or round to 0."""


@dataclass(frozen=True)
class Sampling:
    """How the samples of one source are drawn.

    Attributes:
        keys: one for each sample, from `sample_key`.
        temperature: what the logits are divided by; 0 takes the most likely token, as greedy search does.
        top_k: number of the most likely tokens that may be drawn; None for all.
        top_p: the most likely tokens may be drawn whose probabilities add up to this.
        beginning: token ids that every sample begins with.
    """

    keys: Sequence[tuple[int, int]]
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    beginning: Sequence[int] = ()

    def __post_init__(self) -> None:
        is_valid = self.top_k is None or self.top_k > 0
        if not (self.keys and self.temperature >= 0 and 0 < self.top_p <= 1 and is_valid):
            raise ValueError("expected at least one key, temperature >= 0, top_k > 0 and 0 < top_p <= 1")


class Sample(NamedTuple):
    """A sample: its token ids, and the model's log-probability of those after the forced beginning."""

    ids: list[int]
    log_probability: float


def sample_key(seed: int, example: str, number: int) -> tuple[int, int]:
    """The key of a sample: two numbers of 32 bits that depend on the seed, the example's id and the sample's number."""
    digest = blake2b(f"{seed}\x00{number}\x00{example}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest[:4], "little"), int.from_bytes(digest[4:], "little")


class SampleState(NamedTuple):
    """The samples of each row between two steps.

    Attributes:
        live_tokens: `[batch, samples, length]`, the tokens so far.
        ended: `[batch, samples]`.
        log_probabilities: `[batch, samples]`, the model's, of the drawn tokens.
        keys: `[batch, samples, 2]`.
        temperature, top_p: `[batch]`.
        top_k: `[batch]`, at most the size of the vocabulary.
        beginning: `[batch, longest_beginning]`, padded.
        beginning_length: `[batch]`.
    """

    live_tokens: jax.Array
    ended: jax.Array
    log_probabilities: jax.Array
    keys: jax.Array
    temperature: jax.Array
    top_k: jax.Array
    top_p: jax.Array
    beginning: jax.Array
    beginning_length: jax.Array

    @property
    def done(self) -> jax.Array:
        """`[batch]`, true for rows of which every sample has ended."""
        return jnp.all(self.ended, axis=-1)

    def resize(self, length: int) -> "SampleState":
        """Makes room for `length` tokens."""
        return self._replace(live_tokens=resize_axis(self.live_tokens, length, 2))


def initial_samples(
    config: T5Config, samplings: Sequence[Sampling], empty: np.ndarray, longest_beginning: int
) -> SampleState:
    """The state of these rows before the first token, without room for tokens.

    Args:
        empty: `[batch]`, true for rows that are not sampled.
        longest_beginning: number of tokens for which the beginnings are padded.
    """
    rows, samples = len(samplings), len(samplings[0].keys)
    beginnings = np.full((rows, longest_beginning), config.pad_token_id, np.int32)
    for row, one in enumerate(samplings):
        beginnings[row, : len(one.beginning)] = one.beginning
    top_k = [min(one.top_k or config.vocab_size, config.vocab_size) for one in samplings]
    return SampleState(
        live_tokens=jnp.zeros((rows, samples, 0), jnp.int32),
        ended=jnp.asarray(np.repeat(empty[:, None], samples, axis=1)),
        log_probabilities=jnp.zeros((rows, samples)),
        keys=jnp.array([one.keys for one in samplings], jnp.uint32),
        temperature=jnp.array([one.temperature and max(one.temperature, _LEAST) for one in samplings]),
        top_k=jnp.array(top_k),
        top_p=jnp.array([max(one.top_p, _LEAST) for one in samplings]),
        beginning=jnp.asarray(beginnings),
        beginning_length=jnp.array([len(one.beginning) for one in samplings]),
    )


def sample_step(
    config: T5Config,
    truncates: bool,
    state: SampleState,
    logits: jax.Array,
    position: jax.Array,
    last_position: jax.Array,
) -> SampleState:
    """Draws the token at `position` of each sample.

    Args:
        truncates: whether any row has top-k or top-p.
        logits: `[batch, samples, vocab_size]`, of the token at `position`.
        position: scalar.
        last_position: `[batch]`; samples end there.
    """
    is_forced = (position < state.beginning_length)[:, None]
    token_ids = jnp.where(is_forced, _forced_tokens(state, position), _drawn_tokens(truncates, state, logits, position))
    log_probabilities = jnp.take_along_axis(jax.nn.log_softmax(logits), token_ids[:, :, None], axis=2)[:, :, 0]
    token_ids = jnp.where(state.ended, config.pad_token_id, token_ids)
    ended = state.ended | (token_ids == config.eos_token_id) | (position == last_position)[:, None]
    return state._replace(
        live_tokens=write_tokens(state.live_tokens, token_ids, position),
        ended=ended,
        log_probabilities=state.log_probabilities + jnp.where(state.ended | is_forced, 0.0, log_probabilities),
    )


def _forced_tokens(state: SampleState, position: jax.Array) -> jax.Array:
    """The token of each row's beginning at `position`, `[batch, 1]`; any token after its end."""
    place = jnp.minimum(position, state.beginning.shape[1] - 1)
    return jax.lax.dynamic_index_in_dim(state.beginning, place, axis=1)


def _drawn_tokens(truncates: bool, state: SampleState, logits: jax.Array, position: jax.Array) -> jax.Array:
    """A token for each sample, `[batch, samples]`."""
    temperature = state.temperature[:, None, None]
    scaled = logits / jnp.where(temperature > 0, temperature, 1.0)
    if truncates:
        scaled = truncated(scaled, state.top_k, state.top_p)
    keys = jax.random.wrap_key_data(state.keys, impl="threefry2x32")

    def noise(key: jax.Array) -> jax.Array:
        return jax.random.gumbel(jax.random.fold_in(key, position), logits.shape[-1:])

    drawn = scaled + jax.vmap(jax.vmap(noise))(keys)
    return ops.argmax(jnp.where(temperature > 0, drawn, logits))


def truncated(logits: jax.Array, top_k: jax.Array, top_p: jax.Array) -> jax.Array:
    """Removes all tokens but the `top_k` most likely ones, and of these all but the most likely that reach `top_p`.

    Args:
        logits: `[batch, samples, vocab_size]`.
        top_k: `[batch]`.
        top_p: `[batch]`.
    """
    ordered = jnp.sort(logits, axis=-1, descending=True)
    place = jnp.broadcast_to((top_k - 1)[:, None, None], (*logits.shape[:2], 1))
    least = jnp.take_along_axis(ordered, place, axis=2)
    ordered = jnp.where(ordered >= least, ordered, _REMOVED)
    probabilities = jax.nn.softmax(ordered)
    reached = jnp.cumsum(probabilities, axis=-1) - probabilities  # by the tokens that are more likely
    kept = jnp.where((reached < top_p[:, None, None]) & (ordered > _REMOVED), ordered, jnp.inf)
    return jnp.where(logits >= jnp.min(kept, axis=-1, keepdims=True), logits, _REMOVED)
