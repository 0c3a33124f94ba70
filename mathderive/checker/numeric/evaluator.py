"""What expressions amount to, in numbers, once names are given values and functions their definitions.

Derivatives are exact (`taylor.py`), integrals are Gauss-Legendre quadratures. An indefinite integral is the one from a
fixed point to where the variable stands, plus its constant of integration, unless an earlier equation says what it is.
A function that nothing defines is some smooth function, always the same one.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.numbers import NumberSymbol

from mathderive.checker.numeric.fingerprints import rng_of
from mathderive.checker.numeric.functions import FUNCTIONS, exp, raise_to, sin
from mathderive.checker.numeric.taylor import Array, Taylor, UnsupportedError, Value, coefficient

POINTS = 8

REGIONS = ((0.55, 0.95), (1.1, 1.9), (2.1, 3.4))
"""Where names have their values: each region is one draw. No integral from a region's lower end passes 0 or 1."""

BEGINS = (0.02, 0.09)
"""How far below the region an indefinite integral begins: one that has an integral within, and one that has none."""

QUADRATURE_NODES, MORE_NODES = 16, 25
"""Of an integral, and of one that is computed again to see whether the first was accurate."""

MAX_ORDER = 12
MAX_NESTED = 24
MAX_WORK = 500_000
"""Numbers computed for one question; an equation of the data takes some thousands."""


class BudgetError(ValueError):
    """Finding the value would take too much work."""


@dataclass(frozen=True)
class Definition:
    """A function of these parameters, or with none a symbol, and what it stands for."""

    parameters: tuple[Symbol, ...]
    body: Expr


@dataclass(frozen=True)
class Definitions:
    """What names stand for: applications and symbols as they were written, and functions of any arguments."""

    exact: dict[Basic, Expr] = field(default_factory=dict)
    functions: dict[tuple[str, int], Definition] = field(default_factory=dict)

    def define(self, name: Basic, body: Expr) -> None:
        """Adds a definition; the first one of a name stands."""
        self.exact.setdefault(name, body)
        if isinstance(name, AppliedUndef) and all(isinstance(part, Symbol) for part in name.args):
            self.functions.setdefault((name.func.__name__, len(name.args)), Definition(name.args, body))

    def root(self, name: Basic) -> Basic:
        """The name that a name is another name for, at last; itself as a rule."""
        while isinstance(self.exact.get(name), Symbol):
            name = self.exact[name]
        return name

    def has(self, name: Basic) -> bool:
        if isinstance(name, AppliedUndef):
            return name in self.exact or (name.func.__name__, len(name.args)) in self.functions
        return name in self.exact


class _Scope:
    """Values that differ from those of the points, and what was computed with them."""

    def __init__(self, values: Mapping[Basic, Value], axes: int) -> None:
        self.values = values
        self.axes = axes  # of quadratures around this
        self.known: dict[Basic, Value] = {}

    def within(self, values: Mapping[Basic, Value], more_axes: int = 0) -> "_Scope":
        return _Scope({**self.values, **values}, self.axes + more_axes)


