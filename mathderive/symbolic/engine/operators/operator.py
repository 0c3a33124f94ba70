"""The entry that holds everything about one operator, and the protocols of the objects that it is given.

The sampler, the replayer, the perturbations, the prompts and the checker ask this entry and know no operator by name.
Operators are pure: the one choice that an operator makes by itself, the name of an integration constant, is made by a
callable passed in.
"""

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from sympy import Derivative, Equality, Expr, Integral, Symbol

Sides = tuple[Expr, Expr]
"""The left and the right side of an equation."""

DrawConstant = Callable[[], Symbol]
"""Returns the constant of the next evaluated integral; raises `OperatorError` where no name is left."""

Number = Any
"""The value of an expression at a few random points; only the methods of `Comparison` can use it."""


class OperatorError(ValueError):
    """The operator does not apply; the message says why."""


class Arity(Enum):
    """The arguments of an operator."""

    PREMISE = "nothing"
    EQUATION = "one equation"
    OPERAND = "an equation and an operand"
    TWO_EQUATIONS = "two equations"

    @property
    def references(self) -> int:
        """The number of earlier steps that an annotation names."""
        return {Arity.PREMISE: 0, Arity.TWO_EQUATIONS: 2}.get(self, 1)


class Past(Protocol):
    """The equations so far of a derivation that is being sampled."""

    equations: list[Equality]
    parts: dict[Expr, None]
    """All subexpressions of the equations."""
    names: set[str]
    """The names of all symbols and functions."""

    def premises(self) -> list[Equality]:
        """The premises in order."""

    def mentions(self, text: str) -> bool:
        """Whether a text occurs in the LaTeX of an equation."""

    def draw_step(self, rng: random.Random) -> int:
        """Draws the number of a step, recent steps preferred."""

    def draw_substitution(
        self, left_for_right: bool, rng: random.Random, acts_on: int | None = None
    ) -> tuple[int, int, Equality] | None:
        """Draws two steps such that a substitution by the second changes the first, with the result."""


