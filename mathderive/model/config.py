"""The shape of a network, T5 or BERT, as the `config.json` of a checkpoint folder describes it.

This module imports nothing beyond the standard library, so that it loads fast and works where little is installed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

FeedForwardKind = Literal["relu", "gated-gelu"]

# These bounds are far beyond any model. Without them, a description of a few bytes could use up the machine's memory.
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "vocab_size": (4, 2**24),
    "d_model": (1, 2**17),
    "d_kv": (1, 2**17),
    "d_ff": (1, 2**20),
    "num_heads": (1, 2**10),
    "num_layers": (1, 2**7),
    "num_decoder_layers": (1, 2**7),
    "relative_attention_num_buckets": (4, 2**20),
    "relative_attention_max_distance": (8, 2**20),
    "dropout_rate": (0, math.nextafter(1, 0)),
    "layer_norm_epsilon": (math.ulp(0), 1),
    "pad_token_id": (0, 2**24),
    "eos_token_id": (0, 2**24),
    "decoder_start_token_id": (0, 2**24),
    "hidden_size": (1, 2**17),
    "intermediate_size": (1, 2**20),
    "num_hidden_layers": (1, 2**7),
    "num_attention_heads": (1, 2**10),
    "max_position_embeddings": (3, 2**20),
    "type_vocab_size": (2, 2**10),
    "layer_norm_eps": (math.ulp(0), 1),
}


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """A T5 1.0 or 1.1 encoder-decoder (Raffel et al., 2020; Shazeer, 2020), in the names of the T5 papers.

    T5 1.0 is `feed_forward="relu"` with `tie_word_embeddings=True` (and logits scaled by `d_model ** -0.5`);
    T5 1.1 and FLAN-T5 are `"gated-gelu"`, untied.

    Raises:
        ValueError: a value is of the wrong type or impossible; names the field and what was expected.
    """

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_heads: int
    num_layers: int
    num_decoder_layers: int
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    dropout_rate: float = 0.1
    layer_norm_epsilon: float = 1e-6
    feed_forward: FeedForwardKind = "relu"
    tie_word_embeddings: bool = True
    pad_token_id: int = 0
    eos_token_id: int = 1
    decoder_start_token_id: int = 0

    def __post_init__(self) -> None:
        _check_bounds(self)
        if self.feed_forward not in get_args(FeedForwardKind):
            expected = " or ".join(get_args(FeedForwardKind))
            raise ValueError(f"feed_forward: expected {expected}, found {self.feed_forward!r:.80}")
        if type(self.tie_word_embeddings) is not bool:
            raise ValueError(f"tie_word_embeddings: expected true or false, found {self.tie_word_embeddings!r:.80}")

    @classmethod
    def from_json(cls, tree: Any) -> "T5Config":
        """The inverse of `dataclasses.asdict`.

        Raises:
            ValueError: a field is missing or unknown, or as the class says.
        """
        if not isinstance(tree, dict):
            raise ValueError(f"expected a mapping, found {type(tree).__name__}")
        known = {field.name for field in fields(cls)}
        if unknown := sorted(tree.keys() - known):
            raise ValueError(f"{unknown[0]:.80}: unknown")
        required = ("vocab_size", "d_model", "d_kv", "d_ff", "num_heads", "num_layers", "num_decoder_layers")
        if missing := [name for name in required if name not in tree]:
            raise ValueError(f"{missing[0]}: missing")
        return cls(**tree)

    def check_token_ids(self) -> None:
        """Checks that the embedding has a row for every special token; a search can do with an end that never comes.

        Raises:
            ValueError: it lacks one; names the field.
        """
        for name in ("pad_token_id", "eos_token_id", "decoder_start_token_id"):
            if (token := getattr(self, name)) >= self.vocab_size:
                raise ValueError(f"{name}: expected an integer from 0 to {self.vocab_size - 1}, found {token}")


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """A BERT encoder (Devlin et al., 2019) that reads a pair of texts, in the names of Hugging Face's `config.json`.

    Raises:
        ValueError: a value is of the wrong type or impossible; names the field and what was expected.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12

    def __post_init__(self) -> None:
        _check_bounds(self)
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size: expected a multiple of num_attention_heads, {self.num_attention_heads},"
                f" found {self.hidden_size}"
            )


def _check_bounds(config: "T5Config | BertConfig") -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in _BOUNDS:
            least, most = _BOUNDS[field.name]
            kinds, kind = ((int,), "an integer") if field.type is int else ((int, float), "a number")
            if type(value) not in kinds or not least <= value <= most:
                raise ValueError(f"{field.name}: expected {kind} from {least:g} to {most:g}, found {value!r:.80}")
