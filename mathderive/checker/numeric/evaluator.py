"""Evaluates expressions numerically, with values for names and definitions for functions.

Derivatives are exact (`taylor.py`), and integrals are Gauss-Legendre quadratures. An indefinite integral runs from a
fixed point to the variable's value, plus its constant of integration, unless an earlier equation gives its value. A
function without definition is a fixed smooth function.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import Add, Derivative, Expr, Integral, Mul, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.dispatch import NodeEvaluator
from mathderive.checker.numeric.fingerprints import rng_of
from mathderive.checker.numeric.functions import FUNCTIONS, exp, raise_to, sin
from mathderive.checker.numeric.taylor import Array, Taylor, UnsupportedError, Value, coefficient

POINTS = 8

REGIONS = ((0.55, 0.95), (1.1, 1.9), (2.1, 3.4))
"""Bounds of the values of names, for each draw. No integral from a region's lower end passes 0 or 1."""

BEGINS = (0.02, 0.09)
"""Distances below the region at which indefinite integrals begin: with an inner integral, and without one."""

QUADRATURE_NODES, MORE_NODES = 16, 25
"""Numbers of nodes of an integral, and of the second computation that tests its accuracy."""

MAX_ORDER = 12
MAX_NESTED = 24
MAX_WORK = 500_000
"""Maximum count of numbers computed for one question; an equation of the data takes some thousands."""


class BudgetError(ValueError):
    """Computing the value would take too much work."""


@dataclass(frozen=True)
class Definition:
    """The definition of a function of these parameters; without parameters, of a symbol."""

    parameters: tuple[Symbol, ...]
    body: Expr


@dataclass
class Definitions:
    """Definitions of names: of applications and symbols as written, and of functions of any arguments."""

    exact: dict[Basic, Expr] = field(default_factory=dict)
    functions: dict[tuple[str, int], Definition] = field(default_factory=dict)

    def define(self, name: Basic, body: Expr) -> None:
        """Adds a definition; the first one of a name stands."""
        self.exact.setdefault(name, body)
        if isinstance(name, AppliedUndef) and all(isinstance(part, Symbol) for part in name.args):
            self.functions.setdefault((name.func.__name__, len(name.args)), Definition(name.args, body))

    def with_alias(self, name: Symbol, other: Symbol) -> "Definitions":
        """A copy in which one name stands for another."""
        return Definitions({**self.exact, name: other}, dict(self.functions))

    def root(self, name: Basic) -> Basic:
        """Follows aliases to the final symbol."""
        while isinstance(self.exact.get(name), Symbol):
            name = self.exact[name]
        return name

    def has(self, name: Basic) -> bool:
        """Whether the name has a definition."""
        if isinstance(name, AppliedUndef):
            return name in self.exact or (name.func.__name__, len(name.args)) in self.functions
        return name in self.exact


class _Scope:
    """Values that replace those of the points, and the results computed with them."""

    def __init__(self, values: Mapping[Basic, Value], axes: int) -> None:
        self.values = values
        self.axes = axes  # of quadratures around this
        self.known: dict[Basic, Value] = {}

    def within(self, values: Mapping[Basic, Value], more_axes: int = 0) -> "_Scope":
        return _Scope({**self.values, **values}, self.axes + more_axes)


