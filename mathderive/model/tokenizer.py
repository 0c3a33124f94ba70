"""Tokenizers: a SentencePiece model that is trained here, or the tokenizer of a released checkpoint.

A tokenizer that is trained here (Kudo, *Subword Regularization*, 2018) is lossless: `decode(encode(text)) == text` for
every text. Characters that do not occur in the training text become the bytes of their UTF-8, with a token for each
byte.
"""

import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import sentencepiece

from mathderive.core.errors import InputError, is_rust_panic
from mathderive.core.files import replacing
from mathderive.core.regular_files import read_regular_file
from mathderive.model.tokenizer_files import MAX_TOKENIZER_BYTES, check_tokenizer_files

PAD_ID, EOS_ID, UNKNOWN_ID = 0, 1, 2
"""Ids of the special tokens, in T5 and in the tokenizers that are trained here."""

BYTE_PIECES = 256
"""Number of tokens for single bytes in a tokenizer that is trained here, in addition to `vocab_size` pieces."""

SPACE_MARK = "\u2581"
"""The character that SentencePiece writes for a space in its pieces."""

_OWN_FILE = "sentencepiece.model"


class Tokenizer(Protocol):
    """The interface of a tokenizer for training and decoding."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""

    def encode(self, text: str) -> list[int]:
        """The ids of the text, with the end-of-sequence id at the end."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids, without special tokens."""

    def save(self, folder: Path) -> None:
        """Writes a folder that `load_tokenizer` reads."""


class SentencePieceTokenizer:
    """A lossless unigram model that `train_tokenizer` makes."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._space_mark_ids = [self._processor.PieceToId(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]

    @property
    def vocab_size(self) -> int:
        return self._processor.GetPieceSize()

    def encode(self, text: str) -> list[int]:
        # SentencePiece writes a space as U+2581 and would decode that character as a space, so it is encoded as bytes.
        ids: list[int] = []
        for number, part in enumerate(text.split(SPACE_MARK)):
            if number:
                ids += self._space_mark_ids
            ids += self._processor.EncodeAsIds(part)
        return [*ids, EOS_ID]

    def decode(self, ids: Sequence[int]) -> str:
        return self._processor.DecodeIds([int(token) for token in ids if token > UNKNOWN_ID])

    def pieces(self) -> list[tuple[str, float]]:
        """The text and the score of every token, by id; a space is `SPACE_MARK`, special and byte tokens score 0."""
        ids = range(self.vocab_size)
        return [(self._processor.IdToPiece(token), self._processor.GetScore(token)) for token in ids]

    def save(self, folder: Path) -> None:
        with replacing(folder / _OWN_FILE, "wb") as stream:
            stream.write(self._model)


class HuggingFaceTokenizer:
    """The tokenizer of a released checkpoint, loaded by `transformers`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def vocab_size(self) -> int:
        # There may be gaps between the ids.
        return max(self._tokenizer.get_vocab().values(), default=-1) + 1

    def encode(self, text: str) -> list[int]:
        with _panics_named(f"{text[:80]!r}"):
            return self._tokenizer(text)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        known = [int(token) for token in ids if token < len(self._tokenizer)]
        with _panics_named(f"{known[:20]}"):
            return self._tokenizer.decode(known, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def add_tokens(self, tokens: Sequence[str]) -> None:
        """Adds tokens that are found anywhere in a text; tokens that are known already do not change."""
        self._tokenizer.add_tokens(list(tokens))

    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder)


def train_tokenizer(texts: Iterable[str], folder: Path, vocab_size: int) -> SentencePieceTokenizer:
    """Trains a tokenizer and saves it in `folder`; the same texts give the same bytes.

    Args:
        vocab_size: number of pieces to learn, with the three special tokens and without the 256 single bytes.

    Raises:
        InputError: the texts are too few or too simple for that many pieces, or they have more characters than that.
    """
    # SentencePiece reads lines, and a NUL ends a string. So texts are cut at line breaks and NULs, and both characters
    # become byte tokens.
    lines = [line for text in texts for line in text.replace("\0", "\n").split("\n") if line]
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines),
            model_writer=written,
            model_type="unigram",
            vocab_size=vocab_size + BYTE_PIECES,
            pad_id=PAD_ID,
            eos_id=EOS_ID,
            unk_id=UNKNOWN_ID,
            bos_id=-1,
            byte_fallback=True,
            character_coverage=1.0,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            split_by_unicode_script=False,
            max_sentence_length=1 << 24,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise InputError(f"model.vocab_size: {_explain_size_error(str(error), vocab_size)}") from None
    tokenizer = SentencePieceTokenizer(written.getvalue())
    tokenizer.save(folder)
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """Reads a tokenizer that was saved here, or the tokenizer of a Hugging Face folder.

    Raises:
        InputError: there is no tokenizer, or it is damaged, or see `check_tokenizer_files`.
    """
    own = folder / _OWN_FILE
    if folder.is_dir():
        check_tokenizer_files(folder)
    if os.path.lexists(own):
        try:
            return SentencePieceTokenizer(read_regular_file(own, MAX_TOKENIZER_BYTES, "a SentencePiece model"))
        except RuntimeError:
            raise InputError(f"{own}: not a whole SentencePiece model") from None
    if not any((folder / name).is_file() for name in ("tokenizer.json", "spiece.model")):
        raise InputError(f"{folder}: no tokenizer here; expected {_OWN_FILE}, tokenizer.json or spiece.model")
    # Imported here, because it is slow.
    from transformers import AutoTokenizer

    try:
        with _panics_named("its files"):
            tokenizer = HuggingFaceTokenizer(
                AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            )
        tokenizer.encode("x")
        return tokenizer
    except Exception as error:  # each parser has its own errors for damage
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        raise InputError(f"{folder}: the tokenizer cannot be read ({reason})") from None


@contextmanager
def _panics_named(what: str) -> Iterator[None]:
    """Turns a panic of the tokenizers library into an `InputError` that says what the library was given."""
    try:
        yield
    except BaseException as error:
        if not is_rust_panic(error):
            raise
        raise InputError(f"the tokenizers library fails on {what}: {str(error)[:300]}") from None


def _explain_size_error(message: str, vocab_size: int) -> str:
    """Rephrases SentencePiece's error message; the numbers in that message count the byte tokens."""
    if too_small := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        least = int(too_small[1]) - BYTE_PIECES
        return f"{vocab_size} is too small for the training text's characters; expected at least {least}"
    if too_large := re.search(r"<= (\d+)", message):
        most = int(too_large[1]) - BYTE_PIECES
        return f"the training text gives no {vocab_size} pieces; expected at most {most}"
    return f"no tokenizer can be trained on this text ({message})"
