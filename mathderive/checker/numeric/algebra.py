"""Decides whether algebra alone makes two expressions equal, whatever derivatives, integrals and functions in them are.

Every derivative, integral and undefined function gets a number that depends only on its parts. The comparison is exact,
in ball arithmetic, while a fingerprint only finds candidates.
"""

from collections.abc import Sequence

from flint import acb
from sympy import Derivative, Expr, Integral, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.comparison import MAX_PRECISION, PRECISION, meet, precision
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import BudgetError, Evaluator, Scope
from mathderive.checker.numeric.fingerprints import counts_of
from mathderive.checker.numeric.functions import FUNCTIONS
from mathderive.checker.numeric.points import Point
from mathderive.checker.numeric.sizes import CANCELLED, GUARD
from mathderive.checker.numeric.taylor import UnsupportedError, Value, head

DRAWS = (1, 4)
"""Numbers of the points."""

Sides = tuple[Expr, Expr]


class _AlgebraicEvaluator(Evaluator):
    """Takes derivatives, integrals and undefined functions for unknowns."""

    def symbol(self, node: Symbol, scope: Scope) -> Value:
        return self.point.value(node.name)

    def derivative(self, node: Derivative, scope: Scope) -> Value:
        variables = [
            self.evaluate(variable, scope) * self.evaluate(count, scope) for variable, count in counts_of(node).items()
        ]
        return self._unknown("derivative", [self.evaluate(node.expr, scope), self.add(variables)])

    def integral(self, node: Integral, scope: Scope) -> Value:
        variables = [self.evaluate(limit[0], scope) for limit in node.limits]
        ends = [self.evaluate(end, scope) for limit in node.limits for end in limit[1:]]
        return self._unknown(f"integral {len(ends)}", [self.evaluate(node.function, scope), self.add(variables), *ends])

    def application(self, node: AppliedUndef, scope: Scope) -> Value:
        return self._unknown(f"function {node.func.__name__}", [self.evaluate(part, scope) for part in node.args])

    def function(self, node: Expr, scope: Scope) -> Value:
        if node.func.__name__ in FUNCTIONS and len(node.args) == 1:
            return super().function(node, scope)
        label = f"{node.func.__name__} {node if not node.args else ''}"
        return self._unknown(label, [self.evaluate(part, scope) for part in node.args])

    def number(self, node: Basic) -> Value:
        try:
            return super().number(node)
        except UnsupportedError:
            return self._unknown(f"number {node}", [])

    def _unknown(self, kind: str, parts: Sequence[Value]) -> acb:
        return self.point.number_of(kind, [head(part) for part in parts])


_NO_DEFINITIONS = Definitions()


def same_sides(first: Sides, second: Sides, key: bytes) -> bool:
    """Whether both sides of two equations are the same by algebra, in this order."""
    return first == second or all(same(a, b, key) for a, b in zip(first, second, strict=True))


def same(first: Expr, second: Expr, key: bytes) -> bool:
    """Whether two expressions are the same by algebra."""
    if first == second:
        return True
    return all(_same_at(first, second, Point(key, draw)) for draw in DRAWS)


def _same_at(first: Expr, second: Expr, point: Point) -> bool:
    bits = PRECISION
    while True:
        with precision(bits):
            evaluator = _AlgebraicEvaluator(_NO_DEFINITIONS, point)
            try:
                outcome = meet(evaluator.value(first), evaluator.value(second), evaluator.size)
            except (BudgetError, UnsupportedError, OverflowError):
                return False
        if outcome != "unclear":
            return outcome == "same"
        wanted = GUARD + CANCELLED * evaluator.size
        if not bits < wanted <= MAX_PRECISION:
            return False
        bits = wanted
