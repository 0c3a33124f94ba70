"""Truncated power series in several variables, at any precision.

A function near a point is represented by its Taylor coefficients, up to a total degree. In that form derivatives and
antiderivatives are exact, whatever the function is. So expressions can be compared without any rule of calculus that a
computer algebra system might share with the code that is judged.

Coefficients are grouped by degree. With `t·∂` the sum of `t_i ∂/∂t_i`, which multiplies the part of degree n by n,
each function below follows from its differential equation (for `g = exp f`: `t·∂ g = g t·∂ f`), degree by degree.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from typing import Any

from mpmath import mp

Part = list[Any] | None
"""The coefficients of one degree, in the order of `monomials`; None where all are zero."""


class SingularError(ValueError):
    """The point is a pole or a branch point of a function."""


@cache
def monomials(axes: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """The exponents of the monomials of exactly that degree."""
    if axes == 0:
        return ((),) if degree == 0 else ()
    return tuple((first, *rest) for first in range(degree, -1, -1) for rest in monomials(axes - 1, degree - first))


@cache
def _positions(axes: int, degree: int) -> dict[tuple[int, ...], int]:
    return {exponents: position for position, exponents in enumerate(monomials(axes, degree))}


@lru_cache(maxsize=2000)
def _product_table(axes: int, first: int, second: int) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each monomial of one degree, its products with those of another: (position of the other, of the product)."""
    positions = _positions(axes, first + second)
    return tuple(
        tuple(
            (other, positions[tuple(a + b for a, b in zip(left, right, strict=True))])
            for other, right in enumerate(monomials(axes, second))
        )
        for left in monomials(axes, first)
    )


