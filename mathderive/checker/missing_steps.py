"""Searches for the equations that are missing before a skipped one.

The search applies one operator, then a second one, to the equations that are known, and asks each time whether a single
operator leads from there to the skipped equation. Equations that look like the skipped one are tried first. The search
is bounded by counts, so that its result does not depend on the machine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from sympy import Expr, Symbol

from mathderive.checker.consequences import consequence, equation_text, shape_distance
from mathderive.checker.inference.facts import Fact, size_of
from mathderive.checker.inference.matching import FactComparison
from mathderive.checker.judging import AnswerCheck
from mathderive.records import MissingOperators
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator, OperatorError
from mathderive.symbolic.engine.operators.inverses import inverse_of

MAX_FACTS = 8
"""Maximum number of known equations that operators are applied to; those most like the skipped one are taken."""

MAX_OPERANDS = 8
"""Maximum number of operands that an operator is tried with on an equation; the smallest ones are taken."""

MAX_SIZE = 60
"""Maximum number of operations in an intermediate equation; an equation of the data has some dozens."""

MAX_FIRST = 90
"""Maximum number of equations one operator away that are tried."""

WIDTH = 8
"""Number of the equations one operator away from which a second operator is applied."""

MAX_SECOND = 12
"""Maximum number of equations that are made from each of these."""

MAX_JUDGED = 3
"""Maximum number of candidates that are judged for each number of operators."""


@dataclass(frozen=True)
class Missing:
    """The operators that lead to a skipped equation, and the equations between them.

    Attributes:
        operators: the least number of operators that the search found.
        equations: the missing equations, one fewer than operators; none where it found none.
    """

    operators: MissingOperators
    equations: tuple[str, ...] = ()


def missing_steps(
    before: AnswerCheck, text: str, skipped: Fact, on_progress: Callable[[], object] = lambda: None
) -> Missing:
    """Finds the fewest equations that make a skipped equation valid where they are inserted before it.

    Args:
        before: the check up to the skipped equation.
        text: the skipped equation as the answer writes it.
        skipped: the equation as it was read.
        on_progress: is called before each part of the search.
    """
    if skipped.lhs == skipped.rhs:
        return Missing("more")  # no operator makes the sides equal to the letter
    with np.errstate(all="ignore"):  # an undefined value compares as unequal
        return _Search(before, text, skipped, on_progress).result()


class _Search:
    def __init__(self, before: AnswerCheck, text: str, target: Fact, on_progress: Callable[[], object]) -> None:
        self._before, self._text, self._target = before, text, target
        self._on_progress = on_progress
        known = [fact for fact in before.facts() if not fact.says(target)]
        self._facts = sorted(known, key=self._distance)[:MAX_FACTS]
        self._fresh = target.symbols - before.symbols
        self._parts = dict.fromkeys(part for fact in (target, *self._facts) for part in fact.ordered_parts)

    def result(self) -> Missing:
        first = list(islice(self._made_from(self._facts, self._facts), MAX_FIRST))
        first.sort(key=self._distance)
        self._on_progress()
        for one in islice((one for one in first if self._leads_to_target(one, self._facts)), MAX_JUDGED):
            if self._is_filled_by((one,)):
                return Missing("2", (equation_text(one),))
        for pair in islice(self._pairs(first), MAX_JUDGED):
            if self._is_filled_by(pair):
                return Missing("3", tuple(map(equation_text, pair)))
        return Missing("more")

    def _pairs(self, first: Sequence[Fact]) -> Iterator[tuple[Fact, Fact]]:
        """Pairs of equations from the second of which one operator leads to the target."""
        best = first[:WIDTH]
        for position, one in enumerate(best):
            self._on_progress()
            second = islice(self._made_from([one], [*self._facts, *best[:position]]), MAX_SECOND)
            for other in sorted(second, key=self._distance):
                if self._leads_to_target(other, [*self._facts, one]):
                    yield one, other
        for position, one in enumerate(best):
            for other in best[:position]:
                if self._leads_to_target(one, [other]):
                    yield other, one

    def _made_from(self, facts: Sequence[Fact], others: Sequence[Fact]) -> Iterator[Fact]:
        """The equations that one operator gives from each of some facts, where the others are known too."""
        met = {frozenset(fact.sides) for fact in (*facts, *others, self._target)}
        for operator in sorted(OPERATORS.values(), key=lambda operator: operator.arity is Arity.OPERAND):
            for fact in facts:
                for second in self._seconds(operator, fact, others):
                    new = self._applied(operator, fact, second)
                    if new is not None and frozenset(new.sides) not in met:
                        met.add(frozenset(new.sides))
                        yield new

    def _seconds(self, operator: Operator, fact: Fact, others: Sequence[Fact]) -> list[Expr | Fact | None]:
        if operator.arity is Arity.EQUATION:
            return [None]
        if operator.arity is Arity.TWO_EQUATIONS:
            return [other for other in others if other is not fact]
        if operator.operands is None:
            return []
        operands = dict.fromkeys(operator.operands(fact.equation, self._parts))
        return list(sorted(operands, key=size_of)[:MAX_OPERANDS])

    def _applied(self, operator: Operator, fact: Fact, second: Expr | Fact | None) -> Fact | None:
        fresh = iter(sorted(self._fresh, key=str))

        def draw_constant() -> Symbol:
            name = next(fresh, None)
            if name is None:
                raise OperatorError("the skipped equation has no new name")
            return name

        return consequence(operator, fact, second, draw_constant, MAX_SIZE)

    def _leads_to_target(self, one: Fact, others: Sequence[Fact]) -> bool:
        """Whether one operator seems to lead from an equation, with another one or alone, to the target."""
        for target in (self._target, self._target.mirrored()):
            alone = FactComparison(target, one, None, self._parts, self._fresh)
            if any(_applies(operator, alone) for operator in _operators(with_two=False)):
                return True
            for other in others:
                if not one.symbols & other.symbols:
                    continue
                turned = FactComparison(target, other, one, self._parts, self._fresh)
                for both in (alone.with_second(other), turned):
                    if any(_applies(operator, both) for operator in _operators(with_two=True)):
                        return True
        return False

    def _is_filled_by(self, missing: Sequence[Fact]) -> bool:
        """Whether the checker judges the missing equations valid, and after them the skipped one."""
        self._on_progress()
        check = self._before.copy()
        for fact in missing:
            check.take(equation_text(fact))
            if check.steps[-1].link.truth != "valid" or check.steps[-1].link.repeats is not None:
                return False
        check.take(self._text)
        return check.steps[-1].link.truth == "valid"

    def _distance(self, fact: Fact) -> int:
        return shape_distance(fact, self._target)


def _operators(with_two: bool) -> list[Operator]:
    arities = (Arity.TWO_EQUATIONS,) if with_two else (Arity.EQUATION, Arity.OPERAND)
    return [operator for operator in OPERATORS.values() if operator.arity in arities]


def _applies(operator: Operator, comparison: FactComparison) -> bool:
    return next(iter(inverse_of(operator)(operator, comparison)), None) is not None