class Evaluator:
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
            point: one point that all other names have their values from.
            independent: a derivative by a function leaves the function's argument where it is, as SymPy's does; else
                both change.
            bound: integrals and what they are.
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
            value = self._evaluate(expression, self._base)
        return np.atleast_1d(np.asarray(value, complex))

    def scale(self, expression: Expr) -> Array:
        """How large the terms are that an expression is added up from."""
        with np.errstate(all="ignore"):
            return self._scale(expression)

    def _scale(self, node: Expr) -> Array:
        if isinstance(node, Add):
            return np.max(np.broadcast_arrays(*map(self._scale, node.args)), axis=0)
        if isinstance(node, Mul):
            return math.prod(map(self._scale, node.args))  # type: ignore[return-value]
        return np.abs(self.value(node))

    def _evaluate(self, node: Basic, scope: _Scope) -> Value:
        known = scope.known.get(node)
        if known is not None:
            return known
        self._nested += 1
        if self._nested > MAX_NESTED * 4:
            raise BudgetError("definitions within definitions")
        value = self._compute(node, scope)
        self._nested -= 1
        self._work += _count(value)
        if self._work > MAX_WORK:
            raise BudgetError("too much to compute")
        scope.known[node] = value
        return value

    def _compute(self, node: Basic, scope: _Scope) -> Value:
        if node in scope.values:
            return scope.values[node]
        if isinstance(node, Add):
            return _total(self._evaluate(part, scope) for part in node.args)
        if isinstance(node, Mul):
            result = self._evaluate(node.args[0], scope)
            for part in node.args[1:]:
                result = result * self._evaluate(part, scope)
            return result
        if isinstance(node, Pow):
            return raise_to(self._evaluate(node.base, scope), self._evaluate(node.exp, scope))
        if node.is_Number or isinstance(node, NumberSymbol) or node is S.ImaginaryUnit:
            return np.full(1, _number(node))
        if isinstance(node, Symbol):
            if node in self.definitions.exact:
                return self._evaluate(self.definitions.exact[node], scope)
            return self.of_name(node.name)
        if isinstance(node, Derivative):
            return self._derivative(node, scope)
        if isinstance(node, Integral):
            return self._integral(node, scope)
        if isinstance(node, AppliedUndef):
            return self._application(node, scope)
        function = FUNCTIONS.get(node.func.__name__)
        if function is None or len(node.args) != 1:
            raise UnsupportedError(f"{node.func.__name__} has no value")
        return function(self._evaluate(node.args[0], scope))

    def of_name(self, name: str) -> Array:
        """The values of a name that nothing defines."""
        values = rng_of(f"{name} {self._draw}").uniform(*self.region, POINTS).astype(complex)
        return values if self._point is None else values[self._point : self._point + 1]

    def _application(self, node: AppliedUndef, scope: _Scope) -> Value:
        if node in self.definitions.exact:
            return self._evaluate(self.definitions.exact[node], scope)
        arguments = [self._evaluate(part, scope) for part in node.args]
        definition = self.definitions.functions.get((node.func.__name__, len(node.args)))
        if definition is None:
            return _some_function(node.func.__name__, arguments)
        return self._evaluate(definition.body, scope.within(dict(zip(definition.parameters, arguments, strict=True))))

    def _derivative(self, node: Derivative, scope: _Scope) -> Value:
        (variable, count), *others = node.variable_count
        if isinstance(variable, AppliedUndef) and not self._independent:
            if others or count != 1 or len(variable.args) != 1 or not isinstance(variable.args[0], Symbol):
                raise UnsupportedError("a derivative by a function of several variables")
            # By the chain rule: both change with the function's argument.
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
            here = seeded[variable] if variable in seeded else self._evaluate(variable, scope)
            one, zero = np.ones(1, complex), np.zeros(1, complex)
            series = Taylor(self._level, [here, one, *[zero] * (order - 1)])
            seeded |= {variable: series, self.definitions.root(variable): series}
            orders.append((self._level, order))
        value = self._evaluate(expression, scope.within(seeded))
        for level, order in reversed(orders):
            value = coefficient(value, level, order) * float(math.factorial(order))
        self._level = first
        return value

    def _integral(self, node: Integral, scope: _Scope) -> Value:
        if node in self._bound:
            return self._evaluate(self._bound[node], scope)
        value = self._quadrature(node.function, list(node.limits), scope)
        constant = self._constants.get(node)
        return value if constant is None else value + constant

    def _quadrature(self, integrand: Expr, limits: list[Any], scope: _Scope) -> Value:
        if not limits:
            return self._evaluate(integrand, scope)
        *inner, (variable, *ends) = limits
        if len(ends) == 2:
            lower, upper = (self._evaluate(end, scope) for end in ends)
        else:
            # Below where one around it begins, so that a power or a logarithm of it is smooth there.
            begins = BEGINS[0 if integrand.has(Integral) else 1]
            lower = np.full(1, self.region[0] - begins + 0j)
            upper = self._evaluate(ends[0] if ends else variable, scope)
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


def _number(node: Basic) -> complex:
    try:
        return complex(node)
    except OverflowError:
        return complex(np.inf)


def _some_function(name: str, arguments: list[Value]) -> Value:
    """Values of a smooth function that stands for an undefined one."""
    rng = rng_of(f"function {name} of {len(arguments)}")
    start, slopes, waves, decays = rng.uniform(1, 2), *rng.uniform(0.3, 0.9, (3, len(arguments)))
    linear, wave, decay = (
        _total([factor * argument for factor, argument in zip(factors, arguments, strict=True)])
        for factors in (slopes, waves, decays)
    )
    return start + linear + 0.4 * sin(wave + start) + 0.5 * exp(-decay)
