"""Text to token ids and back, by a SentencePiece model of our own or a released checkpoint's tokenizer.

Our own one (Kudo, *Subword Regularization*, 2018) loses nothing: `decode(encode(text)) == text` for every
text. Characters that the training text lacks become the bytes of their UTF-8, each byte a token.
"""

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import sentencepiece

from mathderive.core.errors import InputError
from mathderive.core.files import replacing

PAD_ID, EOS_ID, UNKNOWN_ID = 0, 1, 2
"""T5's numbering, also that of the tokenizers trained here."""

BYTE_PIECES = 256
"""Tokens of a tokenizer trained here that stand for single bytes; they come on top of `vocab_size` pieces."""

SPACE_MARK = "\u2581"
"""What SentencePiece writes for a space in its pieces."""

_OWN_FILE = "sentencepiece.model"


class Tokenizer(Protocol):
    """What training and decoding need of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""

    def encode(self, text: str) -> list[int]:
        """The ids of the text, the end-of-sequence id last."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of the ids, special tokens left out."""

    def save(self, folder: Path) -> None:
        """Writes a folder that `load_tokenizer` reads."""


class SentencePieceTokenizer:
    """A lossless unigram model; made by `train_tokenizer`."""

    def __init__(self, model: bytes) -> None:
        self._model = model
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._space_mark_ids = [self._processor.PieceToId(f"<0x{byte:02X}>") for byte in SPACE_MARK.encode()]

    @property
    def vocab_size(self) -> int:
        return self._processor.GetPieceSize()

    def encode(self, text: str) -> list[int]:
        # SentencePiece writes a space as U+2581 and would read that character back as a space, so it goes in
        # as bytes.
        ids: list[int] = []
        for number, part in enumerate(text.split(SPACE_MARK)):
            if number:
                ids += self._space_mark_ids
            ids += self._processor.EncodeAsIds(part)
        return [*ids, EOS_ID]

    def decode(self, ids: Sequence[int]) -> str:
        return self._processor.DecodeIds([int(token) for token in ids if token > UNKNOWN_ID])

    def pieces(self) -> list[tuple[str, float]]:
        """Every token by id: its text, spaces as `SPACE_MARK`, and its score, 0 for special and byte tokens."""
        ids = range(self.vocab_size)
        return [(self._processor.IdToPiece(token), self._processor.GetScore(token)) for token in ids]

    def save(self, folder: Path) -> None:
        with replacing(folder / _OWN_FILE, "wb") as stream:
            stream.write(self._model)


class HuggingFaceTokenizer:
    """The tokenizer of a released checkpoint, by way of `transformers`."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    @property
    def vocab_size(self) -> int:
        return len(self._tokenizer)

    def encode(self, text: str) -> list[int]:
        return self._tokenizer(text)["input_ids"]

    def decode(self, ids: Sequence[int]) -> str:
        known = [int(token) for token in ids if token < len(self._tokenizer)]
        return self._tokenizer.decode(known, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def add_tokens(self, tokens: Sequence[str]) -> None:
        """Makes each of `tokens` one token, whatever stands around it; known ones stay as they are."""
        self._tokenizer.add_tokens(list(tokens))

    def save(self, folder: Path) -> None:
        self._tokenizer.save_pretrained(folder)


def train_tokenizer(texts: Iterable[str], folder: Path, vocab_size: int) -> SentencePieceTokenizer:
    """Trains a tokenizer and saves it in `folder`; the same texts give the same bytes.

    Args:
        vocab_size: pieces learnt, the three special ones included and the 256 single bytes not.

    Raises:
        InputError: the texts are too few or too plain for so many pieces, or have more characters than that.
    """
    # A text is cut at its line breaks, because SentencePiece reads its input by the line, and a NUL ends a
    # string for it: both are left to the byte pieces.
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
        raise InputError(f"model.vocab_size: {_what_fits(str(error), vocab_size)}") from None
    tokenizer = SentencePieceTokenizer(written.getvalue())
    tokenizer.save(folder)
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """Reads a tokenizer saved here, or the one in a Hugging Face folder.

    Raises:
        InputError: there is none, or it is damaged.
    """
    own = folder / _OWN_FILE
    if own.is_file():
        try:
            return SentencePieceTokenizer(own.read_bytes())
        except RuntimeError:
            raise InputError(f"{own}: not a whole SentencePiece model") from None
    if not any((folder / name).is_file() for name in ("tokenizer.json", "spiece.model")):
        raise InputError(f"{folder}: no tokenizer here; expected {_OWN_FILE}, tokenizer.json or spiece.model")
    # Imported here, because it is slow.
    from transformers import AutoTokenizer

    try:
        return HuggingFaceTokenizer(
            AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        )
    except Exception as error:  # whatever parser the damage reaches
        raise InputError(f"{folder}: the tokenizer cannot be read ({type(error).__name__}: {error})") from None


def _what_fits(message: str, vocab_size: int) -> str:
    """SentencePiece's complaint in our terms; its numbers include the byte pieces."""
    if too_small := re.search(r"smaller than required_chars\. \d+ vs (\d+)", message):
        least = int(too_small[1]) - BYTE_PIECES
        return f"{vocab_size} is too small for the training text's characters; expected at least {least}"
    if too_large := re.search(r"<= (\d+)", message):
        most = int(too_large[1]) - BYTE_PIECES
        return f"the training text gives no {vocab_size} pieces; expected at most {most}"
    return f"no tokenizer can be trained on this text ({message})"
