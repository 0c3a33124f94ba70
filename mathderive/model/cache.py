"""What decoding remembers from one token to the next: keys and values, of the tokens so far and of the sources."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp


class LayerCache(NamedTuple):
    """What a decoder layer remembers between two steps.

    The keys and values of the tokens so far are `[batch * beams, heads, length, d_kv]`, those of the sources
    `[rows, heads, source_length, d_kv]` for each group of rows.
    """

    self_key: jax.Array
    self_value: jax.Array
    cross_key: tuple[jax.Array, ...]
    cross_value: tuple[jax.Array, ...]

    def of_parents(self, parents: jax.Array) -> "LayerCache":
        """Each beam with the past of the one it goes on from, `parents` `[batch, beams]`."""
        rows = (jnp.arange(parents.shape[0])[:, None] * parents.shape[1] + parents).reshape(-1)
        return self._replace(self_key=self.self_key[rows], self_value=self.self_value[rows])

    def of_length(self, length: int) -> "LayerCache":
        """Room for so many tokens."""
        return self._replace(self_key=fit(self.self_key, length, 2), self_value=fit(self.self_value, length, 2))

    def of_rows(self, rows: jax.Array, beams: int, source_length: int) -> "LayerCache":
        """Some of the rows, as one group; none of their sources is longer than `source_length`."""
        own = (rows[:, None] * beams + jnp.arange(beams)).reshape(-1)
        return LayerCache(
            self.self_key[own],
            self.self_value[own],
            (join_groups(self.cross_key, source_length, axis=2)[rows],),
            (join_groups(self.cross_value, source_length, axis=2)[rows],),
        )


def join_groups(groups: Sequence[jax.Array], source_length: int, axis: int = 1) -> jax.Array:
    """All rows in one array, what has one place a token along `axis` cut or padded to `source_length` of them."""
    return jnp.concatenate([fit(group, source_length, axis) for group in groups])


def fit(array: jax.Array, length: int, axis: int) -> jax.Array:
    """The array cut to `length` along `axis`, or padded with 0 up to it."""
    cut = jax.lax.slice_in_dim(array, 0, min(array.shape[axis], length), axis=axis)
    return jnp.pad(cut, [(0, length - cut.shape[axis] if number == axis else 0) for number in range(cut.ndim)])
