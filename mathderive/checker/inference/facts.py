"""Equations that others may follow from, with values that are computed once for each."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import comb, prod

import numpy as np
from sympy import Add, Derivative, Equality, Expr, Integral, Mul, Pow, Symbol, preorder_traversal

from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.fingerprints import Fingerprint, close, fingerprint, minus
from mathderive.symbolic.engine.history import parts_of
from mathderive.symbolic.engine.operators import OPERATORS, OperatorError, apply_operator

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

    @property
    def has_fingerprint(self) -> bool:
        return bool(np.isfinite(self.left.values).all() and np.isfinite(self.right.values).all())

    @cached_property
    def residual(self) -> Fingerprint:
        return minus(self.left, self.right)

    @cached_property
    def has_integral(self) -> bool:
        return bool(self.equation.has(Integral))

    @cached_property
    def has_derivative(self) -> bool:
        return bool(self.equation.has(Derivative))

    @cached_property
    def differentiates_integrals(self) -> bool:
        """Whether carrying out derivatives carries out integrals too, which takes long."""
        return any(derivative.expr.has(Integral) for derivative in self.equation.atoms(Derivative))

    @cached_property
    def symbols(self) -> frozenset[Symbol]:
        return frozenset(self.equation.atoms(Symbol))

    @cached_property
    def parts(self) -> frozenset[Expr]:
        return frozenset((*parts_of(self.lhs), *parts_of(self.rhs)))

    def mirrored(self) -> "Fact":
        return Fact(self.number, self.rhs, self.lhs)

    def is_trivial(self) -> bool:
        """Whether both sides are the same, so that the equation says nothing."""
        return close(self.left, self.right)

    def says(self, other: "Fact") -> bool:
        """Whether both are the same equation, mirrored or not."""
        return self.sides in (other.sides, other.sides[::-1])

    def applied(self, name: str) -> "Fact | None":
        """The result of an operator without operand; None where it cannot be applied, or changes nothing."""
        equation = _applied(self.equation, name)
        return None if equation is None else Fact(self.number, *equation.args)


@lru_cache(maxsize=MAX_REMEMBERED)
def _applied(equation: Equality, name: str) -> Equality | None:
    if not _is_affordable(equation):
        return None
    try:
        result = apply_operator(OPERATORS[name], equation, None, no_constant)
    except OperatorError:
        return None
    return None if result.args == equation.args else result


def _is_affordable(equation: Equality) -> bool:
    """Whether derivatives can be carried out and products expanded without the result growing out of hand."""
    for part in preorder_traversal(equation):
        if isinstance(part, Derivative):
            order = sum(int(count) for _, count in part.variable_count if count.is_Integer)
            if max(1, size_of(part.expr)) * GROWTH**order > MAX_GROWN:
                return False
        elif isinstance(part, Pow) and isinstance(part.base, Add) and part.exp.is_Integer:
            if comb(len(part.base.args) + abs(int(part.exp)) - 1, abs(int(part.exp))) > MAX_TERMS:
                return False
        elif isinstance(part, Mul) and prod(len(Add.make_args(factor)) for factor in part.args) > MAX_TERMS:
            return False
    return True


def no_constant() -> Symbol:
    raise OperatorError("constants are not drawn here")


def size_of(expression: Expr) -> int:
    """The number of operations in an expression."""
    return int(expression.count_ops())
