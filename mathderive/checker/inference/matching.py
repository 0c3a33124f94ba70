"""Finds the operators that give an equation from those before it.

Each operator's inverse is asked, for every earlier equation, whether the operator leads from it to the new one. This
module answers the inverse's own questions: it compares expressions by their fingerprints, so an equation counts as the
same however it is printed and however SymPy simplifies it on the way.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from sympy import Derivative, Expr, Integral, Symbol

from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.integrals import evaluates_integrals
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric import array_functions as functions
from mathderive.checker.numeric.fingerprints import (
    Fingerprint,
    close,
    counts_of,
    exact,
    fingerprint,
    is_zero,
    of_derivative,
    of_integral,
    products_close,
)
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator
from mathderive.symbolic.engine.operators.inverses import inverse_of
from mathderive.symbolic.engine.operators.operator import Inverse

ON_ONE, ON_TWO = (Arity.EQUATION, Arity.OPERAND), (Arity.TWO_EQUATIONS,)
"""The kinds of operators on one equation, and on two."""

LOG_TOLERANCE = 1e-4
"""Maximum relative distance of the logarithms' products where a power may have been taken."""


@dataclass(frozen=True)
class Justification:
    """An operator that gives an equation, with the equations that it acts on.

    Attributes:
        steps: the numbers of these equations; 0 stands for a premise that the output does not state.
        plain: whether the operand, if there is one, has occurred before.
    """

    operator: str
    operands: tuple[Expr, ...]
    steps: tuple[int, ...]
    plain: bool = True

    @property
    def size(self) -> int:
        """The number of operations in the operand."""
        return sum(size_of(operand) for operand in self.operands)


