"""Equations that others may follow from, with values that are computed once for each."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import comb, prod

import numpy as np
from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Pow, Symbol, preorder_traversal

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.array_functions import FUNCTIONS, Reals
from mathderive.checker.numeric.fingerprints import Fingerprint, close, exact, fingerprint, is_zero, minus
from mathderive.symbolic.engine.operators import OPERATORS
from mathderive.symbolic.engine.operators.application import sides_given_by
from mathderive.symbolic.engine.operators.inverses import size_of
from mathderive.symbolic.names import names_of
from mathderive.symbolic.parts import atoms_of, order_of, parts_of

GROWTH = 3
"""Rough factor by which each differentiation may enlarge an expression."""

MAX_TERMS = 300
"""Maximum number of terms of a product or power that is expanded."""

MAX_GROWN = 20_000
"""Maximum number of operations in what a derivative may grow to; an equation of the data has some dozens."""

MAX_REMEMBERED = 2_000
"""Maximum number of operator results that are remembered."""


@dataclass(frozen=True)
class Fact:
    """An equation that others may follow from."""

    number: int
    lhs: Expr
    rhs: Expr

    @property
    def sides(self) -> Sides:
        return self.lhs, self.rhs

    @cached_property
    def equation(self) -> Equality:
        return Equality(self.lhs, self.rhs, evaluate=False)

    @cached_property
    def left(self) -> Fingerprint:
        return fingerprint(self.lhs)

    @cached_property
    def right(self) -> Fingerprint:
        return fingerprint(self.rhs)

    def function_of_sides(self, name: str) -> tuple[Fingerprint, Fingerprint]:
        """The fingerprints of an elementary function of the sides."""
        if name not in self._functions:
            with np.errstate(all="ignore"):
                left, right = (exact(FUNCTIONS[name](side.values)) for side in (self.left, self.right))
            self._functions[name] = left, right
        return self._functions[name]

    @cached_property
    def _functions(self) -> dict[str, tuple[Fingerprint, Fingerprint]]:
        return {}

    @cached_property
    def logarithms(self) -> tuple[Reals, Reals]:
        """The logarithms of the sides' absolute values."""
        with np.errstate(all="ignore"):
            return np.log(np.abs(self.left.values)), np.log(np.abs(self.right.values))

    @cached_property
    def has_fingerprint(self) -> bool:
        return self.left.is_finite and self.right.is_finite

    @cached_property
    def residual(self) -> Fingerprint:
        return minus(self.left, self.right)

    @cached_property
    def has_integral(self) -> bool:
        return bool(self.lhs.has(Integral) or self.rhs.has(Integral))

    @cached_property
    def has_integral_of_zero(self) -> bool:
        integrands = [integral.function for side in self.sides for integral in atoms_of(side, Integral)]
        # SymPy takes long to say of an expression that it is not zero; its values tell that first.
        return any(is_zero(fingerprint(integrand)) and integrand.is_zero for integrand in integrands)

    @cached_property
    def has_derivative(self) -> bool:
        return bool(self.lhs.has(Derivative) or self.rhs.has(Derivative))

    @cached_property
    def differentiates_integrals(self) -> bool:
        """Whether carrying out derivatives carries out integrals too, which takes long."""
        return any(derivative.expr.has(Integral) for side in self.sides for derivative in atoms_of(side, Derivative))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        return atoms_of(self.lhs, Symbol) | atoms_of(self.rhs, Symbol)

    @cached_property
    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """The names of symbols and functions in the left and in the right side."""
        return names_of(self.lhs), names_of(self.rhs)

    @cached_property
    def parts(self) -> frozenset[Expr]:
        return frozenset(self.ordered_parts)

    @property
    def ordered_parts(self) -> tuple[Expr, ...]:
        """The subexpressions of both sides, in order of appearance; some may be listed twice."""
        return (*parts_of(self.lhs), *parts_of(self.rhs))

    def mirrored(self) -> "Fact":
        return Fact(self.number, self.rhs, self.lhs)

    def is_trivial(self) -> bool:
        """Whether both sides are the same, so that the equation says nothing."""
        return close(self.left, self.right)

    def says(self, other: "Fact") -> bool:
        """Whether both are the same equation, mirrored or not."""
        return self.sides in (other.sides, other.sides[::-1])

    def result_of(self, name: str) -> Sides | None:
        """The sides that an operator without operand gives; None where it cannot be applied or changes nothing."""
        return _result_of(self.equation, name)


@lru_cache(maxsize=MAX_REMEMBERED)
def _result_of(equation: Equality, name: str) -> Sides | None:
    sides = sides_given_by(OPERATORS[name], equation, None) if _is_affordable(equation) else None
    return None if sides == equation.args else sides


def _is_affordable(equation: Equality) -> bool:
    """Whether derivatives can be carried out and products expanded without the result growing out of hand."""
    for part in preorder_traversal(equation):
        if isinstance(part, Derivative):
            if max(1, size_of(part.expr)) * GROWTH ** order_of(part) > MAX_GROWN:
                return False
        elif isinstance(part, Pow) and isinstance(part.base, Add) and part.exp.is_Integer:
            if comb(len(part.base.args) + abs(int(part.exp)) - 1, abs(int(part.exp))) > MAX_TERMS:
                return False
        elif isinstance(part, Mul) and prod(len(Add.make_args(factor)) for factor in part.args) > MAX_TERMS:
            return False
    return True
