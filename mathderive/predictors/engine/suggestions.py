"""Operators with operands that wanted equations suggest for the known ones."""

from collections.abc import Iterator

from sympy import Derivative, Expr, Integral, Pow, Symbol

from mathderive.checker.inference.facts import Fact
from mathderive.symbolic.engine.operators import OPERATORS, Arity, Operator

MAX_SUGGESTIONS = 24
"""Maximum number of operators with operands that are applied to known equations."""

FUNCTIONS = ("cos", "sin", "exp", "log")
"""Operators that are undone rather than applied, because any equation can be wrapped in any of them."""

Suggestion = tuple[Operator, Expr | None]
"""An operator on one equation, with its operand if it has one."""


class Suggestions:
    """The suggestions so far, in the order in which they came up; evaluation and expansion are among them."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, Expr | None], None] = {
            (operator.name, None): None
            for operator in OPERATORS.values()
            if operator.arity is Arity.EQUATION and operator.name not in FUNCTIONS
        }

    def __iter__(self) -> Iterator[Suggestion]:
        return iter([(OPERATORS[name], operand) for name, operand in self._all])

    def add(self, wanted: Fact, is_goal: bool) -> list[Suggestion]:
        """Notes what a wanted equation suggests; returns what is new.

        Args:
            is_goal: whether the equation is the goal itself, which suggests functions and powers too.
        """
        found: dict[tuple[str, Expr | None], None] = {}
        for part in wanted.ordered_parts:
            if isinstance(part, Derivative):
                found |= {("differentiate", variable): None for variable, _ in part.variable_count}
            elif isinstance(part, Integral):
                found |= {("integrate", limit[0]): None for limit in part.limits if len(limit) == 1}
            elif isinstance(part, Pow) and part.exp != -1 and is_goal:
                found["power", part.exp] = None
            elif part.func.__name__ in FUNCTIONS and is_goal:
                found[part.func.__name__, None] = None
        new = [one for one in found if one not in self._all][: max(0, MAX_SUGGESTIONS - len(self._all))]
        self._all |= dict.fromkeys(new)
        return [(OPERATORS[name], operand) for name, operand in new]


def is_far_fetched(operator: Operator, fact: Fact, second: object) -> bool:
    """Whether an operator can be applied to any equation, so that it rarely helps."""
    is_unrelated = isinstance(second, Symbol) and second not in fact.symbols
    return operator.name in FUNCTIONS or operator.name == "power" or is_unrelated