@dataclass(eq=False)  # a frozen one takes four times as long to make
class FactComparison:
    """Two facts, compared by fingerprints: the `Comparison` that an operator's inverse is given.

    Attributes:
        known: the subexpressions of all earlier equations, in order.
        fresh: the symbols of the new equation that no earlier equation has.
        without_second: the comparison of the same two facts alone, whose values are shared.
    """

    new: Fact
    before: Fact
    second: Fact | None
    known: Collection[Expr]
    fresh: frozenset[Symbol]
    without_second: "FactComparison | None" = None

    def with_second(self, second: Fact) -> "FactComparison":
        """The comparison for an operator that takes another equation as well."""
        return FactComparison(self.new, self.before, second, self.known, self.fresh, self)

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of the earlier equations."""
        return (self.before.number,) if self.second is None else (self.before.number, self.second.number)

    @cached_property
    def same_sides(self) -> tuple[bool, bool]:
        if self.without_second is not None:
            return self.without_second.same_sides
        new, before = self.new, self.before
        return (
            new.lhs == before.lhs or close(new.left, before.left),
            new.rhs == before.rhs or close(new.right, before.right),
        )

    @cached_property
    def has_same_difference(self) -> bool:
        return close(self.new.residual, self.before.residual)

    @cached_property
    def has_same_ratio(self) -> bool:
        new, before = self.new, self.before
        return products_close((new.left, before.right), (new.right, before.left))

    @cached_property
    def may_be_power(self) -> bool:
        (new_left, new_right), (left, right) = self.new.logarithms, self.before.logarithms
        # Most pairs differ at the first point, which is tested without arrays.
        one, other = new_left.item(0) * right.item(0), new_right.item(0) * left.item(0)
        if abs(one - other) > LOG_TOLERANCE * (1 + abs(one) + abs(other)):
            return False
        with np.errstate(all="ignore"):
            first, second = new_left * right, new_right * left
            differ = np.abs(first - second) > LOG_TOLERANCE * (1 + np.abs(first) + np.abs(second))
        return not bool(differ.any())  # a side that is 0 or infinite differs from nothing

    def number(self, expression: Expr) -> Fingerprint:
        return fingerprint(expression)

    def close(self, first: Fingerprint, second: Fingerprint) -> bool:
        return close(first, second)

    def is_zero(self, number: Fingerprint) -> bool:
        return is_zero(number)

    def function_of_sides(self, name: str) -> tuple[Fingerprint, Fingerprint]:
        return self.before.function_of_sides(name)

    def power(self, base: Fingerprint, exponent: Fingerprint) -> Fingerprint:
        with np.errstate(all="ignore"):
            return exact(functions.raise_to(base.values, exponent.values))

    def lower_derivative(self, side: Derivative, variable: Symbol) -> Fingerprint | None:
        counts = counts_of(side)
        if variable not in counts:
            return None
        counts[variable] -= 1
        if counts[variable] == 0:
            del counts[variable]
        return of_derivative(fingerprint(side.expr), counts)

    def lower_integral(self, side: Integral, variable: Symbol) -> Fingerprint | None:
        limits = list(side.limits)
        for limit in reversed(limits):
            if len(limit) == 1 and limit[0] == variable:
                limits.remove(limit)
                return of_integral(fingerprint(side.function), limits)
        return None

    def states(self, sides: Sides) -> bool:
        if sides == self.new.sides:
            return True
        return close(self.new.left, fingerprint(sides[0])) and close(self.new.right, fingerprint(sides[1]))

    def has_occurred(self, operand: Expr) -> bool:
        if operand.is_Number or operand in self.known or -operand in self.known:
            return True
        return 1 / operand in self.known or -1 / operand in self.known

    def replaces_integrals(self, carry_out: bool) -> bool:
        return evaluates_integrals(self.new.sides, self.before.equation, self.fresh, carry_out)


def justifications(new: Fact, facts: Sequence[Fact], used: frozenset[Symbol] = frozenset()) -> list[Justification]:
    """Every way to get an equation, or its mirror image, from earlier ones by one operator, the plainest first."""
    targets, compare = (new, new.mirrored()), _comparing(new, facts, used)
    on_one, on_two = (_inverses(arities, inverse_of) for arities in (ON_ONE, ON_TWO))
    found: dict[Justification, None] = {}
    for target in targets:
        comparisons = [compare(target, fact) for fact in facts]
        for comparison in comparisons:
            found |= _justifications(comparison, on_one)
        for comparison, rule in product(comparisons, facts):
            if rule is not comparison.before:
                found |= _justifications(comparison.with_second(rule), on_two)
    if not found:
        slow = _inverses(ON_ONE, lambda operator: operator.slow_inverse)
        for target, fact in product(targets, facts):
            found |= _justifications(compare(target, fact), slow)
    return _plainest_first(found)


def enough_justifications(
    new: Fact, facts: Sequence[Fact], used: frozenset[Symbol], is_enough: Callable[[Justification], bool]
) -> list[Justification]:
    """One way to get an equation, or its mirror image, that is enough; if none is, every way.

    The quick inverses are asked first, and about the latest equations.
    """
    latest, compare = facts[::-1], _comparing(new, facts, used)
    comparisons = [compare(target, fact) for target in (new, new.mirrored()) for fact in latest]
    pairs = (one.with_second(rule) for one, rule in product(comparisons, latest) if rule is not one.before)
    on_one, on_two = (_inverses(arities, inverse_of) for arities in (ON_ONE, ON_TWO))
    quick, others = ([one for one in on_one if one[0].inverse_is_quick is wanted] for wanted in (True, False))
    slow = _inverses(ON_ONE, lambda operator: operator.slow_inverse)
    rounds: tuple[tuple[Iterable[FactComparison], Inverses], ...]
    rounds = (comparisons, quick), (pairs, on_two), (comparisons, others), (comparisons, slow)
    found: dict[Justification, None] = {}
    for asked, inverses in rounds:
        if inverses is slow and found:
            break
        for comparison in asked:
            for one in _justifications(comparison, inverses):
                if is_enough(one):
                    return [one]
                found[one] = None
    return _plainest_first(found)


def _plainest_first(found: Iterable[Justification]) -> list[Justification]:
    return sorted(found, key=lambda one: (not one.plain, one.size))


def _comparing(new: Fact, facts: Sequence[Fact], used: frozenset[Symbol]) -> Callable[[Fact, Fact], FactComparison]:
    """A function that compares a new equation, or its mirror image, with one of the facts."""
    known = dict.fromkeys(part for fact in facts for part in fact.ordered_parts)
    fresh = new.symbols.difference(used, *(fact.symbols for fact in facts))
    return lambda target, before: FactComparison(target, before, None, known, fresh)


Inverses = list[tuple[Operator, Inverse]]


def _inverses(arities: Collection[Arity], inverse_for: Callable[[Operator], Inverse | None]) -> Inverses:
    """The operators of these arities that have such an inverse."""
    operators = [operator for operator in OPERATORS.values() if operator.arity in arities]
    return [(operator, inverse) for operator in operators if (inverse := inverse_for(operator)) is not None]


def _justifications(comparison: FactComparison, inverses: Inverses) -> dict[Justification, None]:
    """The ways in which the operators lead from one equation, or two, to the new one."""
    found: dict[Justification, None] = {}
    for operator, inverse in inverses:
        for operands in inverse(operator, comparison):
            plain = all(comparison.has_occurred(operand) for operand in operands)
            found[Justification(operator.name, operands, comparison.steps, plain)] = None
    return found
