"""Evaluates expressions at one point in ball arithmetic, with definitions for names.

Every value is a ball that contains the exact one. Derivatives are exact (`taylor.py`). An indefinite integral is a
power series about the point, which its integrand determines except for the constant of integration. The constant is an
unknown function of the other names, unless an earlier equation gives the integral's value.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import product

from flint import acb, arb, ctx, fmpq
from sympy import Derivative, E, Expr, Integral, Rational, S, Symbol, Tuple
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.applications import ApplicationEvaluator, Scope
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.functions import FUNCTIONS, raise_to
from mathderive.checker.numeric.points import Point
from mathderive.checker.numeric.sizes import INFINITE, SATURATING, log2, saturation, vanishes
from mathderive.checker.numeric.taylor import (
    ONE,
    ZERO,
    Taylor,
    UnsupportedError,
    Value,
    coefficient,
    count_coefficients,
    head,
    leaves,
    total_order,
)

MAX_ORDER = 12
"""Maximum order of a derivative."""

MAX_CHAINED = 4
"""Maximum order of a derivative by a function."""

MIN_ORDER = 3
"""Number of coefficients of an integrand by which it is recognised."""

MAX_NESTED = 96

MAX_WORK = 20_000
"""Maximum count of numbers computed by one evaluator; an equation of the data takes some hundreds."""

MAX_RULES = 16
"""Maximum number of quadrature rules that are remembered."""

UnknownKey = tuple[int, tuple[tuple[str, int], ...]]
"""A class of integrals, and the powers of names whose coefficient is the unknown."""

IntegralClasses = list[tuple[Symbol, list[acb]]]
"""The variable and the integrand's series of each class of integrals, which share their constant."""


class BudgetError(ValueError):
    """Computing the value would take too much work."""


