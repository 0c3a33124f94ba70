"""The shape of a T5, which is what a checkpoint folder's `config.json` holds, and how outputs are searched for.

Imports no JAX, to be read cheaply.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class T5Config(BaseModel):
    """A T5 1.0 or 1.1 encoder-decoder (Raffel et al., 2020; Shazeer, 2020), in the names of the T5 papers.

    T5 1.0 is `feed_forward="relu"` with `tie_word_embeddings=True` (and logits scaled by `d_model ** -0.5`);
    T5 1.1 and FLAN-T5 are `"gated-gelu"`, untied.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # The upper bounds are far beyond any T5; without them a description of a few bytes could occupy the machine.
    vocab_size: int = Field(ge=4, le=2**24)
    d_model: int = Field(ge=1, le=2**17)
    d_kv: int = Field(ge=1, le=2**17)
    d_ff: int = Field(ge=1, le=2**20)
    num_heads: int = Field(ge=1, le=2**10)
    num_layers: int = Field(ge=1, le=2**9)
    num_decoder_layers: int = Field(ge=1, le=2**9)
    relative_attention_num_buckets: int = Field(default=32, ge=4, le=2**20)
    relative_attention_max_distance: int = Field(default=128, ge=8, le=2**20)
    dropout_rate: float = Field(default=0.1, ge=0, lt=1)
    layer_norm_epsilon: float = Field(default=1e-6, gt=0)
    feed_forward: Literal["relu", "gated-gelu"] = "relu"
    tie_word_embeddings: bool = True
    pad_token_id: int = Field(default=0, ge=0)
    eos_token_id: int = Field(default=1, ge=0)
    decoder_start_token_id: int = Field(default=0, ge=0)


class SearchSettings(BaseModel):
    """How outputs are searched for, in the names of `generate` in transformers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    num_beams: int = Field(default=1, ge=1, le=64)
    """1 is greedy: the likeliest next token again and again."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1, what was said before becomes less likely."""
    length_penalty: float = 1.0
    """Finished hypotheses are compared by log-probability / length ** length_penalty; of use with beams only."""
    early_stopping: bool = False
    """Ends when `num_beams` hypotheses have ended, rather than when no live one could be better."""
