"""How the next token is chosen: greedily, or among several hypotheses (beam search); one step of each.

The rules are those of `generate` in transformers, which the paper decoded with. A hypothesis' score is the sum of its
tokens' log-probabilities (Graves, *Sequence Transduction with Recurrent Neural Networks*, 2012), and finished ones are
compared by `score / length ** length_penalty` (Wu et al., *Google's Neural Machine Translation System*, 2016, in the
form that became common). The repetition penalty is that of Keskar et al., *CTRL* (2019).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mathderive.model.config import T5Config
from mathderive.model.search_settings import SearchSettings

_NONE = -jnp.inf
"""The score of a hypothesis that does not exist."""

_BLOCK = 128
"""Scores that are searched together for the best."""


class Hypotheses(NamedTuple):
    """What a search holds of each row between two steps; greedy search is one hypothesis without scores.

    `tokens` `[batch, beams, length]` are those of the live hypotheses, `scores` `[batch, beams]`; `ended_tokens` and
    `ended_scores` likewise of the best finished ones, the best first. `done` `[batch]` says that no more is looked
    for. `seen` `[batch, beams, vocab_size]` marks the tokens that the repetition penalty is due for. What a search
    does not need is None.
    """

    tokens: jax.Array
    done: jax.Array
    seen: jax.Array | None
    scores: jax.Array | None = None
    ended_tokens: jax.Array | None = None
    ended_scores: jax.Array | None = None


def start_search(search: SearchSettings, config: T5Config, empty: jax.Array, length: int) -> Hypotheses:
    """Before the first token.

    Args:
        empty: `[batch]`, true for rows without a source, which are done before they begin.
        length: tokens that there is room for.
    """
    batch, beams = empty.shape[0], search.num_beams
    tokens = jnp.full((batch, beams, length), config.pad_token_id, jnp.int32)
    seen = None
    if search.repetition_penalty != 1:
        seen = jnp.zeros((batch, beams, config.vocab_size), bool).at[:, :, config.decoder_start_token_id].set(True)
    if beams == 1:
        return Hypotheses(tokens, empty, seen)
    # All beams begin alike: only the first may be continued, or they would stay alike.
    scores = jnp.full((batch, beams), _NONE).at[:, 0].set(0.0)
    return Hypotheses(tokens, empty, seen, scores, tokens, jnp.full((batch, beams), _NONE))


def choose(
    search: SearchSettings, config: T5Config, found: Hypotheses, logits: jax.Array, position: jax.Array, last: jax.Array
) -> tuple[Hypotheses, jax.Array | None]:
    """Chooses the token at `position` of each hypothesis.

    Args:
        logits: `[batch, beams, vocab_size]`, of the token at `position`.
        last: `[batch]`, the last position there may be: hypotheses end there.

    Returns:
        The hypotheses and, for beams, `[batch, beams]`: which of the earlier ones each of them goes on from.
    """
    if search.num_beams == 1:
        return _choose_likeliest(search, config, found, logits, position, last), None
    return _choose_beams(search, config, found, logits, position, last)


def best(search: SearchSettings, found: Hypotheses) -> jax.Array:
    """`[batch, length]`: each row's tokens, padded after the end."""
    return found.tokens[:, 0] if search.num_beams == 1 or found.ended_tokens is None else found.ended_tokens[:, 0]


def _choose_likeliest(
    search: SearchSettings, config: T5Config, found: Hypotheses, logits: jax.Array, position: jax.Array, last: jax.Array
) -> Hypotheses:
    chosen = _argmax(_penalised(logits, found.seen, search.repetition_penalty))
    chosen = jnp.where(found.done[:, None], config.pad_token_id, chosen)
    return found._replace(
        tokens=_written(found.tokens, chosen, position),
        done=found.done | (chosen[:, 0] == config.eos_token_id) | (position == last),
        seen=_marked(found.seen, chosen),
    )