class Evaluator(NodeEvaluator[Value, _Scope]):
    """Evaluates expressions at the points of one region."""

    def __init__(
        self,
        definitions: Definitions,
        region: int = 0,
        nodes: int = QUADRATURE_NODES,
        values: Mapping[Basic, Array] | None = None,
        bound: Mapping[Integral, Expr] | None = None,
        constants: Mapping[Integral, Array] | None = None,
        point: int | None = None,
        independent: bool = False,
    ) -> None:
        """
        Args:
            values: of names, instead of those of the region's points.
            point: the one point at which all other names have their values.
            independent: whether a derivative by a function keeps the function's argument fixed, as SymPy's does;
                otherwise both change.
            bound: integrals and their known values.
            constants: integrals and their constants of integration.
        """
        self.definitions = definitions
        self.region = REGIONS[region]
        self._bound = bound or {}
        self._constants = constants or {}
        self._draw = region
        self._point = point
        self._independent = independent
        self._nodes, self._weights = _rule(nodes)
        self._base = _Scope(values or {}, 0)
        self._level = 0
        self._nested = 0
        self._work = 0

    def value(self, expression: Expr) -> Array:
        """Its values at the points; NaN or infinity where it has none.

        Raises:
            BudgetError: it would take too much work.
            UnsupportedError: it holds what cannot be evaluated.
        """
        with np.errstate(all="ignore"):
            value = self.evaluate(expression, self._base)
        return np.atleast_1d(np.asarray(value, complex))

    def scale(self, expression: Expr) -> Array:
        """The size of the terms that add up to an expression."""
        with np.errstate(all="ignore"):
            return self._scale(expression)

    def _scale(self, node: Expr) -> Array:
        if isinstance(node, Add):
            return np.max(np.broadcast_arrays(*map(self._scale, node.args)), axis=0)
        if isinstance(node, Mul):
            return math.prod(map(self._scale, node.args))  # type: ignore[return-value]
        return np.abs(self.value(node))

    def evaluate(self, node: Basic, scope: _Scope) -> Value:
        known = scope.known.get(node)
        if known is not None:
            return known
        self._nested += 1
        if self._nested > MAX_NESTED * 4:
            raise BudgetError("definitions within definitions")
        value = self.compute(node, scope)
        self._nested -= 1
        self._work += _count(value)
        if self._work > MAX_WORK:
            raise BudgetError("too much to compute")
        scope.known[node] = value
        return value

    def compute(self, node: Basic, scope: _Scope) -> Value:
        """The value of an expression; the scope's own values come first."""
        return scope.values[node] if node in scope.values else super().compute(node, scope)

    def add(self, terms: Sequence[Value]) -> Value:
        return _total(terms)

    def multiply(self, factors: Sequence[Value]) -> Value:
        result, *rest = factors
        for factor in rest:
            result = result * factor
        return result

    def power(self, base: Value, exponent: Value) -> Value:
        return raise_to(base, exponent)

    def number(self, value: complex) -> Value:
        return np.full(1, value)

    def symbol(self, node: Symbol, scope: _Scope) -> Value:
        if node in self.definitions.exact:
            return self.evaluate(self.definitions.exact[node], scope)
        return self.of_name(node.name)

    def function(self, node: Expr, scope: _Scope) -> Value:
        function = FUNCTIONS.get(node.func.__name__)
        if function is None or len(node.args) != 1:
            raise UnsupportedError(f"{node.func.__name__} has no value")
        return function(self.evaluate(node.args[0], scope))

    def of_name(self, name: str) -> Array:
        """The values of a name that nothing defines."""
        values = rng_of(f"{name} {self._draw}").uniform(*self.region, POINTS).astype(complex)
        return values if self._point is None else values[self._point : self._point + 1]

    def application(self, node: AppliedUndef, scope: _Scope) -> Value:
        if node in self.definitions.exact:
            return self.evaluate(self.definitions.exact[node], scope)
        arguments = [self.evaluate(part, scope) for part in node.args]
        definition = self.definitions.functions.get((node.func.__name__, len(node.args)))
        if definition is None:
            return _some_function(node.func.__name__, arguments)
        return self.evaluate(definition.body, scope.within(dict(zip(definition.parameters, arguments, strict=True))))

    def derivative(self, node: Derivative, scope: _Scope) -> Value:
        (variable, count), *others = node.variable_count
        if isinstance(variable, AppliedUndef) and not self._independent:
            if others or count != 1 or len(variable.args) != 1 or not isinstance(variable.args[0], Symbol):
                raise UnsupportedError("a derivative by a function of several variables")
            # The chain rule: both change with the function's argument.
            of_expression, of_variable = (
                self._taken(part, [(variable.args[0], S.One)], scope) for part in (node.expr, variable)
            )
            return of_expression * raise_to(of_variable, -1.0)  # type: ignore[arg-type]
        return self._taken(node.expr, node.variable_count, scope)

    def _taken(self, expression: Expr, counts: Iterable[tuple[Expr, Expr]], scope: _Scope) -> Value:
        """The value of a derivative."""
        seeded: dict[Basic, Value] = {}
        orders: list[tuple[int, int]] = []
        first = self._level
        for variable, count in counts:
            if not (isinstance(variable, Symbol | AppliedUndef) and count.is_Integer and 0 < count <= MAX_ORDER):
                raise UnsupportedError("a derivative of an order that is no small number")
            self._level += 1
            order = int(count)
            here = seeded[variable] if variable in seeded else self.evaluate(variable, scope)
            one, zero = np.ones(1, complex), np.zeros(1, complex)
            series = Taylor(self._level, [here, one, *[zero] * (order - 1)])
            seeded |= {variable: series, self.definitions.root(variable): series}
            orders.append((self._level, order))
        value = self.evaluate(expression, scope.within(seeded))
        for level, order in reversed(orders):
            value = coefficient(value, level, order) * float(math.factorial(order))
        self._level = first
        return value

    def integral(self, node: Integral, scope: _Scope) -> Value:
        if node in self._bound:
            return self.evaluate(self._bound[node], scope)
        value = self._quadrature(node.function, list(node.limits), scope)
        constant = self._constants.get(node)
        return value if constant is None else value + constant

    def _quadrature(self, integrand: Expr, limits: list[Any], scope: _Scope) -> Value:
        if not limits:
            return self.evaluate(integrand, scope)
        *inner, (variable, *ends) = limits
        if len(ends) == 2:
            lower, upper = (self.evaluate(end, scope) for end in ends)
        else:
            # The integral begins below the one around it, so that a power or a logarithm of it is smooth there.
            begins = BEGINS[0 if integrand.has(Integral) else 1]
            lower = np.full(1, self.region[0] - begins + 0j)
            upper = self.evaluate(ends[0] if ends else variable, scope)
        length = upper - lower
        share = (len(self._nodes), *[1] * (scope.axes + 1))
        if math.prod(share) ** (scope.axes + 1) > MAX_WORK:
            raise BudgetError("integrals within integrals")
        place = lower + length * self._nodes.reshape(share)
        values = {variable: place, self.definitions.root(variable): place}
        value = self._quadrature(integrand, inner, scope.within(values, 1))
        return _contracted(value, self._weights, scope.axes + 2) * length