class EquationView(Protocol):
    """An equation as an inverse sees it."""

    @property
    def lhs(self) -> Expr: ...
    @property
    def rhs(self) -> Expr: ...
    @property
    def sides(self) -> Sides: ...
    @property
    def equation(self) -> Equality: ...
    @property
    def left(self) -> Number: ...
    @property
    def right(self) -> Number: ...
    @property
    def symbols(self) -> frozenset[Symbol]: ...
    @property
    def parts(self) -> frozenset[Expr]: ...
    @property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The names of symbols and functions in the left and in the right side."""

    @property
    def has_fingerprint(self) -> bool:
        """Whether both sides have finite values, so that numeric comparison says something."""

    @property
    def has_integral(self) -> bool: ...
    @property
    def has_integral_of_zero(self) -> bool: ...
    @property
    def has_derivative(self) -> bool: ...

    @property
    def differentiates_integrals(self) -> bool:
        """Whether a derivative of an integral occurs, which takes long to evaluate."""

    def is_trivial(self) -> bool:
        """Whether both sides have the same value."""

    def result_of(self, name: str) -> Sides | None:
        """The sides that an operator without an operand gives; None where it fails or changes nothing."""


class Comparison(Protocol):
    """The question put to an inverse: does the operator lead from `before` to `new`?

    Expressions are compared by their values at random points, so it does not matter how SymPy has simplified them.
    """

    def __hash__(self) -> int:
        """Comparisons are hashed by identity, so that an inverse can cache what it found."""

    @property
    def new(self) -> EquationView: ...
    @property
    def before(self) -> EquationView: ...

    @property
    def second(self) -> EquationView | None:
        """The other equation of an operator that takes two; None for all other operators."""

    @property
    def known(self) -> Collection[Expr]:
        """All subexpressions of the earlier equations."""

    @property
    def same_sides(self) -> tuple[bool, bool]:
        """Whether the left side has the same value before and after, and whether the right side has."""

    @property
    def has_same_difference(self) -> bool:
        """Whether left side minus right side has the same value before and after."""

    @property
    def has_same_ratio(self) -> bool:
        """Whether left side over right side has the same value before and after."""

    @property
    def may_be_power(self) -> bool:
        """Whether the logarithms of both sides may have grown by the same factor."""

    def number(self, expression: Expr) -> Number:
        """The value of an expression."""

    def close(self, first: Number, second: Number) -> bool:
        """Whether two values agree up to rounding."""

    def is_zero(self, number: Number) -> bool: ...

    def function_of_sides(self, name: str) -> tuple[Number, Number]:
        """The values of an elementary function, called by its SymPy name, of the earlier sides."""

    def power(self, base: Number, exponent: Number) -> Number: ...

    def lower_derivative(self, side: Derivative, variable: Symbol) -> Number | None:
        """The value of a derivative that is taken once less by the variable; None where it is not taken by it."""

    def lower_integral(self, side: Integral, variable: Symbol) -> Number | None:
        """The value of an integral that is taken once less by the variable; None where it is not taken by it."""

    def states(self, sides: Sides) -> bool:
        """Whether the new equation has these sides, literally or by value."""

    def has_occurred(self, operand: Expr) -> bool:
        """Whether an operand is a number or, sign and inversion aside, a part of an earlier equation."""

    def replaces_integrals(self, carry_out: bool) -> bool:
        """Whether the integrals that the new equation lacks have become antiderivatives plus fresh constants."""


Function = Callable[[Equality, Expr | Equality | None, DrawConstant], Sides]
"""Makes the sides of the result from the equation, the operand or second equation, and the source of constants."""

Operands = Callable[[Equality, Collection[Expr]], Sequence[Expr]]
"""Returns the operands that can be drawn for an equation, given all subexpressions so far."""

Guard = Callable[[Sequence[Equality], Equality, Expr | None], bool]
"""Returns whether the sampler may apply the operator to an equation and its operand, if any, given the premises."""

SideCondition = Callable[[bool | None], bool]
"""Returns whether the checker accepts an operand that is zero in the model, is not, or of which neither is known."""

DrawPremise = Callable[[Past, Sequence[str], random.Random], Equality | None]
"""Draws a premise over the given names; None where none is found."""

DrawPair = Callable[[Past, random.Random, int | None], tuple[int, int, Equality] | None]
"""Draws the numbers of two steps, the first one given or not, and returns them with the result; None for none."""

Inverse = Callable[["Operator", Comparison], Iterator[tuple[Expr, ...]]]
"""Yields, for each way in which the operator gives the new equation, its operands: one, or `()` for none."""


@dataclass(frozen=True)
class Operator:
    """Everything about an operator.

    Attributes:
        name: the first item of an annotation.
        arity: what the operator is applied to.
        sentence: how the checker explains a step, with `{0}` for the equation, `{1}` for the second equation and
            `{operand}` for the operand.
        function: makes the result; a premise has none.
        weight: how often the operator is drawn among those of its number of arguments, unless a config says otherwise.
        operands: the operands that can be drawn, for arity `OPERAND`.
        guard: refuses drawn equations and operands; None refuses none.
        side_condition: refuses operands that the checker finds, such as a divisor that may be zero; None refuses none.
        draw_premise: draws the equation, for arity `PREMISE`.
        draw_pair: draws the two steps, for arity `TWO_EQUATIONS`; None draws any two.
        inverse: finds the operands that lead from one equation to another; None applies the operator and compares.
        inverse_is_quick: whether `inverse` only compares values; others apply the operator.
        slow_inverse: a second inverse, tried where no operator's `inverse` found anything.
        mirror: the operator that does the same once the sides of every equation change places; None is itself.
        introduces_constants: whether the result has fresh constants, so that the sampler applies the operator to an
            equation once only.
        has_derive_clause: whether the prompt asks for the result with a `then derive` clause.
    """

    name: str
    arity: Arity
    sentence: str
    function: Function | None = None
    weight: float = 1
    operands: Operands | None = None
    guard: Guard | None = None
    side_condition: SideCondition | None = None
    draw_premise: DrawPremise | None = None
    draw_pair: DrawPair | None = None
    inverse: Inverse | None = None
    inverse_is_quick: bool = False
    slow_inverse: Inverse | None = None
    mirror: str | None = None
    introduces_constants: bool = False
    has_derive_clause: bool = False