class Evaluator(ApplicationEvaluator):
    """Evaluates expressions at a point.

    Attributes:
        size: the largest absolute binary logarithm of any number that was met.
        is_ambiguous: whether a derivative by a name that stands for an expression was taken.
        work: the number of values that were computed, counting each coefficient of a power series.
    """

    def __init__(
        self,
        definitions: Definitions,
        point: Point,
        grid: Mapping[Symbol, int] | None = None,
        bound: Mapping[Integral, Expr] | None = None,
        unknowns: Mapping[UnknownKey, acb] | None = None,
        random_constants: bool = False,
        classes: IntegralClasses | None = None,
    ) -> None:
        """
        Args:
            grid: names that expressions are expanded in, with the orders.
            bound: integrals and their known values.
            unknowns: values of the constants of integration.
            random_constants: whether a constant without value is a random number, not 0.
            classes: the classes of integrals met before at this point; evaluators that share them give equal integrals
                one constant.
        """
        super().__init__(definitions, point)
        self.size = 0
        self.is_ambiguous = False
        self.met_unknowns: dict[UnknownKey, None] = {}
        self._bound = bound or {}
        self._unknowns = unknowns or {}
        self._random_constants = random_constants
        self._classes: IntegralClasses = [] if classes is None else classes
        self._compared: set[Integral] = set()
        self._expanded: set[Integral] = set()
        self._nested = 0
        self.work = 0
        seeds: dict[Basic, Value] = {}
        for name, order in (grid or {}).items():
            self._level += 1
            seed = Taylor(self._level, [self.symbol(name, Scope({})), ONE, *[ZERO] * (order - 1)])
            seeds |= {name: seed, definitions.root(name): seed}
        self.base = Scope(seeds)

    def value(self, expression: Expr) -> Value:
        """The value; a ball that is not finite where it has none.

        Raises:
            BudgetError: it would take too much work.
            UnsupportedError: it holds what cannot be evaluated.
        """
        return self.evaluate(expression, self.base)

    def evaluate(self, node: Basic, scope: Scope) -> Value:
        known = scope.known.get(node)
        if known is not None:
            return known
        self._nested += 1
        if self._nested > MAX_NESTED:
            raise BudgetError("definitions within definitions")
        value = scope.values[node] if node in scope.values else self.compute(node, scope)
        self._nested -= 1
        self._measure(node, value)
        scope.known[node] = value
        return value

    def _measure(self, node: Basic, value: Value) -> None:
        if isinstance(value, Taylor):
            self.work += count_coefficients(value)
            value = head(value)
        self.work += 1
        if self.work > MAX_WORK:
            raise BudgetError("too much to compute")
        exponent = log2(value)
        if exponent is None:
            # A sum may be 0; an exponential is not, so such a ball has lost its digits.
            if value != 0 and (node.is_Pow or node.func.__name__ == "exp"):
                self.size = max(self.size, INFINITE)
        elif abs(exponent) > self.size:
            self.size = abs(exponent)

    def add(self, terms: Sequence[Value]) -> Value:
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

    def multiply(self, factors: Sequence[Value]) -> Value:
        result = factors[0]
        for factor in factors[1:]:
            result = result * factor
        return result

    def power(self, base: Value, exponent: Value) -> Value:
        if self._is_zero(base):
            return raise_to(ZERO, exponent)
        return raise_to(base, exponent)

    def _is_zero(self, value: Value) -> bool:
        """Whether a value is 0, by the same test as two equal values."""
        parts = list(leaves(value))
        return all(part.contains(0) for part in parts) and all(vanishes(part, self.size) for part in parts)

    def number(self, node: Basic) -> Value:
        if node.is_Rational or node.is_Float:
            exact = node if node.is_Rational else Rational(node)
            numerator, denominator = int(exact.p), int(exact.q)
            self.size = max(self.size, numerator.bit_length(), denominator.bit_length())
            return acb(fmpq(numerator, denominator))
        if node is S.ImaginaryUnit:
            return acb(0, 1)
        if node is S.Pi:
            return acb.pi()
        if node is E:
            return acb(1).exp()
        raise UnsupportedError(f"{node} has no value")

    def symbol(self, node: Symbol, scope: Scope) -> Value:
        body = self.definitions.exact.get(node)
        return self.point.value(node.name) if body is None else self.evaluate(body, scope)

    def function(self, node: Expr, scope: Scope) -> Value:
        function = FUNCTIONS.get(node.func.__name__)
        if function is None or len(node.args) != 1:
            raise UnsupportedError(f"{node.func.__name__} has no value")
        argument = self.evaluate(node.args[0], scope)
        if node.func.__name__ in SATURATING:
            # The distance from a limit is an exponential, whose size counts.
            self.size = max(self.size, saturation(node.func.__name__, head(argument)))
        return function(argument)

    def derivative(self, node: Derivative, scope: Scope) -> Value:
        if not any(isinstance(variable, AppliedUndef) for variable, _ in node.variable_count):
            return self._taken(node.expr, node.variable_count, scope)
        value = node.expr
        for variable, count in node.variable_count:
            if not isinstance(variable, AppliedUndef):
                value = Derivative(value, (variable, count), evaluate=False)
                continue
            if len(variable.args) != 1 or not isinstance(variable.args[0], Symbol):
                raise UnsupportedError("a derivative by a function of several variables")
            if not (count.is_Integer and 0 < count <= MAX_CHAINED):
                raise UnsupportedError("a derivative by a function of an order that is no small number")
            # The chain rule: both change with the function's argument.
            slope = Derivative(variable, variable.args[0], evaluate=False)
            for _ in range(int(count)):
                value = Derivative(value, variable.args[0], evaluate=False) / slope
        return self.evaluate(value, scope)

    def _taken(self, expression: Expr, counts: Iterable[tuple[Expr, Expr]], scope: Scope) -> Value:
        """The value of a derivative."""
        seeded: dict[Basic, Value] = {}
        orders: list[tuple[int, int]] = []
        first = self._level
        for variable, count in counts:
            if not (isinstance(variable, Symbol) and count.is_Integer and 0 < count <= MAX_ORDER):
                raise UnsupportedError("a derivative of an order that is no small number")
            root = self.definitions.root(variable)
            if root in self.definitions.exact and variable not in scope.values:
                self.is_ambiguous = True
            self._level += 1
            order = int(count)
            here = seeded[variable] if variable in seeded else self.evaluate(variable, scope)
            series = Taylor(self._level, [here, ONE, *[ZERO] * (order - 1)])
            seeded |= {variable: series, root: series}
            orders.append((self._level, order))
        value = self.evaluate(expression, scope.within(seeded))
        for level, order in reversed(orders):
            value = coefficient(value, level, order) * math.factorial(order)
        self._level = first
        return value

    def integral(self, node: Integral, scope: Scope) -> Value:
        if node in self._bound and node not in self._expanded:
            return self._known_value(node, scope)
        integrand, (variable, *ends) = outermost(node)
        if not isinstance(variable, Symbol):
            changed = by_argument(node)
            name = self.definitions.name_equal_to(variable) if changed == node else None
            if name is not None:
                changed = Integral(integrand, (name, *ends))
            if changed == node:
                raise UnsupportedError("an integral by an expression")
            return self.evaluate(changed, scope)
        if len(ends) == 2:
            return self._definite(integrand, variable, ends, scope)
        if self.definitions.root(variable) in self.definitions.exact and variable not in scope.values:
            raise UnsupportedError("an integral by a name that stands for an expression")
        return self._indefinite(node, integrand, variable, ends[0] if ends else variable, scope)

    def _indefinite(self, node: Integral, integrand: Expr, variable: Symbol, end: Expr, scope: Scope) -> Value:
        """The series of an integral up to an end, with an unknown constant."""
        here = self.evaluate(end, scope)
        start = head(here)
        order = max(MIN_ORDER, total_order(here))
        self._level += 1
        level = self._level
        seed = Taylor(level, [start, ONE, *[ZERO] * (order - 1)])
        inside = scope.within({variable: seed, self.definitions.root(variable): seed})
        value = self.evaluate(integrand, inside)
        slopes = [coefficient(value, level, place) for place in range(order)]
        for known in self._bound:
            function, limit = outermost(known)
            # An integral up to an end has the value of the one without, at that end.
            if limit in (node.limits[-1], (variable,)) and known not in self._compared | self._expanded:
                self._compared.add(known)  # its integrand may hold the integral that it is compared with
                is_known = self._agree(self.evaluate(function, inside), value, level, order)
                self._compared.remove(known)
                if is_known:
                    self._level -= 1
                    at_end = limit != node.limits[-1]
                    return self._known_value(known, scope.within({variable: here}) if at_end else scope)
        self._level -= 1
        step = here - start if isinstance(here, Taylor) else None
        total = self._constant(variable, [head(slope) for slope in slopes], scope)
        if step is not None:
            power: Value = step
            for place, slope in enumerate(slopes[: total_order(here)], start=1):
                total = total + slope * power * fmpq(1, place)
                power = power * step
        return total

    def _known_value(self, integral: Integral, scope: Scope) -> Value:
        """The value that an equation gives an integral; inside of it, an equal integral is an open one."""
        self._expanded.add(integral)
        value = self.evaluate(self._bound[integral], scope)
        self._expanded.remove(integral)
        return value

    def _agree(self, first: Value, second: Value, level: int, order: int) -> bool:
        return all(
            head(coefficient(first, level, place)).overlaps(head(coefficient(second, level, place)))
            for place in range(order)
        )

    def _constant(self, variable: Symbol, slopes: list[acb], scope: Scope) -> Value:
        """The constant of an integral, as a polynomial in the names that it may depend on."""
        number = self._class_of(variable, slopes)
        moving: dict[str, Taylor] = {
            name.name: value
            for name, value in scope.values.items()
            if isinstance(name, Symbol) and name != variable and isinstance(value, Taylor)
        }
        total: Value = ZERO
        for powers in product(*(range(total_order(value) + 1) for value in moving.values())):
            key = number, tuple((name, power) for name, power in zip(moving, powers, strict=True) if power)
            self.met_unknowns[key] = None
            unknown = self._unknowns.get(key, ZERO)
            if self._random_constants:
                unknown = self._random_constant(key)
            elif unknown == 0:
                continue
            term: Value = unknown
            for value, power in zip(moving.values(), powers, strict=True):
                step = value - head(value)
                for _ in range(power):
                    term = term * step
            total = total + term
        return total

    def _random_constant(self, key: UnknownKey) -> acb:
        return self.with_sign(key, arb(1 + self.point.number(f"constant {key} {self.point.draw}")))

    def _class_of(self, variable: Symbol, slopes: list[acb]) -> int:
        """The number of the class of integrals that share their variable, integrand and so their constant."""
        for number, (other, theirs) in enumerate(self._classes):
            if other == variable and all(a.overlaps(b) for a, b in zip(slopes, theirs, strict=False)):
                return number
        self._classes.append((variable, slopes))
        return len(self._classes) - 1

    def _definite(self, integrand: Expr, variable: Symbol, ends: Sequence[Expr], scope: Scope) -> Value:
        lower, upper = (self.evaluate(end, scope) for end in ends)
        length = upper - lower
        fine, rough = (self._quadrature(integrand, variable, lower, length, scope, nodes) for nodes in (36, 28))
        return _widened(fine, rough)

    def _quadrature(
        self, integrand: Expr, variable: Symbol, lower: Value, length: Value, scope: Scope, nodes: int
    ) -> Value:
        total: Value = ZERO
        for root, weight in _gauss_legendre(nodes, ctx.prec):
            at = lower + length * acb((root + 1) / 2)
            total = total + self.evaluate(integrand, scope.within({variable: at})) * acb(weight / 2)
        return total * length


