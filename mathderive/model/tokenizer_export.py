"""Writing a tokenizer that was trained here as a `tokenizer.json` for `transformers`, with the same ids and texts.

Hugging Face's `tokenizers` has the same unigram model (Kudo, *Subword Regularization*, 2018), with two differences:

- Its pieces may contain plain spaces. So U+2581, which SentencePiece writes for a space, is a character like any other
  that is no piece: it becomes three byte tokens.
- It finds the names of byte and special tokens in a text (`<0x41>`, `</s>`); SentencePiece does not. Therefore a text
  is cut after the `<` of such a name before it is split into pieces, and the search for special tokens is switched off
  (`split_special_tokens`).

Two results may differ. SentencePiece adds scores in 32 bits and `tokenizers` in 64 bits, so they may split a text in
different ways if the scores of the two ways are equal to rounding error. And for ids that are no UTF-8, `tokenizers`
writes a replacement character for each byte, but SentencePiece keeps the characters that are whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathderive.core.files import write_json
from mathderive.model.tokenizer import EOS_ID, PAD_ID, SPACE_MARK, UNKNOWN_ID, SentencePieceTokenizer

_SPECIAL = {"pad_token": PAD_ID, "eos_token": EOS_ID, "unk_token": UNKNOWN_ID}


def export_tokenizer(tokenizer: SentencePieceTokenizer, folder: Path) -> None:
    """Writes `tokenizer.json` and `tokenizer_config.json`, which `AutoTokenizer.from_pretrained(folder)` reads."""
    pieces = [(piece.replace(SPACE_MARK, " "), score) for piece, score in tokenizer.pieces()]
    special = {role: pieces[token][0] for role, token in _SPECIAL.items()}
    write_json(folder / "tokenizer.json", _description(pieces, special))
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "split_special_tokens": True,
            **special,
        },
    )


def _description(pieces: list[tuple[str, float]], special: Mapping[str, str]) -> dict[str, Any]:
    """The content of a `tokenizer.json`."""
    end = special["eos_token"]
    names = "|".join(name.removeprefix("<") for name in special.values())
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    ending = {"SpecialToken": {"id": end, "type_id": 0}}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": _SPECIAL[role], "content": name, **plain} for role, name in special.items()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": f"<(?={names}|0x[0-9A-F]{{2}}>)"},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, ending],
            "pair": [first, ending, second, ending],
            "special_tokens": {end: {"id": end, "ids": [EOS_ID], "tokens": [end]}},
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "Unigram", "unk_id": UNKNOWN_ID, "byte_fallback": True, "vocab": pieces},
    }
