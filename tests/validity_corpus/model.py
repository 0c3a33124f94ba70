"""Evaluates expressions as truncated power series near a point at which every name has a random value.

A function that a premise defines has the value that the premise gives it. Any other function is a random analytic one.
An indefinite integral by x stands for one of its antiderivatives. They differ by a term that does not depend on x,
the *choice*. Until a derivation fixes the choice, it is linear in the integrand (like that of the antiderivative from
another point), so that sums and factors may be taken out of integrals.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpmath import mp
from sympy import (
    Abs,
    Add,
    Derivative,
    Dummy,
    E,
    Expr,
    I,
    Integral,
    Mul,
    Pow,
    Rational,
    Symbol,
    conjugate,
    cos,
    exp,
    log,
    pi,
    sign,
    sin,
)
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from tests.validity_corpus.series import Series, SingularError, composed, constant, monomials, taylor, variable

Definition = tuple[tuple[Expr, ...], Expr]
"""The arguments of a defined function, and its value."""

DIGITS = 60
"""The number of decimal digits, unless an equation's numbers need more."""

SPECIAL: dict[str, Callable[[Any], Any]] = {
    **{name: getattr(mp, name) for name in ("asin", "acos", "atan", "acot", "asinh", "acosh", "atanh")},
    **dict(zip(("erf", "erfi", "Ei", "Si", "Ci", "li"), (mp.erf, mp.erfi, mp.ei, mp.si, mp.ci, mp.li), strict=True)),
}
"""Other functions, with their values; SymPy knows their first derivatives."""

IN_ELEMENTARY_TERMS: dict[str, Callable[[Expr], Expr]] = {
    "tan": lambda angle: sin(angle) / cos(angle),
    "cot": lambda angle: cos(angle) / sin(angle),
    "sec": lambda angle: 1 / cos(angle),
    "csc": lambda angle: 1 / sin(angle),
    "sinh": lambda part: (exp(part) - exp(-part)) / 2,
    "cosh": lambda part: (exp(part) + exp(-part)) / 2,
    "tanh": lambda part: (exp(part) - exp(-part)) / (exp(part) + exp(-part)),
    "coth": lambda part: (exp(part) + exp(-part)) / (exp(part) - exp(-part)),
}
"""Functions that the elementary ones make up; their own derivatives would contain them again."""

CONSTANTS: dict[Basic, Callable[[], Any]] = {pi: lambda: +mp.pi, E: lambda: mp.e, I: lambda: mp.j}


class UndecidableError(ValueError):
    """The judge cannot decide; the message says why."""


class HiddenChoiceError(UndecidableError):
    """An antiderivative within an integral would have to be chosen, at this point and at any other."""


class DegreeError(ValueError):
    """There are more derivatives than the series have degrees."""


@dataclass(frozen=True)
class Choice:
    """The antiderivative of `integrand` by `variable` is the one that is `value` where the variable is at the point."""

    variable: Symbol
    integrand: Series
    value: Series