@lru_cache(maxsize=4)
def _rule(count: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on the unit interval."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return np.asarray((nodes + 1) / 2, complex), np.asarray(weights / 2, complex)


def _contracted(value: Value, weights: Array, dimensions: int) -> Value:
    """The weighted sum over the foremost axis; a value without it is the same at all nodes."""
    if isinstance(value, Taylor):
        return Taylor(value.level, [_contracted(part, weights, dimensions) for part in value.coefficients])
    array = np.asarray(value)
    if array.ndim < dimensions:
        return array
    return array[0] if array.shape[0] == 1 else np.tensordot(weights, array, 1)


def _total(values: Iterable[Value]) -> Value:
    first, *rest = values
    for value in rest:
        first = first + value
    return first


def _count(value: Value) -> int:
    return sum(map(_count, value.coefficients)) if isinstance(value, Taylor) else np.size(value)


def _some_function(name: str, arguments: list[Value]) -> Value:
    """Values of a smooth function that stands for an undefined one."""
    rng = rng_of(f"function {name} of {len(arguments)}")
    start, slopes, waves, decays = rng.uniform(1, 2), *rng.uniform(0.3, 0.9, (3, len(arguments)))
    linear, wave, decay = (
        _total([factor * argument for factor, argument in zip(factors, arguments, strict=True)])
        for factors in (slopes, waves, decays)
    )
    return start + linear + 0.4 * sin(wave + start) + 0.5 * exp(-decay)
