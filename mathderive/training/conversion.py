"""Checkpoints of both formats, ours and Hugging Face's: opened alike, and turned into each other."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from mathderive.core.errors import InputError
from mathderive.core.files import new_folder
from mathderive.model.config import T5Config
from mathderive.model.tokenizer import SentencePieceTokenizer, Tokenizer, load_tokenizer
from mathderive.model.tokenizer_export import export_tokenizer
from mathderive.model.weights import check_folder, fetch, read_compute_dtype, read_config, read_folder, write_folder
from mathderive.training.checkpoints import (
    Checkpoints,
    is_model_folder,
    read_best,
    read_description,
    write_description,
)

StoredDtype = Literal["float32", "bfloat16"]


class LoadedModel(NamedTuple):
    """One of our model folders, at its best checkpoint."""

    params: dict[str, np.ndarray]
    config: T5Config
    tokenizer: Tokenizer
    step: int
    dtype: str


class OpenedModel(NamedTuple):
    """A model to predict with or to start from, whoever wrote it.

    Attributes:
        dtype: of matrix products.
        params: reads the parameters, float32 arrays by our names.
    """

    config: T5Config
    tokenizer: Tokenizer
    dtype: str
    params: Callable[[], Mapping[str, np.ndarray]]


def load_model(folder: Path) -> LoadedModel:
    """Reads one of our model folders; see `read_best`.

    Raises:
        InputError: the folder is missing, foreign, or holds no checkpoint that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model folder; expected config.json, tokenizer and orbax in it")
    config, dtype, _ = read_description(folder)
    tokenizer = load_tokenizer(folder / "tokenizer")
    step, params = read_best(folder, config)
    return LoadedModel(params, config, tokenizer, step, dtype)


def open_checkpoint(place: str) -> OpenedModel:
    """Opens one of our model folders, a Hugging Face folder or id, and refuses at once what could not be used later.

    One of ours is read whole. Of Hugging Face's, weights are known by then to have the right names and shapes, and
    are read by `params`.

    Raises:
        InputError: there is no such folder or id, or it is no T5, lacks a part, is damaged, or its tokenizer has ids
            that its embedding lacks.
    """
    folder = fetch(place)
    if is_model_folder(folder):
        loaded = load_model(folder)
        opened = OpenedModel(loaded.config, loaded.tokenizer, loaded.dtype, lambda: loaded.params)
    else:
        check_folder(folder)
        config, tokenizer, dtype = read_config(folder), load_tokenizer(folder), read_compute_dtype(folder)
        opened = OpenedModel(config, tokenizer, dtype, lambda: read_folder(folder)[0])
    if opened.tokenizer.vocab_size > opened.config.vocab_size:
        raise InputError(
            f"{place}: the tokenizer has {opened.tokenizer.vocab_size} tokens and the embedding"
            f" {opened.config.vocab_size} rows; expected a row for every token"
        )
    return opened


def convert(place: str, destination: Path, dtype: StoredDtype | None = None) -> None:
    """Writes one of our model folders as a Hugging Face folder, and a Hugging Face folder or id as one of ours.

    Args:
        place: what is converted.
        destination: the folder to make, network and tokenizer; it is there when it is whole, never before.
        dtype: what a Hugging Face folder's weights are stored as, by default float32; ours are always float32.

    Raises:
        InputError: as `open_checkpoint`; or the destination holds something already, or `dtype` is given for a folder
            of ours.
    """
    ours = is_model_folder(Path(place))
    if dtype is not None and not ours:
        raise InputError(f"convert: --dtype is for Hugging Face folders to be made; {place} is none of our folders")
    with new_folder(destination) as folder:
        source = open_checkpoint(place)
        if ours:
            _write_hugging_face(folder, source, dtype or "float32")
        else:
            _write_ours(folder, source, {"converted from": place})


def _write_hugging_face(folder: Path, source: OpenedModel, dtype: StoredDtype) -> None:
    write_folder(folder, source.params(), source.config, dtype, source.dtype)
    source.tokenizer.save(folder)
    if isinstance(source.tokenizer, SentencePieceTokenizer):
        export_tokenizer(source.tokenizer, folder)


def _write_ours(folder: Path, source: OpenedModel, run: Mapping[str, Any]) -> None:
    """A model folder that was never trained here: its one checkpoint is of step 0."""
    source.tokenizer.save(folder / "tokenizer")
    write_description(folder, source.config, source.dtype, run)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(0, source.params(), {"step": np.zeros((), np.int32)}, {}, None)
