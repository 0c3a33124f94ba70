"""Evaluates functions of the premises: defined ones, solutions of differential equations, and unknown ones.

A premise such as `y'(x) = k y(x)` gives all derivatives of `y` at a point, once its value there is known. So near a
point every solution is a power series that begins with free numbers. These are drawn at random, with all combinations
of signs: an equation that is true for random solutions is true for all.
"""

import math
from collections.abc import Mapping, Sequence

from flint import acb, arb, fmpq
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.definitions import Definitions, DifferentialEquation
from mathderive.checker.numeric.dispatch import NodeEvaluator
from mathderive.checker.numeric.functions import exp, sin
from mathderive.checker.numeric.points import Point
from mathderive.checker.numeric.taylor import ONE, ZERO, Taylor, UnsupportedError, Value, coefficient, head, total_order


class Scope:
    """Values that replace those of the point, and the results computed with them."""

    def __init__(self, values: Mapping[Basic, Value]) -> None:
        self.values = values
        self.known: dict[Basic, Value] = {}

    def within(self, values: Mapping[Basic, Value]) -> "Scope":
        return Scope({**self.values, **values})


class ApplicationEvaluator(NodeEvaluator[Value, Scope]):
    """Evaluates functions of the premises at a point.

    Attributes:
        negative: the free numbers that were met, such as constants of integration, and whether each is negative here.
    """

    def __init__(self, definitions: Definitions, point: Point) -> None:
        self.definitions = definitions
        self.point = point
        self._level = 0
        self._coefficients: dict[str, list[acb]] = {}
        self._extended: set[str] = set()
        self.negative: dict[object, bool] = {}

    def with_sign(self, number: object, size: arb) -> acb:
        """The value of a free number of this size; premises do not say which sign it has.

        The points go through all combinations of the signs of the free numbers, in the order in which they are met.
        """
        if number not in self.negative:
            self.negative[number] = bool(self.point.draw >> len(self.negative) & 1)
        return acb(-size if self.negative[number] else size)

    def application(self, node: AppliedUndef, scope: Scope) -> Value:
        name = node.func.__name__
        definition = self.definitions.functions.get((name, len(node.args)))
        arguments = [self.evaluate(part, scope) for part in node.args]
        if definition is not None:
            return self.evaluate(
                definition.body, scope.within(dict(zip(definition.parameters, arguments, strict=True)))
            )
        if node in self.definitions.exact:
            return self.evaluate(self.definitions.exact[node], scope)
        if name in self.definitions.differential and len(arguments) == 1:
            return self._solution(name, arguments[0], scope)
        return self._some_function(name, arguments)

    def _some_function(self, name: str, arguments: Sequence[Value]) -> Value:
        """The value of a smooth function that stands for an undefined one."""

        def number(label: str, low: float, high: float) -> acb:
            return acb(arb(low + (high - low) * self.point.number(f"{label} of {name} of {len(arguments)}")))

        start = number("start", 1, 2)
        linear, wave, decay = (
            self.add([number(f"{kind} {place}", 0.3, 0.9) * one for place, one in enumerate(arguments)])
            for kind in ("slope", "wave", "decay")
        )
        return start + linear + fmpq(2, 5) * sin(wave + start) + fmpq(1, 2) * exp(-1 * decay)

    def _solution(self, name: str, argument: Value, scope: Scope) -> Value:
        """The value of a function that a differential equation describes, near the point.

        Raises:
            UnsupportedError: it is far from the point, or a parameter of the equation does not have its usual value.
        """
        equation = self.definitions.differential[name]
        if any(one in scope.values for one in self.definitions.symbols_under(equation.body) - {equation.variable}):
            raise UnsupportedError("how a solution of a differential equation depends on a parameter is not known")
        if not head(argument).overlaps(self._start(equation)):
            raise UnsupportedError("a solution of a differential equation at another place")
        order = total_order(argument)
        coefficients = self._coefficients_up_to(name, order)
        total: Value = coefficients[0]
        if isinstance(argument, Taylor):
            step = argument - head(argument)
            power: Value = step
            for one in coefficients[1 : order + 1]:
                total = total + power * one
                power = power * step
        return total

    def _start(self, equation: DifferentialEquation) -> acb:
        """The value of the variable of a differential equation at the point."""
        return head(self.evaluate(equation.variable, Scope({})))

    def _coefficients_up_to(self, name: str, order: int) -> list[acb]:
        """The coefficients of the power series of a solution; the first ones are random."""
        equation = self.definitions.differential[name]
        if name not in self._coefficients:
            self._coefficients[name] = [
                self._initial_value(name, place) * fmpq(1, math.factorial(place)) for place in range(equation.order)
            ]
        known = self._coefficients[name]
        if order < len(known):
            return known
        if name in self._extended:
            raise UnsupportedError("a differential equation that is not solved for the highest derivative")
        self._extended.add(name)
        for place in range(len(known), order + 1):
            # The next coefficient follows from the body's coefficient of a lower order.
            lower = place - equation.order
            self._level += 1
            seed = Taylor(self._level, [self._start(equation), ONE, *[ZERO] * (lower - 1)][: lower + 1])
            slopes = self.evaluate(equation.body, Scope({equation.variable: seed}))
            slope = head(coefficient(slopes, self._level, lower))
            self._level -= 1
            known.append(slope * fmpq(math.factorial(lower), math.factorial(place)))
        self._extended.remove(name)
        return known

    def _initial_value(self, name: str, order: int) -> acb:
        """A random value of a solution or of its derivative of some order."""
        label = f"initial value {order} of {name}"
        return self.with_sign(label, arb(0.4 + 1.2 * self.point.number(f"{label} at {self.point.draw}")))
