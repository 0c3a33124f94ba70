"""The values that earlier equations give integrals, and comparisons of expressions that hold integrals."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from sympy import Expr, Integral, S

from mathderive.checker.inference.conditions import solution_points
from mathderive.checker.inference.integral_values import IntegralValue, antiderivatives
from mathderive.checker.inference.integrals import outer_integrals
from mathderive.checker.inference.rewriting import Sides
from mathderive.checker.numeric.comparison import Comparer
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import BudgetError, by_argument, outermost
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.taylor import UnsupportedError


@dataclass
class KnownIntegrals:
    """Definitions and conditions, and what earlier equations say integrals are.

    Attributes:
        stream: the points at which equations are tested.
        definitions: the definitions of names.
        conditions: premises that define no name but restrict the values of symbols.
        integral_values: what earlier equations say integrals are.
        points: points at which the conditions hold, once they are needed.
    """

    stream: Stream
    definitions: Definitions = field(default_factory=Definitions)
    conditions: list[Sides] = field(default_factory=list)
    integral_values: list[IntegralValue] = field(default_factory=list)
    points: list[Point] | None = None

    def foundation(self, expression: Expr) -> list[Expr]:
        """An expression, and the values of the integrals that it rests on, also by the values of other integrals."""
        found, used = [expression], set[int]()
        for one in found:
            parts = self.definitions.integrals_under(one)
            for number, known in enumerate(self.integral_values if parts else ()):
                if number not in used and any(self.are_one(part, known.integral) for part in parts):
                    used.add(number)
                    found.append(known.value)
        return found

    def inner_values(self, integrals: Sequence[Integral]) -> dict[Integral, Expr]:
        """Antiderivatives, without constants, of those integrals that are open; none where two constants differ."""
        found = antiderivatives([one for one in integrals if not self.values_of(one)], self.definitions)
        pairs = [pair for pair in combinations(found, 2) if self.are_one(*pair)]
        return found if all(self.same(found[one], found[other]) for one, other in pairs) else {}

    def leads_to(self, value: Expr, integral: Integral) -> bool:
        """Whether a value rests on the integral."""
        parts = [part for one in self.foundation(value) for part in self.definitions.integrals_under(one)]
        return any(self.are_one(part, integral) for part in parts)

    def are_one(self, first: Integral, second: Integral) -> bool:
        """Whether two integrals have the same outer variable and equal integrands."""
        (inner, limit), (other, other_limit) = map(outermost, (by_argument(first), by_argument(second)))
        return limit == other_limit and (inner == other or self.same(inner, other))

    def with_integrals_joined(self, sides: Sides) -> Sides:
        """The sides with one integral in the place of those that are written differently and are the same."""
        kept: list[Integral] = []
        joined: dict[Integral, Integral] = {}
        for integral in dict.fromkeys(part for side in sides for part in outer_integrals(side)):
            one = next((other for other in kept if self.are_one(integral, other)), None)
            if one is None:
                kept.append(integral)
            else:
                joined[integral] = one
        return sides[0].xreplace(joined), sides[1].xreplace(joined)

    def has_integral(self, sides: Sides) -> bool:
        return any(side.has(Integral) for side in self.definitions.unfolded(sides))

    def values_of(self, integral: Integral) -> list[IntegralValue]:
        return [known for known in self.integral_values if self.are_one(known.integral, integral)]

    def same(self, left: Expr, right: Expr) -> bool:
        """Whether expressions are equal, whatever the open constants of integration in them are."""
        try:
            compared = self.comparer().compare(left, right, self.said(), random_constants=True, only_equality=True)
            return bool(compared.holds)
        except (BudgetError, UnsupportedError):
            return False

    def is_zero(self, expression: Expr) -> bool | None:
        """Whether an expression is zero; None where it has no value or that is not known."""
        try:
            return self.comparer().compare(expression, S.Zero, self.said(), random_constants=True).holds
        except (BudgetError, UnsupportedError):
            return None

    def said(self) -> dict[Integral, Expr]:
        """The values that equations of the answer give integrals."""
        return {by_argument(one.integral): one.value for one in self.integral_values if not one.requested}

    def comparer(self) -> Comparer:
        if self.conditions and self.points is None:
            self.points = solution_points(self.conditions, self.definitions, self.stream)
        return Comparer(self.definitions, self.stream, self.points if self.conditions else None)
