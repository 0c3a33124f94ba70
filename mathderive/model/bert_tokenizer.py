"""Token ids of pairs of texts as a BERT reads them, `[CLS] first [SEP] second [SEP]`, by a published tokenizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mathderive.core.errors import InputError
from mathderive.model.tokenizer_files import check_tokenizer_files

_FIRST, _END = "[CLS]", "[SEP]"

SPECIAL_TOKENS = 3
"""Number of special tokens in an encoded pair."""


class PairTokenizer:
    """The tokenizer of a Hugging Face folder; special tokens such as `[SEP]` in a text are plain characters."""

    def __init__(self, tokenizer: Any) -> None:
        """Takes a `tokenizers.Tokenizer`.

        Raises:
            ValueError: its vocabulary lacks `[CLS]` or `[SEP]`.
        """
        self._tokenizer = tokenizer
        # An answer must not be able to end its own text and begin another one.
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
        """Encodes each pair as at most `max_length` token ids and as many segment ids.

        A pair that is too long loses the last token of its longer text, of the second one if both are equally long,
        until it fits. This is how the authors of BERT and BLEURT cut (`_truncate_seq_pair`); `tokenizers` cuts in
        another way.

        Returns:
            For each pair the token ids, and the segment ids: 0 in the first text and 1 in the second.
        """
        texts = [_utf8(text) for pair in pairs for text in pair]
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]
        encoded = []
        for first, second in zip(ids[::2], ids[1::2], strict=True):
            first_length, second_length = truncated_lengths(len(first), len(second), max_length - SPECIAL_TOKENS)
            first_part = [self._first, *first[:first_length], self._end]
            second_part = [*second[:second_length], self._end]
            encoded.append((first_part + second_part, [0] * len(first_part) + [1] * len(second_part)))
        return encoded


def truncated_lengths(first: int, second: int, max_length: int) -> tuple[int, int]:
    """The lengths to which texts of `first` and `second` tokens are cut, so that their sum is at most `max_length`."""
    while first + second > max_length:
        if first > second:
            first -= 1
        else:
            second -= 1
    return first, second


def load_pair_tokenizer(folder: Path) -> PairTokenizer:
    """Reads `tokenizer.json` or, if there is none, `vocab.txt` and the letter case in `tokenizer_config.json`.

    Raises:
        InputError: there is no tokenizer, or it is damaged, or see `check_tokenizer_files`.
    """
    if folder.is_dir():
        check_tokenizer_files(folder)
    tokenizer_file = folder / "tokenizer.json"
    if not tokenizer_file.is_file() and not (folder / "vocab.txt").is_file():
        raise InputError(f"{folder}: no tokenizer here; expected tokenizer.json or vocab.txt")
    # Imported here, because it is slow.
    from transformers import BertTokenizer, PreTrainedTokenizerFast

    try:
        # BertTokenizer would not do for both: it ignores the letter case in tokenizer.json, and changes text to lower
        # case unless tokenizer_config.json forbids that.
        loaded = (
            PreTrainedTokenizerFast(tokenizer_file=str(tokenizer_file))
            if tokenizer_file.is_file()
            else BertTokenizer.from_pretrained(folder, local_files_only=True)
        )
        return PairTokenizer(loaded.backend_tokenizer)
    except Exception as error:  # each parser has its own errors for damage
        raise InputError(
            f"{folder}: the tokenizer cannot be read ({type(error).__name__}: {str(error)[:300]})"
        ) from None


def _utf8(text: str) -> str:
    """Replaces lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode("utf-8")
