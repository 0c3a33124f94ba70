"""Truncated power series over ball arithmetic, which give exact derivatives of everything that can be computed.

The coefficients of a series in one small quantity are balls, or series in another quantity. Each small quantity has a
number, its `level`; series of a higher level have those of lower levels as coefficients, so that a derivative within a
derivative does not mistake one quantity for the other. Values stay on their branch of a logarithm or power, because
only the leading coefficient is ever passed to one.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Union

from flint import acb, fmpq

Value = Union[acb, "Taylor"]

ZERO, ONE = acb(0), acb(1)


class UnsupportedError(ValueError):
    """A derivative that does not exist or is not known, or a value that cannot be computed."""


class Taylor:
    """A power series up to an order, its coefficients from the constant one upwards."""

    def __init__(self, level: int, coefficients: Sequence[Value]) -> None:
        self.level = level
        self.coefficients = list(coefficients)

    def _is_below(self, other: Any) -> bool:
        return isinstance(other, Taylor) and other.level > self.level

    def __add__(self, other: Any) -> "Taylor":
        if self._is_below(other):
            return other + self
        if isinstance(other, Taylor) and other.level == self.level:
            return Taylor(self.level, [a + b for a, b in zip(self.coefficients, other.coefficients, strict=True)])
        constant, *rest = self.coefficients
        return Taylor(self.level, [constant + other, *rest])

    __radd__ = __add__

    def __neg__(self) -> "Taylor":
        return Taylor(self.level, [-a for a in self.coefficients])

    def __sub__(self, other: Any) -> "Taylor":
        return self + (-other)

    def __rsub__(self, other: Any) -> "Taylor":
        return -self + other

    def __mul__(self, other: Any) -> "Taylor":
        if self._is_below(other):
            return other * self
        if not (isinstance(other, Taylor) and other.level == self.level):
            return Taylor(self.level, [a * other for a in self.coefficients])
        return Taylor(self.level, multiply(self.coefficients, other.coefficients))

    __rmul__ = __mul__


def multiply(first: Sequence[Value], second: Sequence[Value]) -> list[Value]:
    """The coefficients of a product, as many as each factor has."""
    return [
        _sum([first[j] * second[k - j] for j in range(k + 1) if first[j] is not ZERO and second[k - j] is not ZERO])
        for k in range(len(first))
    ]


def compose(series: Taylor, value: Callable[[Value], Value], derivative: Callable[[Value], Value]) -> Taylor:
    """`f(series)`, from `f` and the function that is its derivative."""
    head, *rest = series.coefficients
    if not rest:
        return Taylor(series.level, [value(head)])
    slope = derivative(Taylor(series.level, series.coefficients[:-1]))
    slopes = slope.coefficients if isinstance(slope, Taylor) and slope.level == series.level else None
    coefficients = [value(head)]
    for k in range(1, len(rest) + 1):
        terms = [series.coefficients[j] * slopes[k - j] * j for j in range(1, k + 1)] if slopes else None
        coefficients.append(_sum(terms) * fmpq(1, k) if terms else series.coefficients[k] * slope)
    return Taylor(series.level, coefficients)


def exponential(series: Taylor, value: Callable[[Value], Value]) -> Taylor:
    """The exponential of a series, which is its own derivative; `value` gives that of a coefficient."""
    a = series.coefficients
    b = [value(a[0])]
    for k in range(1, len(a)):
        b.append(_sum([a[j] * b[k - j] * j for j in range(1, k + 1) if a[j] is not ZERO]) * fmpq(1, k))
    return Taylor(series.level, b)


def sine_and_cosine(series: Taylor, values: Callable[[Value], tuple[Value, Value]], sign: int) -> tuple[Taylor, Taylor]:
    """The sine and cosine of a series, or the hyperbolic ones where the sign of the cosine's derivative is 1, not -1.

    `values` gives those of a coefficient.
    """
    a = series.coefficients
    sine, cosine = values(a[0])
    sines, cosines = [sine], [cosine]
    for k in range(1, len(a)):
        sine = _sum([a[j] * cosines[k - j] * j for j in range(1, k + 1) if a[j] is not ZERO]) * fmpq(1, k)
        cosine = _sum([a[j] * sines[k - j] * j for j in range(1, k + 1) if a[j] is not ZERO]) * fmpq(sign, k)
        sines.append(sine)
        cosines.append(cosine)
    return Taylor(series.level, sines), Taylor(series.level, cosines)


def power(series: Taylor, exponent: Value, value: Callable[[Value, Value], Value]) -> Taylor:
    """The series raised to an exponent that is constant in its quantity; `value` raises a coefficient."""
    a = series.coefficients
    b = [value(a[0], exponent)]
    inverse = value(a[0], acb(-1))
    for k in range(1, len(a)):
        terms = [a[j] * b[k - j] * (exponent * j - (k - j)) for j in range(1, k + 1) if a[j] is not ZERO]
        b.append(_sum(terms) * inverse * fmpq(1, k))
    return Taylor(series.level, b)


def coefficient(value: Value, level: int, order: int) -> Value:
    """A coefficient of a value in a quantity, which it need not depend on."""
    if isinstance(value, Taylor) and value.level == level:
        return value.coefficients[order]
    if isinstance(value, Taylor) and value.level > level:
        return Taylor(value.level, [coefficient(part, level, order) for part in value.coefficients])
    return value if order == 0 else ZERO


def head(value: Value) -> acb:
    """The leading coefficient of a value in all quantities."""
    while isinstance(value, Taylor):
        value = value.coefficients[0]
    return value


def leaves(value: Value) -> Iterable[acb]:
    """All coefficients of a value."""
    if isinstance(value, Taylor):
        for part in value.coefficients:
            yield from leaves(part)
    else:
        yield value


def count_coefficients(value: Value) -> int:
    """The number of coefficients of a value in all quantities."""
    return sum(map(count_coefficients, value.coefficients)) if isinstance(value, Taylor) else 1


def total_order(value: Value) -> int:
    """The highest total degree in which a value can be developed."""
    if not isinstance(value, Taylor):
        return 0
    return len(value.coefficients) - 1 + max(map(total_order, value.coefficients))


def _sum(terms: Sequence[Value]) -> Value:
    return sum(terms[1:], terms[0]) if terms else ZERO
