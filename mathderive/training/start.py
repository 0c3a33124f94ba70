"""The start of a training run: its tokenizer, the shape of its network and, with `init_from`, the parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mathderive.config.schema import ModelSettings
from mathderive.core.errors import InputError
from mathderive.model.config import T5Config
from mathderive.model.parameters import Params, initialise
from mathderive.model.tokenizer import HuggingFaceTokenizer, Tokenizer, load_tokenizer, train_tokenizer
from mathderive.training.conversion import OpenedCheckpoint, open_checkpoint
from mathderive.training.description import check_same, read_description, verify_description, write_description


class Start(NamedTuple):
    """The start of a training run; `params()` makes the parameters before the first step."""

    config: T5Config
    tokenizer: Tokenizer
    params: Callable[[], Mapping[str, Any]]


def prepare(
    settings: ModelSettings,
    texts: Sequence[str],
    folder: Path,
    identity: Mapping[str, Any],
    seed: int,
    source: OpenedCheckpoint | None = None,
) -> Start:
    """Makes the folder's tokenizer and `config.json`, or reads those that an earlier call made.

    Args:
        texts: the tokenizer is trained on them if there is no `init_from`.
        identity: everything that decides the result; it must be that of the earlier call.
        seed: decides fresh parameters.
        source: the checkpoint `init_from`, if it is open already.

    Raises:
        InputError: the settings do not fit the texts, `init_from` cannot be read, or the folder has another run.
    """
    if source is None and settings.init_from is not None:
        source = open_checkpoint(settings.init_from)
    if (folder / "config.json").exists() or (folder / "orbax").exists():
        config, _, earlier = read_description(folder)
        check_same(earlier, identity, folder)
        verify_description(folder)
        tokenizer = load_tokenizer(folder / "tokenizer")
    elif source is None:
        tokenizer = train_tokenizer(texts, folder / "tokenizer", settings.vocab_size)
        config = settings.network(tokenizer.vocab_size)
    else:
        tokenizer = source.tokenizer
        if settings.tokens_to_add:
            if not isinstance(tokenizer, HuggingFaceTokenizer):
                raise InputError(f"model.tokens_to_add: {settings.init_from} has a tokenizer that cannot grow")
            tokenizer.add_tokens(settings.tokens_to_add)
        tokenizer.save(folder / "tokenizer")
        # Released embeddings have spare rows, so the matrix grows only if there are more tokens than rows.
        config = replace(source.config, vocab_size=max(source.config.vocab_size, tokenizer.vocab_size))

    def params() -> Mapping[str, Any]:
        fresh = initialise(config, seed)
        return fresh if source is None else _add_rows(source.params(), fresh)

    # This file comes last, because training goes on in a folder that has it.
    write_description(folder, config, settings.dtype, identity)
    return Start(config, tokenizer, params)


def _add_rows(params: Mapping[str, np.ndarray], fresh: Params) -> dict[str, np.ndarray]:
    """`params` and, for added tokens, the rows that only `fresh` has."""
    grown = dict(params)
    for name, rows_axis in (("embedding", 0), ("head", 1)):
        if name in grown and grown[name].shape != fresh[name].shape:
            extra = np.asarray(fresh[name]).take(
                range(grown[name].shape[rows_axis], fresh[name].shape[rows_axis]), rows_axis
            )
            grown[name] = np.concatenate([grown[name], extra], axis=rows_axis)
    return grown