class Series:
    """A function near a point, known up to a degree.

    Attributes:
        axes: the number of variables.
        parts: the coefficients, grouped by degree, from degree 0.
    """

    __slots__ = ("axes", "parts")

    def __init__(self, axes: int, parts: list[Part]) -> None:
        self.axes = axes
        self.parts = parts

    @property
    def degree(self) -> int:
        """The highest degree whose coefficients are known."""
        return len(self.parts) - 1

    @property
    def value(self) -> Any:
        """The function's value at the point."""
        part = self.parts[0]
        return mp.mpc(0) if part is None else mp.mpc(part[0])

    def coefficients(self) -> Iterator[tuple[int, int, Any]]:
        """Yields the coefficients other than zero, each with its degree and position."""
        for degree, part in enumerate(self.parts):
            for position, coefficient in enumerate(part or ()):
                if coefficient:
                    yield degree, position, coefficient

    def norm(self) -> Any:
        """The largest coefficient's absolute value."""
        return max((abs(coefficient) for _, _, coefficient in self.coefficients()), default=mp.mpf(0))

    def __add__(self, other: "Series") -> "Series":
        return Series(self.axes, [_sum(a, b) for a, b in zip(self.parts, other.parts, strict=False)])

    def __sub__(self, other: "Series") -> "Series":
        return self + other.scaled(-1)

    def __mul__(self, other: "Series") -> "Series":
        degrees = range(min(self.degree, other.degree) + 1)
        return Series(self.axes, [self._convolved(other, n, range(n + 1)) for n in degrees])

    def scaled(self, factor: Any) -> "Series":
        return Series(self.axes, [None if part is None else [factor * c for c in part] for part in self.parts])

    def cut(self, degree: int) -> "Series":
        """Returns the series without the degrees above one."""
        return Series(self.axes, self.parts[: degree + 1])

    def without_value(self) -> "Series":
        return Series(self.axes, [None, *self.parts[1:]])

    def _convolved(self, other: "Series", n: int, degrees: range, weight: Callable[[int], Any] | None = None) -> Part:
        """Returns the part of degree n of a product, from the given degrees of this series, weighted by degree."""
        total: list[Any] = [0] * len(monomials(self.axes, n))
        touched = False
        for k in degrees:
            mine, others = self.parts[k], other.parts[n - k]
            if mine is None or others is None:
                continue
            touched = True
            factor = None if weight is None else weight(k)
            for a, row in zip(mine, _product_table(self.axes, k, n - k), strict=True):
                if a:
                    scaled = a if factor is None else factor * a
                    for position, target in row:
                        if others[position]:
                            total[target] += scaled * others[position]
        return total if touched else None

    def derivative(self, axis: int) -> "Series":
        parts: list[Part] = []
        for degree, part in enumerate(self.parts[1:]):
            if part is None:
                parts.append(None)
                continue
            lower: list[Any] = [0] * len(monomials(self.axes, degree))
            positions = _positions(self.axes, degree)
            for exponents, coefficient in zip(monomials(self.axes, degree + 1), part, strict=True):
                if exponents[axis] and coefficient:
                    lower[positions[_shifted(exponents, axis, -1)]] = exponents[axis] * coefficient
            parts.append(lower)
        return Series(self.axes, parts)

    def antiderivative(self, axis: int) -> "Series":
        """Returns the antiderivative that is zero at the variable's value; it is known to one more degree."""
        parts: list[Part] = [None]
        for degree, part in enumerate(self.parts):
            if part is None:
                parts.append(None)
                continue
            higher: list[Any] = [0] * len(monomials(self.axes, degree + 1))
            positions = _positions(self.axes, degree + 1)
            for exponents, coefficient in zip(monomials(self.axes, degree), part, strict=True):
                if coefficient:
                    higher[positions[_shifted(exponents, axis, 1)]] = coefficient / (exponents[axis] + 1)
            parts.append(higher)
        return Series(self.axes, parts)

    def coefficient_of(self, axis: int, power: int) -> "Series":
        """Returns the coefficient of a power of one variable, which is a function of the others."""
        parts: list[Part] = []
        for degree in range(power, self.degree + 1):
            part = self.parts[degree]
            if part is None:
                parts.append(None)
                continue
            chosen: list[Any] = [0] * len(monomials(self.axes, degree - power))
            positions = _positions(self.axes, degree - power)
            for exponents, coefficient in zip(monomials(self.axes, degree), part, strict=True):
                if exponents[axis] == power and coefficient:
                    chosen[positions[_shifted(exponents, axis, -power)]] = coefficient
            parts.append(chosen)
        return Series(self.axes, parts)

    def exp(self) -> "Series":
        result = Series(self.axes, [[mp.exp(self.value)]])
        for n in range(1, self.degree + 1):
            part = self._convolved(result, n, range(1, n + 1), lambda k: k)
            result.parts.append(_over(part, n))
        return result

    def log(self) -> "Series":
        value = self._nonzero_value()
        result = Series(self.axes, [[mp.log(value)]])
        for n in range(1, self.degree + 1):
            known = _over(result._convolved(self, n, range(1, n), lambda k: -k), n)
            result.parts.append(_over(_sum(self.parts[n], known), value))
        return result

    def cos_and_sin(self) -> tuple["Series", "Series"]:
        cosine, sine = Series(self.axes, [[mp.cos(self.value)]]), Series(self.axes, [[mp.sin(self.value)]])
        for n in range(1, self.degree + 1):
            falling = self._convolved(sine, n, range(1, n + 1), lambda k: -k)
            rising = self._convolved(cosine, n, range(1, n + 1), lambda k: k)
            cosine.parts.append(_over(falling, n))
            sine.parts.append(_over(rising, n))
        return cosine, sine

    def reciprocal(self) -> "Series":
        value = self._nonzero_value()
        result = Series(self.axes, [[1 / value]])
        for n in range(1, self.degree + 1):
            result.parts.append(_over(self._convolved(result, n, range(1, n + 1)), -value))
        return result

    def power(self, exponent: Any) -> "Series":
        """Returns the function to a constant power, on the principal branch."""
        value = self._nonzero_value()
        result = Series(self.axes, [[mp.power(value, exponent)]])
        for n in range(1, self.degree + 1):
            part = self._convolved(result, n, range(1, n + 1), partial(_power_weight, exponent, n))
            result.parts.append(_over(part, n * value))
        return result

    def natural_power(self, exponent: int) -> "Series":
        """Returns the function to a natural power; its value may be zero."""
        result = constant(self.axes, self.degree, 1)
        for bit in bin(exponent)[2:]:
            result = result * result
            if bit == "1":
                result = result * self
        return result

    def through(self, value: Any, derivative: "Series") -> "Series":
        """Returns F of this function, given F's value at the point and F' of this function."""
        result = Series(self.axes, [[value]])
        for n in range(1, min(self.degree, derivative.degree + 1) + 1):
            result.parts.append(_over(self._convolved(derivative, n, range(1, n + 1), lambda k: k), n))
        return result

    def _nonzero_value(self) -> Any:
        if abs(self.value) <= mp.mpf(10) ** (-mp.dps // 2):
            raise SingularError("a pole or branch point")
        return self.value


def _power_weight(exponent: Any, n: int, k: int) -> Any:
    return exponent * k - (n - k)


def constant(axes: int, degree: int, value: Any) -> Series:
    return Series(axes, [[mp.mpc(value)] if value else None, *[None] * degree])


def variable(axes: int, degree: int, axis: int, value: Any) -> Series:
    """Returns the function that is one of the variables."""
    first = [mp.mpc(int(axis == position)) or 0 for position in range(axes)]
    return Series(axes, [[mp.mpc(value)], first, *[None] * degree][: degree + 1])


def composed(series: Series, axis: int, difference: Series) -> Series:
    """Replaces one variable's distance from the point by a function that is zero there."""
    degree = min(series.degree, difference.degree)
    total, power = constant(series.axes, degree, 0), constant(series.axes, degree, 1)
    for exponent in range(degree + 1):
        total = total + padded(series.coefficient_of(axis, exponent), degree) * power
        power = power * difference
    return total


def padded(series: Series, degree: int) -> Series:
    """Returns the series with zeros for the degrees that it lacks, for uses where they do not matter."""
    return Series(series.axes, [*series.parts, *[None] * (degree - series.degree)][: degree + 1])


def taylor(coefficients: Callable[[tuple[int, ...]], Any], arguments: Sequence[Series]) -> Series:
    """Returns a function of several arguments, given its Taylor coefficients at the arguments' values."""
    degree = min(argument.degree for argument in arguments)
    axes = arguments[0].axes
    powers = []
    for argument in arguments:
        distance, row = argument.without_value(), [constant(axes, degree, 1)]
        for _ in range(degree):
            row.append(row[-1] * distance)
        powers.append(row)
    total = constant(axes, degree, 0)
    for order in range(degree + 1):
        for exponents in monomials(len(arguments), order):
            term = constant(axes, degree, coefficients(exponents))
            for row, exponent in zip(powers, exponents, strict=True):
                if exponent:
                    term = term * row[exponent]
            total = total + term
    return total


def _shifted(exponents: tuple[int, ...], axis: int, by: int) -> tuple[int, ...]:
    return (*exponents[:axis], exponents[axis] + by, *exponents[axis + 1 :])


def _sum(first: Part, second: Part) -> Part:
    if first is None or second is None:
        return first if second is None else second
    return [a + b for a, b in zip(first, second, strict=True)]


def _over(part: Part, divisor: Any) -> Part:
    return None if part is None else [coefficient / divisor if coefficient else 0 for coefficient in part]