@dataclass
class Model:
    """Values for all names near one point.

    Attributes:
        axes: the names that are variables of the series; all others are numbers.
        degree: the degree of the names' series.
        definitions: the defined functions, by name and number of arguments.
        salt: the seed of the random values.
        choices: the antiderivatives that are fixed.
        values: the series of names that do not have their random value.
        open_choices: the evaluated integrals that have no fixed choice.
        rebased: the values of names at another point than the random one.
        is_real: whether all random values are real, and those of names positive.
        reach: the largest real value of a name.
    """

    axes: Sequence[Symbol]
    degree: int
    definitions: Mapping[tuple[str, int], Sequence[Definition]]
    salt: str
    choices: list[Choice] = field(default_factory=list)
    values: dict[Symbol, Series] = field(default_factory=dict)
    open_choices: list[Choice] = field(default_factory=list)
    rebased: dict[Symbol, Any] = field(default_factory=dict)
    is_real: bool = False
    reach: float = 10
    _memory: dict[Basic, Series] = field(default_factory=dict)

    def evaluate(self, expression: Basic) -> Series:
        """Returns the expression's series.

        Raises:
            UndecidableError: the model cannot evaluate the expression, at this point or at all.
            DegreeError: the expression has more derivatives than the series have degrees.
        """
        if expression not in self._memory:
            try:
                found = self._evaluate(expression)
            except (SingularError, OverflowError, ZeroDivisionError) as error:
                raise UndecidableError(str(error)) from None
            if found.degree < 0:
                raise DegreeError
            if abs(found.value) > mp.mpf(10) ** (mp.dps // 5):
                # Digits are lost in differences of large values.
                raise UndecidableError("a large value")
            self._memory[expression] = found
        return self._memory[expression]

    def forget(self) -> None:
        """Forgets the computed series; needed after a change of `choices` or `values`."""
        self._memory.clear()
        self.open_choices.clear()

    def base(self, name: Basic) -> Any:
        """Returns the random value of a name.

        A complex one is no more than 1.2 in size, and neither real nor near zero. A real one is between 0 and `reach`.
        """
        if name in self.rebased:
            return self.rebased[name]
        first, second = self.random(f"symbol {name}")
        if self.is_real:
            return mp.mpc(self.reach * (first if second < 0.5 else mp.power(10, 2 * first - 2)))
        return mp.mpc(
            mp.mpf("0.35") + mp.mpf("0.75") * first, (mp.mpf("0.15") + mp.mpf("0.45") * second) * _sign(second)
        )

    def random(self, what: str) -> tuple[Any, Any]:
        """Returns two numbers between 0 and 1 that depend only on a text and the salt."""
        digest = hashlib.sha512(f"{self.salt} {what}".encode()).digest()
        return tuple(mp.mpf(int.from_bytes(half, "big")) / 2**256 for half in (digest[:32], digest[32:]))

    def constant(self, value: Any) -> Series:
        return constant(len(self.axes), self.degree, value)

    def _evaluate(self, expression: Basic) -> Series:
        match expression:
            case Symbol():
                return self._symbol(expression)
            case Rational():
                return self.constant(mp.mpf(expression.p) / expression.q)
            case _ if expression in CONSTANTS:
                return self.constant(CONSTANTS[expression]())
            case Add():
                first, *rest = map(self.evaluate, expression.args)
                return sum(rest, first)
            case Mul():
                product, *factors = map(self.evaluate, expression.args)
                for factor in factors:
                    product = product * factor
                return product
            case Pow():
                return self._power(*expression.args)
            case exp():
                return _exponential(self.evaluate(expression.args[0]))
            case log() if len(expression.args) == 1:
                return self.evaluate(expression.args[0]).log()
            case cos() | sin():
                return _trigonometric(self.evaluate(expression.args[0]))[isinstance(expression, sin)]
            case Derivative():
                return self._derivative(expression)
            case Integral():
                return self._integral(expression)
            case Abs() | sign() | conjugate():
                return self._of_real(expression)
            case AppliedUndef():
                return self._function(expression)
        kind = type(expression).__name__
        if kind in IN_ELEMENTARY_TERMS:
            return self.evaluate(IN_ELEMENTARY_TERMS[kind](expression.args[0]))
        if kind in SPECIAL and len(expression.args) == 1:
            return self._special(expression)
        raise UndecidableError(f"{kind} is not evaluated")

    def _symbol(self, symbol: Symbol) -> Series:
        if symbol in self.values:
            return self.values[symbol]
        if symbol in self.axes:
            return variable(len(self.axes), self.degree, self.axes.index(symbol), self.base(symbol))
        return self.constant(self.base(symbol))

    def _power(self, base: Expr, exponent: Expr) -> Series:
        below = self.evaluate(base)
        if exponent.is_Integer and 0 < exponent.p <= 64:
            return below.natural_power(exponent.p)
        if exponent == -1:
            return below.reciprocal()
        if exponent.is_Rational:
            return below.power(mp.mpf(exponent.p) / exponent.q)
        above = self.evaluate(exponent)
        if below.norm() <= mp.mpf(10) ** (-2 * mp.dps // 3) and above.value.real > 0:
            return self.constant(0)
        return _exponential(above * below.log())

    def _of_real(self, expression: Expr) -> Series:
        """An absolute value, a sign or a conjugate of a real argument other than zero."""
        argument = self.evaluate(expression.args[0])
        smallest = mp.mpf(10) ** (-mp.dps // 2)
        if not self.is_real or any(abs(mp.mpc(c).imag) > smallest for _, _, c in argument.coefficients()):
            raise UndecidableError(f"{type(expression).__name__} of a complex argument")
        if isinstance(expression, conjugate):
            return argument
        if abs(argument.value) <= smallest:
            raise SingularError(f"{type(expression).__name__} of zero")
        signum = 1 if argument.value.real > 0 else -1
        return self.constant(signum) if isinstance(expression, sign) else argument.scaled(signum)

    def _derivative(self, derivative: Derivative) -> Series:
        result = self.evaluate(derivative.expr)
        for name, count in derivative.variable_count:
            if not count.is_Integer:
                raise UndecidableError(f"a derivative {count} times")
            axis, slope = self._axis_and_slope(name)
            for _ in range(count.p):
                result = result.derivative(axis)
                if slope is not None:
                    result = result * slope.reciprocal()
        return result

    def _axis_and_slope(self, name: Expr) -> tuple[int, Series | None]:
        """Returns the axis of a variable of differentiation or integration.

        A substitution may have put `f(x)` in its place; then the derivative of `f(x)` is returned as well.
        """
        if isinstance(name, AppliedUndef) and len(name.args) == 1:
            axis, _ = self._axis_and_slope(name.args[0])
            return axis, self.evaluate(name).derivative(axis)
        if name not in self.axes or name in self.values:
            raise UndecidableError(f"a derivative or an integral by {name}")
        return self.axes.index(name), None

    def _integral(self, integral: Integral) -> Series:
        if len(integral.limits) == 1 and len(integral.limits[0]) == 2:
            return self._antiderivative_at(integral.function, *integral.limits[0])
        result = self.evaluate(integral.function)
        for name, *bounds in integral.limits:
            if bounds:
                raise UndecidableError(f"an integral by {name} with {len(bounds)} bounds")
            axis, slope = self._axis_and_slope(name)
            result = self._antiderivative(result if slope is None else result * slope, self.axes[axis])
        return result

    def _antiderivative(self, integrand: Series, name: Symbol) -> Series:
        axis = self.axes.index(name)
        chosen = next((choice.value for choice in self.choices if self._is_of(choice, name, integrand)), None)
        if chosen is None:
            first, second = self.random(f"integral {name} {mp.nstr(self.base(name), 20)}")
            weight = mp.mpc(first) if self.is_real else mp.mpc(first, second)
            chosen = integrand.coefficient_of(axis, 0).scaled(weight)
            if not any(self._is_of(choice, name, integrand) for choice in self.open_choices):
                self.open_choices.append(Choice(name, integrand, chosen))
        return integrand.antiderivative(axis) + chosen

    def _is_of(self, choice: Choice, name: Symbol, integrand: Series) -> bool:
        return choice.variable == name and agree(choice.integrand, integrand) is True

    def _antiderivative_at(self, integrand: Expr, name: Symbol, bound: Expr) -> Series:
        """Evaluates an antiderivative at a bound, which a substitution has put in the place of its variable."""
        where, (axis, slope) = self.evaluate(bound), self._axis_and_slope(name)
        if slope is not None:
            raise UndecidableError(f"an integral by {name} with a bound")
        moved = Model(
            self.axes,
            self.degree,
            self.definitions,
            self.salt,
            self.choices,
            self.values,
            is_real=self.is_real,
            reach=self.reach,
        )
        is_elsewhere = abs(where.value - self.base(name)) > mp.mpf(10) ** (-mp.dps // 2)
        moved.rebased = {**self.rebased, name: where.value} if is_elsewhere else self.rebased
        found = moved._antiderivative(moved.evaluate(integrand), name)
        self.open_choices += moved.open_choices
        return composed(found, axis, where.without_value())

    def _function(self, application: AppliedUndef) -> Series:
        name, arguments = application.func.__name__, application.args
        known = self.definitions.get((name, len(arguments)), ())
        for formal, body in known:
            if formal == arguments:
                return self.evaluate(body)
        if known:
            formal, body = known[0]
            if all(isinstance(argument, Symbol) for argument in arguments) and len({*arguments}) == len(arguments):
                return self.evaluate(body.xreplace(dict(zip(formal, arguments, strict=True))))
            return self._applied(formal, body, [self.evaluate(argument) for argument in arguments])
        values = [self.evaluate(argument) for argument in arguments]
        place = " ".join(mp.nstr(value.value, 20) for value in values)

        def coefficient(exponents: tuple[int, ...]) -> Any:
            first, second = self.random(f"function {name} {place} {exponents}")
            return mp.mpc(first - 0.5) if self.is_real else mp.mpc(first, second) - 0.5

        return taylor(coefficient, values)

    def _applied(self, formal: Sequence[Symbol], body: Expr, arguments: Sequence[Series]) -> Series:
        """Evaluates a defined function at arguments other than distinct variables."""
        names = [Dummy(symbol.name) for symbol in formal]
        if body.has(Integral) or body.free_symbols - {*formal}:
            raise UndecidableError("an integral or another name in a function of expressions")
        inner = Model(names, self.degree, self.definitions, self.salt, is_real=self.is_real, reach=self.reach)
        inner.rebased = {name: argument.value for name, argument in zip(names, arguments, strict=True)}
        outer = inner.evaluate(body.xreplace(dict(zip(formal, names, strict=True))))
        coefficients = {
            exponents: coefficient
            for degree, part in enumerate(outer.parts)
            for exponents, coefficient in zip(monomials(len(names), degree), part or (), strict=False)
        }
        shallow = [argument.cut(outer.degree) for argument in arguments]
        return taylor(lambda exponents: coefficients.get(exponents, 0), shallow)

    def _special(self, expression: Expr) -> Series:
        argument = self.evaluate(expression.args[0])
        place = Dummy()
        slope = Model(
            self.axes, self.degree, {}, self.salt, values={place: argument}, is_real=self.is_real, reach=self.reach
        )
        derivative = slope.evaluate(expression.func(place).diff(place))
        return argument.through(SPECIAL[type(expression).__name__](argument.value), derivative)


def agree(first: Series, second: Series, least_degree: int = 0) -> bool | None:
    """Compares two functions up to the degree to which both are known; None where the digits do not decide.

    Raises:
        DegreeError: one of them is not known up to the least degree.
    """
    if min(first.degree, second.degree) < least_degree:
        raise DegreeError
    difference, scale = (first - second).norm(), max(first.norm(), second.norm(), mp.mpf(10) ** (-mp.dps // 6))
    if difference <= scale * mp.mpf(10) ** (-2 * mp.dps // 3):
        return True
    return False if difference >= scale * mp.mpf(10) ** (-mp.dps // 3) else None


def _exponential(exponent: Series) -> Series:
    if abs(exponent.value.real) > mp.dps * 5 / 3 or abs(exponent.value.imag) > 1e6:
        raise UndecidableError("a large exponent")
    return exponent.exp()


def _trigonometric(angle: Series) -> tuple[Series, Series]:
    if abs(angle.value.imag) > 100 or abs(angle.value.real) > 1e6:
        raise UndecidableError("a large angle")
    return angle.cos_and_sin()


def _sign(fraction: Any) -> int:
    """Returns a sign that depends on the digits of a fraction."""
    return 1 if int(fraction * 2**20) % 2 else -1
