"""The sampler's knobs, apart from SymPy so that a config can be read without importing it."""

from pydantic import BaseModel, ConfigDict


class SamplingSettings(BaseModel):
    """Placeholder until the sampler lands."""

    model_config = ConfigDict(extra="forbid", frozen=True)
