"""One step of greedy search and of beam search: which token each hypothesis goes on with.

The rules are those of `generate` in transformers, with which the paper decoded. The score of a hypothesis is the sum of
its tokens' log-probabilities (Graves, *Sequence Transduction with Recurrent Neural Networks*, 2012). Finished
hypotheses are compared by `score / length ** length_penalty` (Wu et al., *Google's Neural Machine Translation System*,
2016, in the form that became common). The repetition penalty is that of Keskar et al., *CTRL* (2019).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mathderive.model import ops
from mathderive.model.beams import gather_beams, write_tokens
from mathderive.model.cache import resize_axis
from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings

_NO_HYPOTHESIS = -jnp.inf
"""Score in a place that holds no hypothesis."""


class BeamState(NamedTuple):
    """The hypotheses of each row between two steps; greedy search has one beam and no scores.

    Attributes:
        live_tokens: `[batch, beams, length]`, the tokens of the hypotheses that go on.
        done: `[batch]`, true for rows in which the search has ended.
        seen: `[batch, beams, vocab_size]`, true for tokens that get the repetition penalty; None without a penalty.
        live_scores: `[batch, beams]`; None in greedy search, as is all that follows.
        finished_tokens: `[batch, beams, length]`, the tokens of the best finished hypotheses, the best one first.
        finished_scores: `[batch, beams]`, divided by the length penalty.
    """

    live_tokens: jax.Array
    done: jax.Array
    seen: jax.Array | None
    live_scores: jax.Array | None = None
    finished_tokens: jax.Array | None = None
    finished_scores: jax.Array | None = None

    def resize(self, length: int) -> "BeamState":
        """Makes room for `length` tokens."""
        finished = None if self.finished_tokens is None else resize_axis(self.finished_tokens, length, 2)
        return self._replace(live_tokens=resize_axis(self.live_tokens, length, 2), finished_tokens=finished)


def initial_state(search: SearchSettings, config: T5Config, empty: jax.Array, length: int) -> BeamState:
    """The state before the first token.

    Args:
        empty: `[batch]`, true for rows without a source; their search has ended.
        length: number of tokens for which there is room.
    """
    batch, beams = empty.shape[0], search.num_beams
    tokens = jnp.full((batch, beams, length), config.pad_token_id, jnp.int32)
    seen = None
    if search.repetition_penalty != 1:
        seen = jnp.zeros((batch, beams, config.vocab_size), bool).at[:, :, config.decoder_start_token_id].set(True)
    if beams == 1:
        return BeamState(tokens, empty, seen)
    # All beams begin with the same tokens. Only the first one may go on, or all would stay the same.
    scores = jnp.full((batch, beams), _NO_HYPOTHESIS).at[:, 0].set(0.0)
    return BeamState(tokens, empty, seen, scores, tokens, jnp.full((batch, beams), _NO_HYPOTHESIS))


def search_step(
    search: SearchSettings,
    config: T5Config,
    state: BeamState,
    logits: jax.Array,
    position: jax.Array,
    last_position: jax.Array,
) -> tuple[BeamState, jax.Array | None]:
    """Chooses the token at `position` of each hypothesis.

    Args:
        logits: `[batch, beams, vocab_size]`, of the token at `position`.
        position: scalar.
        last_position: `[batch]`; hypotheses end there.

    Returns:
        The new state and, for beams, the parents: `[batch, beams]`, the earlier beam that each new beam continues.
    """
    if search.num_beams == 1:
        return _greedy_step(search, config, state, logits, position, last_position), None
    return _beam_step(search, config, state, logits, position, last_position)


def best_tokens(search: SearchSettings, state: BeamState) -> jax.Array:
    """The tokens of each row's best hypothesis, `[batch, length]`, padded after the end."""
    if search.num_beams == 1 or state.finished_tokens is None:
        return state.live_tokens[:, 0]
    return state.finished_tokens[:, 0]


def _greedy_step(
    search: SearchSettings,
    config: T5Config,
    state: BeamState,
    logits: jax.Array,
    position: jax.Array,
    last_position: jax.Array,
) -> BeamState:
    token_ids = ops.argmax(_penalise_repetition(logits, state.seen, search.repetition_penalty))
    token_ids = jnp.where(state.done[:, None], config.pad_token_id, token_ids)
    return state._replace(
        live_tokens=write_tokens(state.live_tokens, token_ids, position),
        done=state.done | (token_ids[:, 0] == config.eos_token_id) | (position == last_position),
        seen=_mark_seen(state.seen, token_ids),
    )


def _beam_step(
    search: SearchSettings,
    config: T5Config,
    state: BeamState,
    logits: jax.Array,
    position: jax.Array,
    last_position: jax.Array,
) -> tuple[BeamState, jax.Array]:
    assert state.live_scores is not None
    assert state.finished_tokens is not None
    assert state.finished_scores is not None
    batch, beams, vocab_size = logits.shape
    log_probabilities = _penalise_repetition(jax.nn.log_softmax(logits), state.seen, search.repetition_penalty)
    continuations = (state.live_scores[:, :, None] + log_probabilities).reshape(batch, -1)
    # Twice as many as there are beams. Each beam can end in one way only, so at least `beams` of these go on.
    scores, indices = jax.lax.top_k(continuations, 2 * beams)
    parents, token_ids = indices // vocab_size, (indices % vocab_size).astype(jnp.int32)
    tokens = write_tokens(gather_beams(state.live_tokens, parents), token_ids, position)
    ends = (token_ids == config.eos_token_id) | (position == last_position)[:, None]

    # A hypothesis finishes if it ends among the best `beams` continuations of a row that is not done.
    finishes = ends & (jnp.arange(2 * beams) < beams) & ~state.done[:, None]
    penalty = (position + 1).astype(jnp.float32) ** search.length_penalty
    finished_scores, finished = jax.lax.top_k(
        jnp.concatenate([state.finished_scores, jnp.where(finishes, scores / penalty, _NO_HYPOTHESIS)], axis=1), beams
    )
    finished_tokens = gather_beams(jnp.concatenate([state.finished_tokens, tokens], axis=1), finished)

    live_scores, live = jax.lax.top_k(jnp.where(ends, _NO_HYPOTHESIS, scores), beams)
    enough = jnp.all(finished_scores > _NO_HYPOTHESIS, axis=1)
    if not search.early_stopping:
        # The search goes on while the best live hypothesis would be among the finished ones if it ended here.
        enough &= live_scores[:, 0] / penalty <= finished_scores[:, -1]
    live_parents = gather_beams(parents, live)
    seen = None
    if state.seen is not None:
        seen = _mark_seen(gather_beams(state.seen, live_parents), gather_beams(token_ids, live))
    done = state.done | enough | (position == last_position)
    live_tokens = gather_beams(tokens, live)
    return BeamState(live_tokens, done, seen, live_scores, finished_tokens, finished_scores), live_parents


def _penalise_repetition(scores: jax.Array, seen: jax.Array | None, penalty: float) -> jax.Array:
    """Makes the seen tokens less likely, whatever the sign of their scores; both are `[batch, beams, vocab_size]`."""
    if seen is None:
        return scores
    return jnp.where(seen, jnp.where(scores < 0, scores * penalty, scores / penalty), scores)


def _mark_seen(seen: jax.Array | None, token_ids: jax.Array) -> jax.Array | None:
    """Adds a token of each beam, `[batch, beams]`, to the seen ones."""
    if seen is None:
        return None
    rows, beams = jnp.indices(token_ids.shape)
    return seen.at[rows, beams, token_ids].set(True)
