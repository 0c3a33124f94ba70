"""The settings of greedy search and beam search, a part of the typed config. Imports no JAX, so that it loads fast."""

from pydantic import BaseModel, ConfigDict, Field


class SearchSettings(BaseModel):
    """The settings of a search for outputs, with the names of `generate` in transformers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    num_beams: int = Field(default=1, ge=1, le=64)
    """Number of hypotheses; 1 is greedy search."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Factor above 1 that makes tokens less likely which the output or its start has already."""
    length_penalty: float = 1.0
    """Exponent of the length in `log-probability / length ** length_penalty`, by which beam search compares finished
    hypotheses."""
    early_stopping: bool = False
    """Whether beam search ends as soon as `num_beams` hypotheses are finished; by default it ends when no live
    hypothesis can be better."""
