"""Pairs of texts to what a BERT reads: `[CLS] first [SEP] second [SEP]`, by a published tokenizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mathderive.core.errors import InputError

_FIRST, _END = "[CLS]", "[SEP]"

SPECIAL_TOKENS = 3
"""Of a pair's tokens."""


class PairTokenizer:
    """The tokenizer of a Hugging Face folder; in a text, `[SEP]` and its like are plain characters."""

    def __init__(self, tokenizer: Any) -> None:
        """Takes a `tokenizers.Tokenizer`.

        Raises:
            ValueError: it does not know `[CLS]` and `[SEP]`.
        """
        self._tokenizer = tokenizer
        # An answer must not end its own text and begin another.
        tokenizer.encode_special_tokens = True
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._first, self._end = (tokenizer.token_to_id(token) for token in (_FIRST, _END))
        if self._first is None or self._end is None:
            raise ValueError(f"it lacks {_FIRST if self._first is None else _END}")

    @property
    def vocab_size(self) -> int:
        """One more than the largest id."""
        return max(self._tokenizer.get_vocab().values()) + 1

    def encode(self, pairs: Sequence[tuple[str, str]], max_length: int) -> list[tuple[list[int], list[int]]]:
        """The ids of each pair, `max_length` at most, and of each id the text it is of: 0 or 1.

        Where a pair is too long, the longer of the two loses its last token until it is not, the second one where they
        are equally long: what BERT's and BLEURT's authors do (`_truncate_seq_pair`), and `tokenizers` does not.
        """
        texts = [_utf8(text) for pair in pairs for text in pair]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]
        encoded = []
        for first, second in zip(ids[::2], ids[1::2], strict=True):
            first_length, second_length = truncated(len(first), len(second), max_length - SPECIAL_TOKENS)
            first_part = [self._first, *first[:first_length], self._end]
            second_part = [*second[:second_length], self._end]
            encoded.append((first_part + second_part, [0] * len(first_part) + [1] * len(second_part)))
        return encoded


def truncated(first: int, second: int, most: int) -> tuple[int, int]:
    """The lengths of two texts of `first` and `second` tokens when together they have at most `most`."""
    while first + second > most:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


def load_pair_tokenizer(folder: Path) -> PairTokenizer:
    """Reads `tokenizer.json` as it stands, or else `vocab.txt`, with what `tokenizer_config.json` says of case.

    Raises:
        InputError: there is none, or it is damaged.
    """
    whole = folder / "tokenizer.json"
    if not whole.is_file() and not (folder / "vocab.txt").is_file():
        raise InputError(f"{folder}: no tokenizer here; expected tokenizer.json or vocab.txt")
    # Imported here, because it is slow.
    from transformers import BertTokenizer, PreTrainedTokenizerFast

    try:
        # Not BertTokenizer for both: it lower-cases unless tokenizer_config.json forbids it, whatever
        # tokenizer.json says.
        loaded = (
            PreTrainedTokenizerFast(tokenizer_file=str(whole))
            if whole.is_file()
            else BertTokenizer.from_pretrained(folder, local_files_only=True)
        )
        return PairTokenizer(loaded.backend_tokenizer)
    except Exception as error:  # whatever parser the damage reaches
        raise InputError(f"{folder}: the tokenizer cannot be read ({type(error).__name__}: {error})") from None


def _utf8(text: str) -> str:
    """Without lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
