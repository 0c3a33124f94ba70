"""The question whether an equation follows in one step, as every rule is asked it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sympy import Expr, S, Symbol

from mathderive.checker.inference.facts import Fact
from mathderive.checker.inference.matching import Justification
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.inference.textbook_rules.identities import Identities, Rough

ROUGHLY = 1e-9
"""Maximum distance of equal rough values, relative to the values that they were computed from."""


@dataclass(frozen=True, eq=False)
class StepQuestion:
    """A true equation, and the equations that it may follow from.

    Attributes:
        facts: the earlier equations, and the premises that were not stated yet.
        fresh: the names that no earlier equation has.
        identities: compares expressions without premises.
        is_nonzero: whether an expression has a value in the model and is not zero.
        is_law: whether an equation holds wherever its functions have a value, so that it may be differentiated.
    """

    new: Fact
    facts: Sequence[Fact]
    fresh: frozenset[Symbol]
    identities: Identities
    is_nonzero: Callable[[Expr], bool]
    is_law: Callable[[Fact], bool] = lambda fact: True

    def is_stated(self, sides: Sides) -> bool:
        """Whether the new equation says these sides, mirrored or not, or with all terms on other sides."""
        return self._is_said_by(*sides) and not self.identities.same(*sides)  # equal sides say nothing

    def may_state(self, left: Rough, right: Rough) -> bool:
        """Whether the rough values of two sides leave it open that the new equation states the sides."""
        new_left, new_right = map(self.identities.rough_values, self.new.sides)
        if left is None or right is None or new_left is None or new_right is None:
            return True
        for values in zip(new_left, new_right, left, right, strict=True):
            new_difference, difference = values[0] - values[1], values[2] - values[3]
            distance = min(abs(new_difference - difference), abs(new_difference + difference))
            if distance > ROUGHLY * max(map(abs, values)):
                return False
        return True

    def _is_said_by(self, left: Expr, right: Expr) -> bool:
        if not self.may_state(self.identities.rough_values(left), self.identities.rough_values(right)):
            return False
        same, new = self.identities.same, self.new
        if (same(new.lhs, left) and same(new.rhs, right)) or (same(new.lhs, right) and same(new.rhs, left)):
            return True
        difference = left - right
        return same(self.difference, difference) or same(self.difference, S.NegativeOne * difference)

    @property
    def difference(self) -> Expr:
        """The left side of the new equation less its right side."""
        return self.new.lhs - self.new.rhs


@dataclass(frozen=True)
class Rule:
    """A kind of step.

    Attributes:
        name: the name in verdicts.
        sentence: the explanation; `{0}` and `{1}` stand for the equations, `{both}` for the two together, and
            `{operand}` for what else the step takes.
        find: yields the steps of this kind that give the new equation; by default none, for steps found elsewhere.
    """

    name: str
    sentence: str
    find: Callable[[StepQuestion], Iterator[Justification]] = lambda question: iter(())
