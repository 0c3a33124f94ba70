"""Arrays with a beam dimension: `[batch, beams, ...]`, or flattened to `[batch * beams, ...]`.

The names are those of `decoding.py` in T5X (Roberts et al., *Scaling Up Models and Data with t5x and seqio*, 2022).
"""

import jax
import jax.numpy as jnp


def flatten_beam_dim(array: jax.Array) -> jax.Array:
    """`[batch, beams, ...]` -> `[batch * beams, ...]`."""
    return array.reshape(-1, *array.shape[2:])


def gather_beams(array: jax.Array, beam_indices: jax.Array) -> jax.Array:
    """Selects beams of each row.

    Args:
        array: `[batch, beams, ...]`.
        beam_indices: `[batch, new_beams]`, from 0 to beams − 1.

    Returns:
        `[batch, new_beams, ...]`.
    """
    return jax.vmap(lambda row, indices: row[indices])(array, beam_indices)


def flat_indices(rows: jax.Array, beam_indices: jax.Array, beams: int) -> jax.Array:
    """The places of beams in an array whose beam dimension is flattened.

    Args:
        rows: `[rows]`.
        beam_indices: broadcasts to `[rows, new_beams]`.
        beams: number of beams of a row in the array.

    Returns:
        `[rows * new_beams]`.
    """
    return flatten_beam_dim(rows[:, None] * beams + jnp.asarray(beam_indices))


def write_tokens(tokens: jax.Array, token_ids: jax.Array, position: jax.Array) -> jax.Array:
    """Writes a token of each beam, `[batch, beams]`, at `position` of `[batch, beams, length]`."""
    return jax.lax.dynamic_update_slice_in_dim(tokens, token_ids[:, :, None], position, axis=2)