def _choose_beams(
    search: SearchSettings, config: T5Config, found: Hypotheses, logits: jax.Array, position: jax.Array, last: jax.Array
) -> tuple[Hypotheses, jax.Array]:
    assert found.scores is not None
    assert found.ended_tokens is not None
    assert found.ended_scores is not None
    batch, beams, vocab_size = logits.shape
    log_probabilities = _penalised(jax.nn.log_softmax(logits), found.seen, search.repetition_penalty)
    totals = (found.scores[:, :, None] + log_probabilities).reshape(batch, -1)
    # Twice as many as beams: each can end in one way only, so at least `beams` of these go on.
    scores, numbers = jax.lax.top_k(totals, 2 * beams)
    parents, chosen = numbers // vocab_size, (numbers % vocab_size).astype(jnp.int32)
    tokens = _written(_of(found.tokens, parents), chosen, position)
    ends = (chosen == config.eos_token_id) | (position == last)[:, None]

    # An end counts where it is among the best `beams` continuations, and the row is still looking.
    counts = ends & (jnp.arange(2 * beams) < beams) & ~found.done[:, None]
    length = (position + 1).astype(jnp.float32) ** search.length_penalty
    ended_scores, kept = jax.lax.top_k(
        jnp.concatenate([found.ended_scores, jnp.where(counts, scores / length, _NONE)], axis=1), beams
    )
    ended_tokens = _of(jnp.concatenate([found.ended_tokens, tokens], axis=1), kept)

    live_scores, live = jax.lax.top_k(jnp.where(ends, _NONE, scores), beams)
    enough = jnp.all(ended_scores > _NONE, axis=1)
    if not search.early_stopping:
        # Enough once the best live hypothesis, were it to end here, would not enter any more.
        enough &= live_scores[:, 0] / length <= ended_scores[:, -1]
    live_parents = _of(parents, live)
    seen = None if found.seen is None else _marked(_of(found.seen, live_parents), _of(chosen, live))
    done = found.done | enough | (position == last)
    return Hypotheses(_of(tokens, live), done, seen, live_scores, ended_tokens, ended_scores), live_parents


def _argmax(scores: jax.Array) -> jax.Array:
    """Where each row of the last axis is largest, the first of equals; int32.

    In two levels, first among blocks and then within the best: for a maximum alone XLA's code on CPUs takes a tenth of
    the time that it takes to find where it is.
    """
    size = scores.shape[-1]
    if size % _BLOCK:
        scores = jnp.pad(scores, [(0, 0)] * (scores.ndim - 1) + [(0, -size % _BLOCK)], constant_values=-jnp.inf)
    blocks = scores.reshape(*scores.shape[:-1], -1, _BLOCK)
    chosen = jnp.argmax(jnp.max(blocks, axis=-1), axis=-1)
    block = jnp.take_along_axis(blocks, chosen[..., None, None], axis=-2)[..., 0, :]
    return (chosen * _BLOCK + jnp.argmax(block, axis=-1)).astype(jnp.int32)


def _penalised(scores: jax.Array, seen: jax.Array | None, penalty: float) -> jax.Array:
    """Makes what was said before less likely, whatever the sign of its score."""
    return (
        scores if seen is None else jnp.where(seen, jnp.where(scores < 0, scores * penalty, scores / penalty), scores)
    )


def _marked(seen: jax.Array | None, chosen: jax.Array) -> jax.Array | None:
    if seen is None:
        return None
    rows, beams = jnp.indices(chosen.shape)
    return seen.at[rows, beams, chosen].set(True)


def _written(tokens: jax.Array, chosen: jax.Array, position: jax.Array) -> jax.Array:
    return jax.lax.dynamic_update_slice_in_dim(tokens, chosen[:, :, None], position, axis=2)


def _of(values: jax.Array, numbers: jax.Array) -> jax.Array:
    """`values[row, numbers[row, n]]` for every row and n."""
    return jax.vmap(lambda row, chosen: row[chosen])(values, numbers)
