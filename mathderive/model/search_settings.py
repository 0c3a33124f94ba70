"""How outputs are searched for: a part of the typed config tree. Imports no JAX, to be read cheaply."""

from pydantic import BaseModel, ConfigDict, Field


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