@lru_cache(maxsize=MAX_RULES)
def _gauss_legendre(nodes: int, _bits: int) -> list[tuple[arb, arb]]:
    """The nodes and weights of Gauss-Legendre quadrature between -1 and 1."""
    return [arb.legendre_p_root(nodes, place, True) for place in range(nodes)]


def _widened(fine: Value, rough: Value) -> Value:
    """The value with balls so wide that they hold the difference of two quadratures."""
    if isinstance(fine, Taylor) or isinstance(rough, Taylor):
        if not (isinstance(fine, Taylor) and isinstance(rough, Taylor) and fine.level == rough.level):
            raise UnsupportedError("an integral of an unsteady form")
        return Taylor(fine.level, list(map(_widened, fine.coefficients, rough.coefficients)))
    error = abs(fine - rough).upper() * 2
    return fine + acb(arb(0, error), arb(0, error))


def outermost(integral: Integral) -> tuple[Expr, Tuple]:
    """The integrand and the limit of the outer one of integrals within each other, which SymPy writes as one."""
    *inner, limit = integral.limits
    return Integral(integral.function, *inner) if inner else integral.function, limit


def by_argument(node: Integral) -> Integral:
    """An indefinite integral by a function as one by the function's argument; others as they are."""
    integrand, (variable, *ends) = outermost(node)
    if (
        ends
        or not isinstance(variable, AppliedUndef)
        or len(variable.args) != 1
        or not isinstance(variable.args[0], Symbol)
    ):
        return node
    return Integral(integrand * Derivative(variable, variable.args[0], evaluate=False), variable.args[0])
