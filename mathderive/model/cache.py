"""The decoder's cache: keys and values of the tokens so far and of the sources."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mathderive.model.beams import flat_indices


class LayerCache(NamedTuple):
    """The keys and values that one decoder layer keeps between two steps.

    Those of the tokens so far are `[batch * beams, heads, length, d_kv]`. Those of the sources are
    `[rows, heads, source_length, d_kv]` for each group of rows.
    """

    self_key: jax.Array
    self_value: jax.Array
    cross_key: tuple[jax.Array, ...]
    cross_value: tuple[jax.Array, ...]

    def gather_beams(self, parents: jax.Array) -> "LayerCache":
        """Gives each beam the past of its parent; `parents` is `[batch, beams]`."""
        indices = flat_indices(jnp.arange(parents.shape[0]), parents, parents.shape[1])
        return self._replace(self_key=self.self_key[indices], self_value=self.self_value[indices])

    def resize(self, length: int) -> "LayerCache":
        """Makes room for `length` tokens."""
        return self._replace(
            self_key=resize_axis(self.self_key, length, 2), self_value=resize_axis(self.self_value, length, 2)
        )

    def select_rows(self, rows: jax.Array, beams: int, source_length: int) -> "LayerCache":
        """Keeps some of the rows, as one group.

        Args:
            rows: `[new_rows]`.
            beams: number of beams of a row.
            source_length: length to which the sources' keys and values are cut or padded.
        """
        indices = flat_indices(rows, jnp.arange(beams), beams)
        return LayerCache(
            self.self_key[indices],
            self.self_value[indices],
            (concatenate_groups(self.cross_key, source_length, axis=2)[rows],),
            (concatenate_groups(self.cross_value, source_length, axis=2)[rows],),
        )


def concatenate_groups(groups: Sequence[jax.Array], source_length: int, axis: int = 1) -> jax.Array:
    """All rows in one array; `axis`, the one of the source's tokens, is cut or padded to `source_length`."""
    return jnp.concatenate([resize_axis(group, source_length, axis) for group in groups])


def resize_axis(array: jax.Array, length: int, axis: int) -> jax.Array:
    """Cuts the array to `length` along `axis`, or pads it with 0 up to `length`."""
    cut = jax.lax.slice_in_dim(array, 0, min(array.shape[axis], length), axis=axis)
    return jnp.pad(cut, [(0, length - cut.shape[axis] if number == axis else 0) for number in range(cut.ndim)])
