"""Opening checkpoints of either format, ours or Hugging Face's, and converting one format to the other."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from mathderive.core.checksums import verify_checksums, write_checksums
from mathderive.core.errors import InputError
from mathderive.core.files import new_folder
from mathderive.model.config import T5Config
from mathderive.model.hugging_face import is_weights
from mathderive.model.tokenizer import SentencePieceTokenizer, Tokenizer, load_tokenizer
from mathderive.model.tokenizer_export import export_tokenizer
from mathderive.model.weights import check_folder, fetch, read_compute_dtype, read_folder, write_folder
from mathderive.training.checkpoints import Checkpoints, read_best
from mathderive.training.description import is_model_folder, read_description, verify_description, write_description

StoredDtype = Literal["float32", "bfloat16"]
CheckpointFormat = Literal["hugging-face", "mathderive"]


class LoadedModel(NamedTuple):
    """One of our model folders, with its best checkpoint.

    Attributes:
        step: the step of the checkpoint.
        dtype: the type of matrix products.
    """

    params: dict[str, np.ndarray]
    config: T5Config
    tokenizer: Tokenizer
    step: int
    dtype: str


class OpenedCheckpoint(NamedTuple):
    """A checkpoint of either format: everything that planning, prediction and training from it need.

    It can be handed on, so that a command opens each checkpoint once.

    Attributes:
        place: the folder or Hugging Face id that was opened.
        dtype: the type of matrix products.
        params: returns the parameters, float32 arrays by our names. It reads a Hugging Face folder when it is called.
    """

    place: str
    config: T5Config
    tokenizer: Tokenizer
    dtype: str
    params: Callable[[], Mapping[str, np.ndarray]]


def load_model(folder: Path) -> LoadedModel:
    """Reads one of our model folders; see `read_best`.

    Raises:
        InputError: the folder is missing, is none of ours, or has no checkpoint that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such model folder; expected config.json, tokenizer and orbax in it")
    description = read_description(folder)
    try:
        description.config.check_token_ids()
    except ValueError as error:
        raise InputError(f"{folder / 'config.json'}: model.{error}") from None
    tokenizer = load_tokenizer(folder / "tokenizer")
    step, params = read_best(folder, description.config)
    verify_description(folder)  # last, because other errors say more
    return LoadedModel(params, description.config, tokenizer, step, description.dtype)


def open_checkpoint(place: str) -> OpenedCheckpoint:
    """Opens a checkpoint and checks that it can be used.

    One of our folders is read completely. The weights of a Hugging Face folder are only checked for their names and
    shapes, which takes a moment; `OpenedCheckpoint.params` reads them.

    Args:
        place: one of our model folders, a Hugging Face folder or a Hugging Face id.

    Raises:
        InputError: there is no such folder or id, or it is no T5, is incomplete or damaged, or its tokenizer has more
            tokens than its embedding has rows.
    """
    folder = fetch(place)
    if is_model_folder(folder):
        loaded = load_model(folder)
        opened = OpenedCheckpoint(place, loaded.config, loaded.tokenizer, loaded.dtype, lambda: loaded.params)
    else:
        config, tokenizer, dtype = check_folder(folder), load_tokenizer(folder), read_compute_dtype(folder)
        # The weights are compared with their checksums when they are read, because that may take seconds.
        verify_checksums(folder, lambda name: not is_weights(name))

        def params() -> Mapping[str, np.ndarray]:
            verify_checksums(folder, is_weights)
            return read_folder(folder)[0]

        opened = OpenedCheckpoint(place, config, tokenizer, dtype, params)
    if opened.tokenizer.vocab_size > opened.config.vocab_size:
        raise InputError(
            f"{place}: the tokenizer has {opened.tokenizer.vocab_size} tokens and the embedding"
            f" {opened.config.vocab_size} rows; expected a row for every token"
        )
    return opened


def convert(place: str, destination: Path, dtype: StoredDtype | None = None, to: CheckpointFormat | None = None) -> str:
    """Writes one of our model folders as a Hugging Face folder, or a Hugging Face folder or id as one of ours.

    Args:
        place: the folder or id to convert.
        destination: the folder to make, with network and tokenizer. It exists only when it is complete.
        dtype: the type of the weights in a new Hugging Face folder, by default float32. Ours are always float32.
        to: the format to make, by default the other one. A copy in the same format holds the best step's weights alone.

    Returns:
        What was made, in words.

    Raises:
        InputError: as `open_checkpoint`; or the destination is not empty, or `dtype` is given where one of our folders
            is made.
    """
    to = to or ("hugging-face" if is_model_folder(Path(place)) else "mathderive")
    if dtype is not None and to == "mathderive":
        raise InputError(f"convert: --dtype is for Hugging Face folders to be made; {destination} would be one of ours")
    with new_folder(destination) as folder:
        source = open_checkpoint(place)
        if to == "hugging-face":
            _write_hugging_face(folder, source, dtype or "float32")
        else:
            _write_ours(folder, source, {"converted from": place})
    if to == "hugging-face":
        return f"a Hugging Face folder with weights in {dtype or 'float32'}"
    return "a model folder of mathderive, with weights in float32"


def _write_hugging_face(folder: Path, source: OpenedCheckpoint, dtype: StoredDtype) -> None:
    write_folder(folder, source.params(), source.config, dtype, source.dtype)
    source.tokenizer.save(folder)
    if isinstance(source.tokenizer, SentencePieceTokenizer):
        export_tokenizer(source.tokenizer, folder)
    write_checksums(folder, folder.iterdir())


def _write_ours(folder: Path, source: OpenedCheckpoint, identity: Mapping[str, Any]) -> None:
    """Writes a model folder with one checkpoint, of step 0, because the model was not trained here."""
    source.tokenizer.save(folder / "tokenizer")
    write_description(folder, source.config, source.dtype, identity)
    with Checkpoints(folder) as checkpoints:
        checkpoints.save(0, source.params(), {"step": np.zeros((), np.int32)}, {}, None)
