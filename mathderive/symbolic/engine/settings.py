"""The knobs of the generator; their defaults are the paper's."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from mathderive.symbolic.engine.operators import OPERATORS, Arity
from mathderive.symbolic.vocabulary import VOCABULARY

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]

MIN_NAMES = 4
"""Two symbols and a function name make a premise; a fourth name leaves room for an integration constant."""


OPERATORS_BY_ARGUMENTS: tuple[tuple[str, ...], ...] = tuple(
    tuple(name for name, operator in OPERATORS.items() if operator.arity in arities)
    for arities in ((Arity.PREMISE,), (Arity.EQUATION,), (Arity.OPERAND, Arity.TWO_EQUATIONS))
)
"""The operators with no argument, one and two, as `arity_weights` has them."""


class OperatorWeights(BaseModel):
    """How often an operator is drawn among those of its arity."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    get_premise: Weight = 1
    renaming_premise: Weight = 1
    cos: Weight = 1
    sin: Weight = 1
    exp: Weight = 1
    log: Weight = 1
    expand: Weight = 1
    evaluate_derivatives: Weight = 50
    evaluate_integrals: Weight = 50
    add: Weight = 1
    minus: Weight = 1
    times: Weight = 1
    divide: Weight = 1
    power: Weight = 1
    differentiate: Weight = 1
    integrate: Weight = 1
    substitute_LHS_for_RHS: Weight = 5
    substitute_RHS_for_LHS: Weight = 5


class SamplingSettings(BaseModel):
    """What decides, with a seed, which derivations there are.

    The defaults are those of Meadows et al. (2024). `vocabulary` restricts the names (`None`: all 155). A
    finished derivation of more than `max_characters` characters of target text is discarded (`None`: none is).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    vocabulary: tuple[str, ...] | None = None
    length_mean: float = Field(default=7, gt=0, allow_inf_nan=False)
    length_std: float = Field(default=3, gt=0, allow_inf_nan=False)
    length_min: int = Field(default=4, ge=2, le=50)
    length_max: int = Field(default=9, ge=2, le=50)
    arity_weights: tuple[Weight, Weight, Weight] = (5, 50, 100)
    operator_weights: OperatorWeights = OperatorWeights()
    max_equation_characters: int = Field(default=350, ge=20, le=2000)
    max_failed_steps: int = Field(default=100, ge=1)
    max_characters: int | None = Field(default=None, ge=20)

    @property
    def names(self) -> tuple[str, ...]:
        """The names to draw from."""
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

    @model_validator(mode="after")
    def _settings_can_be_met(self) -> Self:
        if self.length_min > self.length_max:
            raise ValueError(f"length_min {self.length_min} is above length_max {self.length_max}")
        nearest = min(max(self.length_mean, self.length_min), self.length_max)
        if abs(nearest - self.length_mean) > 4 * self.length_std:
            raise ValueError("length_mean lies more than four length_std outside length_min to length_max")
        for names, weight in zip(OPERATORS_BY_ARGUMENTS, self.arity_weights, strict=True):
            if weight > 0 and not any(getattr(self.operator_weights, name) for name in names):
                raise ValueError(f"arity_weights lets {', '.join(names)} be drawn, but operator_weights forbids all")
        if not any(self.arity_weights[1:]):
            raise ValueError("arity_weights must let something other than premises be drawn")
        return self
