"""The outputs of decoding while it goes on: one for each row of a search, several for each row of sampling."""

from collections.abc import Callable, Sequence
from functools import partial

import jax
import numpy as np

from mathderive.core import devices
from mathderive.model.config import T5Config
from mathderive.model.sampling import SampleState
from mathderive.model.search import BeamState, best_tokens
from mathderive.model.search_settings import SearchSettings

Watcher = Callable[[int, list[int]], None]
"""A function that gets the number of an output and its token ids so far.

Outputs are numbered over all rows and, in sampling, over the samples of each row.
"""

Hypotheses = BeamState | SampleState


class Outputs:
    """The outputs of each row so far, one in a search and several in sampling.

    The last row stands in places that are filled up, where the devices cannot have equally many rows.

    Attributes:
        lengths: `[rows]`, lengths of the sources.
        limits: `[rows]`, maximum numbers of tokens.
        ids: token ids of each row's outputs.
        log_probabilities: of each row's samples.
        watched: whether somebody follows the outputs.
    """

    def __init__(
        self,
        config: T5Config,
        search: SearchSettings | None,
        sources: Sequence[Sequence[int]],
        max_length: int | Sequence[int],
        watch: Watcher | None,
    ) -> None:
        """Takes no search for samples."""
        self.lengths = np.array([*map(len, sources), 0])
        self.limits = np.append(np.broadcast_to(max_length, len(sources)), 1)
        self.ids: list[list[list[int]]] = [[] for _ in self.lengths]
        self.log_probabilities: list[list[float]] = [[] for _ in self.lengths]
        self.watched = watch is not None and (search is None or search.num_beams == 1)
        self._config, self._search, self._watch = config, search, watch

    def store(self, rows: np.ndarray, beams: Hypotheses, length: int) -> None:
        """Stores the first `length` tokens of each row, `[devices, rows]`, and calls the watcher."""
        if isinstance(beams, SampleState):
            numbers = np.asarray(beams.log_probabilities).reshape(rows.size, -1).tolist()
            for row, ones in zip(rows.flat, numbers, strict=True):
                self.log_probabilities[row] = ones
        found = beams.live_tokens if self._search is None else _best_tokens(self._search, beams)
        tokens = np.asarray(found).reshape(rows.size, -1, found.shape[-1]).tolist()
        for row, outputs in zip(rows.flat, tokens, strict=True):
            end = min(self.limits[row], length)
            self.ids[row] = [_cut_at_end(ids[:end], self._config.eos_token_id) for ids in outputs]
            if self._watch and self.watched and self.lengths[row]:
                for number, ids in enumerate(self.ids[row], int(row) * len(self.ids[row])):
                    self._watch(number, ids)


@partial(devices.each_device, static_argnums=0)
def _best_tokens(search: SearchSettings, beams: BeamState) -> jax.Array:
    return best_tokens(search, beams)


def _cut_at_end(ids: list[int], eos_token_id: int) -> list[int]:
    return ids[: ids.index(eos_token_id) + 1] if eos_token_id in ids else ids
