"""The settings of the generator; the defaults are the paper's."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mathderive.symbolic.engine.operators import OPERATORS, find_operator
from mathderive.symbolic.engine.operators.registry import operators_by_arguments
from mathderive.symbolic.vocabulary import VOCABULARY

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

MIN_NAMES = 4
"""Minimum size of a vocabulary: a premise takes two symbols and a function name, an integration constant one more."""


def default_weights() -> dict[str, Weight]:
    """The weight of every registered operator."""
    return {name: operator.weight for name, operator in OPERATORS.items()}


class SamplingSettings(BaseModel):
    """The settings that decide, together with a seed, which derivations are sampled.

    The defaults are those of Meadows et al. (2024).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    vocabulary: tuple[str, ...] | None = None
    """The names of symbols and functions; null allows all 155."""
    length_mean: float = Field(default=7, gt=0, allow_inf_nan=False)
    """Mean of the normal distribution from which the number of equations is drawn."""
    length_std: float = Field(default=3, gt=0, allow_inf_nan=False)
    """Standard deviation of that distribution."""
    length_min: int = Field(default=4, ge=2, le=50)
    """Minimum number of equations; smaller ones are drawn again."""
    length_max: int = Field(default=9, ge=2, le=50)
    """Maximum number of equations; larger ones are drawn again."""
    arity_weights: tuple[Weight, Weight, Weight] = (5, 50, 100)
    """How often operators without an argument (premises), with one and with two are drawn, relative to each other."""
    operator_weights: dict[str, Weight] = Field(default_factory=default_weights)
    """How often an operator is drawn, relative to others with as many arguments. Operators that are not listed keep
    their default."""
    max_equation_characters: int = Field(default=350, ge=20, le=2000)
    """Maximum length of an equation."""
    max_failed_steps: int = Field(default=100, ge=1)
    """Number of steps that may fail before an attempt is given up."""
    max_characters: int | None = Field(default=None, ge=20)
    """Maximum length of a target; longer derivations are discarded. null discards none."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that symbols and functions are drawn from."""
        return VOCABULARY if self.vocabulary is None else self.vocabulary

    @field_validator("vocabulary")
    @classmethod
    def _vocabulary_is_usable(cls, vocabulary: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if vocabulary is None:
            return None
        if unknown := sorted(set(vocabulary) - set(VOCABULARY)):
            raise ValueError(f"not among the {len(VOCABULARY)} names of the vocabulary: {', '.join(unknown)}")
        if len(set(vocabulary)) != len(vocabulary):
            raise ValueError("a name is listed twice")
        if len(vocabulary) < MIN_NAMES:
            raise ValueError(f"at least {MIN_NAMES} names are needed")
        return vocabulary

    @field_validator("operator_weights")
    @classmethod
    def _operators_are_registered(cls, weights: dict[str, float]) -> dict[str, float]:
        """Puts the weights in the operators' order and adds those that are not listed."""
        for name in weights:
            find_operator(name)
        return default_weights() | weights

    @model_validator(mode="after")
    def _settings_can_be_met(self) -> Self:
        if self.length_min > self.length_max:
            raise ValueError(f"length_min {self.length_min} is above length_max {self.length_max}")
        nearest = min(max(self.length_mean, self.length_min), self.length_max)
        if abs(nearest - self.length_mean) > 4 * self.length_std:
            raise ValueError("length_mean lies more than four length_std outside length_min to length_max")
        for operators, weight in zip(operators_by_arguments(), self.arity_weights, strict=True):
            names = [operator.name for operator in operators]
            if weight > 0 and not any(self.operator_weights[name] for name in names):
                raise ValueError(f"arity_weights lets {', '.join(names)} be drawn, but operator_weights forbids all")
        if not any(self.arity_weights[1:]):
            raise ValueError("arity_weights must let something other than premises be drawn")
        return self
