"""Decoding in batches: the encoder runs once, and the decoder runs on a cache of keys and values.

XLA compiles a program for each shape, so there are few shapes: between a length and its double there are two. The cache
starts short and grows whenever it is full. So the cost of a token is in proportion to the length that is reached, not
to the maximum length. When the cache grows and at least half of the rows are done, the other rows go on as a batch of
half the size, so that the last row to end does not make all rows as expensive as itself. The decoder reads the whole
source of a row for every token. So where the sources of a batch differ much in length, sources of similar length are
padded as a group.

A batch is shared among the devices of this process. Each device goes on alone until the cache is full.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mathderive.core import devices
from mathderive.model.cache import LayerCache, concatenate_groups
from mathderive.model.config import T5Config
from mathderive.model.outputs import Hypotheses, Outputs, Watcher
from mathderive.model.parameters import Params, bind
from mathderive.model.sampling import Sample, SampleState, Sampling, initial_samples, sample_step
from mathderive.model.search import initial_state, search_step
from mathderive.model.search_settings import SearchSettings

MIN_LENGTH = 64
"""Minimum length to which a source is padded, and length of the first cache, in tokens."""

MIN_ROWS = 8
"""Minimum number of rows on a device that justifies the compilation of another shape."""

WATCH_INTERVAL = 8
"""Number of tokens between two calls of a watcher."""

GREEDY = SearchSettings()

_NO_ROW = -1
"""Row number in a place that is filled up, where the devices cannot have equally many rows."""


class _Samples(NamedTuple):
    """The shape of sampling, on which its compiled program depends, in place of the settings of a search.

    Attributes:
        num_beams: number of samples of a row.
        truncates: whether any row has top-k or top-p.
    """

    num_beams: int
    truncates: bool


_Search = SearchSettings | _Samples


class _DecodingState(NamedTuple):
    """The state between two segments.

    Attributes:
        position: scalar, the position of the tokens that are read next.
        token_ids: `[batch, beams]`, the tokens at `position`.
    """

    position: jax.Array
    token_ids: jax.Array
    beams: Hypotheses
    cache: tuple[LayerCache, ...]


def decode(
    config: T5Config,
    params: Mapping[str, Any],
    sources: Sequence[Sequence[int]],
    max_length: int | Sequence[int],
    dtype: str = "float32",
    search: SearchSettings = GREEDY,
    watch: Watcher | None = None,
    min_source_length: int = 0,
) -> list[list[int]]:
    """Generates an output for each source, up to the model's end-of-sequence token.

    Args:
        params: from `mathderive.model.parameters.initialise`, on every device (`devices.replicate`).
        sources: token ids of each row. An empty source gives an empty output, so that a short batch can be filled up.
        max_length: maximum number of tokens, with the end-of-sequence token; one number for all rows or one for each.
        dtype: the type of matrix products.
        watch: called with the token ids of each output every few tokens. It is never called in beam search, which
            decides at the end only.
        min_source_length: sources are padded at least to this length, so that one program serves for many lengths.

    Returns:
        The token ids of each row, without the start token, and with the end-of-sequence token where it was reached.
    """
    outputs = Outputs(config, search, sources, max_length, watch)
    _decode(config, params, sources, dtype, search, outputs, min_source_length=min_source_length)
    return [ids[0] if len(source) else [] for ids, source in zip(outputs.ids, sources, strict=False)]


def sample(
    config: T5Config,
    params: Mapping[str, Any],
    sources: Sequence[Sequence[int]],
    samplings: Sequence[Sampling],
    max_length: int | Sequence[int],
    dtype: str = "float32",
    watch: Watcher | None = None,
) -> list[list[Sample]]:
    """Draws samples of the output for each source, which is encoded once for all its samples.

    Args:
        params, sources, max_length, dtype, watch: as in `decode`.
        samplings: how the samples of each source are drawn; all sources have equally many.

    Returns:
        The samples of each source; an empty source has none.

    Raises:
        ValueError: the sources differ in the number of samples, or a beginning leaves no room for a token.
    """
    outputs = Outputs(config, None, sources, max_length, watch)
    if len({len(one.keys) for one in samplings}) > 1:
        raise ValueError("expected equally many samples of each source")
    if any(len(one.beginning) >= limit for one, limit in zip(samplings, outputs.limits, strict=False)):
        raise ValueError("expected a beginning that is shorter than the longest output")
    truncates = any(one.top_k is not None or one.top_p < 1 for one in samplings)
    search = _Samples(len(samplings[0].keys), truncates) if samplings else _Samples(1, False)
    _decode(config, params, sources, dtype, search, outputs, samplings)
    found = zip(outputs.ids, outputs.log_probabilities, sources, strict=False)
    return [list(map(Sample, ids, numbers)) if len(source) else [] for ids, numbers, source in found]


def _decode(
    config: T5Config,
    params: Mapping[str, Any],
    sources: Sequence[Sequence[int]],
    dtype: str,
    search: _Search,
    outputs: Outputs,
    samplings: Sequence[Sampling] = (),
    min_source_length: int = 0,
) -> None:
    """Decodes all sources and stores the outputs."""
    if not any(len(source) for source in sources):
        return
    lengths, limits = outputs.lengths, outputs.limits
    rows = _deal_rows(lengths[:-1])
    # Rounded up, so that few limits need shapes of their own.
    longest = -(-int(limits.max()) // MIN_LENGTH) * MIN_LENGTH
    padded_lengths = np.maximum(lengths, min_source_length)
    groups = group_by_length(padded_lengths[rows].max(axis=0).tolist())
    input_ids, encoder_mask = _pad_sources(config, sources, rows, groups)
    last_position = (limits[rows] - 1).astype(np.int32)
    decode_segment = partial(_decode_segment, config, dtype, search, params)
    samples = _deal_samples(config, samplings, lengths, rows, longest) if samplings else None

    def fill_cache(state: _DecodingState, length: int) -> _DecodingState:
        """Decodes until the cache, with room for `length` tokens, is full or every row is done."""
        stop = int(np.max(state.position)) + WATCH_INTERVAL
        while outputs.watched and stop < length and not np.all(state.beams.done):
            state = decode_segment(encoder_mask, last_position, _on_every_device(stop), state)
            outputs.store(rows, state.beams, stop)
            stop += WATCH_INTERVAL
        return decode_segment(encoder_mask, last_position, _on_every_device(length), state)

    length = MIN_LENGTH
    state = fill_cache(_start(config, dtype, search, length, params, input_ids, encoder_mask, samples), length)
    while length < longest and not np.all(state.beams.done):
        selected = _unfinished_rows(np.asarray(state.beams.done))
        if selected.shape != rows.shape:
            outputs.store(rows, state.beams, length)
            rows = np.take_along_axis(rows, selected, axis=1)
            last_position = np.take_along_axis(last_position, selected, axis=1)
            source_length = padded_length(int(padded_lengths[rows].max()))
            state, encoder_mask = _select_rows(source_length, state, encoder_mask, selected)
        length = min(padded_length(length + 1), longest)
        state = fill_cache(_grow_cache(length, state), length)
    outputs.store(rows, state.beams, length)


def _deal_rows(lengths: np.ndarray) -> np.ndarray:
    """Deals the rows to the devices in turn, in the order of their lengths: `[devices, rows]`.

    So the lengths in one place are similar on all devices.
    """
    device_count = devices.local_device_count()
    order = np.argsort(lengths, kind="stable")
    return np.pad(order, (0, -len(order) % device_count), constant_values=_NO_ROW).reshape(-1, device_count).T


def _deal_samples(
    config: T5Config, samplings: Sequence[Sampling], lengths: np.ndarray, rows: np.ndarray, longest: int
) -> SampleState:
    """The samples of each row before the first token, `[devices, rows, ...]`.

    Beginnings are padded to the longest output, so that their lengths need no compilations of their own.
    """
    no_row = Sampling(samplings[0].keys)
    state = initial_samples(config, [*samplings, no_row], lengths == 0, longest)
    return jax.tree.map(lambda array: array[rows], state)


def padded_length(length: int, at_least: int = MIN_LENGTH) -> int:
    """The length to which a source of `length` tokens is padded.

    It is `at_least`, a power of two, or the number halfway between two powers of two.
    """
    power = 1 << (length - 1).bit_length()
    halfway = power * 3 // 4
    return max(at_least, halfway if length <= halfway else power)


def group_by_length(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Divides rows into groups that are padded to one length each.

    Args:
        lengths: lengths of the rows' sources, in tokens, ascending.

    Returns:
        The number of rows and the padded length of each group, in the order of the rows. There is more than one group
        only where that saves a quarter of the tokens, because each group is compiled and computed separately.
    """
    padded = [padded_length(max(lengths[start : start + MIN_ROWS])) for start in range(0, len(lengths), MIN_ROWS)]
    rows_by_length = {
        length: sum(padded[row // MIN_ROWS] == length for row in range(len(lengths))) for length in padded
    }
    groups = [(rows, length) for length, rows in rows_by_length.items()]
    in_one_group = len(lengths) * padded[-1]
    in_groups = sum(rows * length for rows, length in groups)
    return groups if in_groups <= in_one_group * 3 / 4 else [(len(lengths), padded[-1])]


def _pad_sources(
    config: T5Config, sources: Sequence[Sequence[int]], rows: np.ndarray, groups: Sequence[tuple[int, int]]
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """`input_ids` and `encoder_mask` of each group, `[devices, rows, source_length]`."""
    input_ids, encoder_mask, start = [], [], 0
    for count, length in groups:
        ids = np.full((len(rows), count, length), config.pad_token_id, np.int32)
        mask = np.zeros(ids.shape, bool)
        for place, row in np.ndenumerate(rows[:, start : start + count]):
            if row != _NO_ROW:
                ids[place][: len(sources[row])] = sources[row]
                mask[place][: len(sources[row])] = True
        input_ids.append(ids)
        encoder_mask.append(mask)
        start += count
    return tuple(input_ids), tuple(encoder_mask)


def _unfinished_rows(done: np.ndarray) -> np.ndarray:
    """Selects the rows that go on.

    Args:
        done: `[devices, rows]`.

    Returns:
        `[devices, selected]`, ascending: all rows that are not done, and done rows in the places that remain. The
        number of rows is halved as often as the rows that are not done allow.
    """
    needed, size = (~done).sum(axis=1).max(), done.shape[1]
    while size > MIN_ROWS and needed <= (half := max(MIN_ROWS, -(-size // 2))):
        size = half
    return np.sort(np.argsort(done, axis=1, kind="stable")[:, :size], axis=1).astype(np.int32)


@partial(devices.each_device, static_argnums=(0, 1, 2, 3))
def _start(
    config: T5Config,
    dtype: str,
    search: _Search,
    length: int,
    params: Params,
    input_ids: tuple[jax.Array, ...],
    encoder_mask: tuple[jax.Array, ...],
    samples: SampleState | None,
) -> _DecodingState:
    """Encodes the sources of each group and makes the state before the first token."""
    model = bind(config, params, dtype)
    encoded = [model.encode(*group) for group in zip(input_ids, encoder_mask, strict=True)]
    empty = jnp.concatenate([~jnp.any(mask, axis=1) for mask in encoder_mask])
    beams: Hypotheses
    if isinstance(search, SearchSettings):
        beams = initial_state(search, config, empty, length)
    else:
        assert samples is not None
        beams = samples.resize(length)
    return _DecodingState(
        position=jnp.zeros((), jnp.int32),
        token_ids=jnp.full((len(empty), search.num_beams), config.decoder_start_token_id, jnp.int32),
        beams=beams,
        cache=model.start_cache(encoded, length, search.num_beams),
    )


@partial(devices.each_device, static_argnums=(0, 1, 2), donate_argnums=7)
def _decode_segment(
    config: T5Config,
    dtype: str,
    search: _Search,
    params: Params,
    encoder_mask: tuple[jax.Array, ...],
    last_position: jax.Array,
    stop: jax.Array,
    state: _DecodingState,
) -> _DecodingState:
    """Decodes up to position `stop`, or until every row is done."""
    model = bind(config, params, dtype)

    def is_unfinished(state: _DecodingState) -> jax.Array:
        return (state.position < stop) & ~jnp.all(state.beams.done)

    def step(state: _DecodingState) -> _DecodingState:
        position, token_ids, beams, cache = state
        logits, cache = model.decode_step(token_ids, position, cache, encoder_mask)
        parents = None
        if isinstance(beams, SampleState):
            assert isinstance(search, _Samples)
            beams = sample_step(config, search.truncates, beams, logits, position, last_position)
        else:
            assert isinstance(search, SearchSettings)
            beams, parents = search_step(search, config, beams, logits, position, last_position)
        if parents is not None:
            cache = tuple(layer.gather_beams(parents) for layer in cache)
        token_ids = jax.lax.dynamic_index_in_dim(beams.live_tokens, position, axis=2, keepdims=False)
        return _DecodingState(position + 1, token_ids, beams, cache)

    return jax.lax.while_loop(is_unfinished, step, state)


@partial(devices.each_device, static_argnums=0)
def _select_rows(
    source_length: int, state: _DecodingState, encoder_mask: tuple[jax.Array, ...], rows: jax.Array
) -> tuple[_DecodingState, tuple[jax.Array, ...]]:
    """Keeps some of the rows, as one group whose sources have at most `source_length` tokens."""
    beams = state.token_ids.shape[1]
    selected = _DecodingState(
        position=state.position,
        token_ids=state.token_ids[rows],
        beams=jax.tree.map(lambda array: array[rows], state.beams),
        cache=tuple(layer.select_rows(rows, beams, source_length) for layer in state.cache),
    )
    return selected, (concatenate_groups(encoder_mask, source_length)[rows],)


@partial(devices.each_device, static_argnums=0)
def _grow_cache(length: int, state: _DecodingState) -> _DecodingState:
    """Makes room for `length` tokens."""
    return state._replace(beams=state.beams.resize(length), cache=tuple(layer.resize(length) for layer in state.cache))


def _on_every_device(number: int) -> np.ndarray:
    """The number once for each device of this process."""
    return np.full(devices.local_device_count(), number, np.int32)
