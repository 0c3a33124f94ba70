"""Upper bounds for the numbers in a result, estimated before SymPy computes it.

SymPy evaluates a power of two integers at once, so `10**(10**10)` would fill the memory before the size of the result
could be checked. The functions here take an existing expression and bound the integers that an operation on it gives.
"""

import math
from collections.abc import Mapping
from functools import lru_cache

from sympy import Add, Expr, I, Integer, Integral, Mul, Pow, Rational, S, cos, exp, log, sin
from sympy.core.basic import Basic

MAX_BITS = 4096.0
"""Maximum size of a computed integer; an equation of 350 LaTeX characters has integers of at most 1,163 bits."""

MAX_BITS_OF_EXPONENT = 64.0
"""Maximum size of an exponent; beyond it every constant is too large."""

SMALL_INTEGER = 1000
"""Maximum integer that counts as a small exponent, whatever the base."""

Size = tuple[float, float]
"""Upper bounds for log2 of numerator and denominator."""

UNIT: Size = (0.0, 0.0)
"""The size of 1."""

BITS_OF_E = math.log2(math.e)


class TooLargeError(ValueError):
    """An operation would compute an integer of more than `MAX_BITS` bits."""


def check_power(base: Expr, exponent: Expr) -> None:
    """Refuses a power whose evaluation would be too large.

    Raises:
        TooLargeError: `base**exponent` could evaluate to an integer of more than `MAX_BITS` bits, or is a constant
            beyond `2**MAX_BITS`.
    """
    _require(power_size(expression_size(base, {}), exponent, expression_size(exponent, {})))
    if exponent.is_number and base.is_number:
        _require_magnitude(_power_magnitude(magnitude(base), magnitude(exponent)))


def check_exponential(argument: Expr) -> None:
    """Refuses `exp(argument)` where it evaluates, as `exp(n*log(3))` does, to a power too large.

    Raises:
        TooLargeError: an integer of more than `MAX_BITS` bits could result, or a constant beyond `2**MAX_BITS`.
    """
    if argument.has(log):
        _require(power_size((BITS_OF_E, BITS_OF_E), argument, expression_size(argument, {})))
    if argument.is_number:
        _require_magnitude(_power_magnitude(BITS_OF_E, magnitude(argument)))


def check_constant(argument: Expr) -> None:
    """Refuses a constant that is too large for SymPy to evaluate numerically, which it does to simplify a function.

    Raises:
        TooLargeError: the constant is beyond `2**MAX_BITS`.
    """
    if argument.is_number:
        _require_magnitude(magnitude(argument))


def is_runaway_integral(part: Basic) -> bool:
    """Whether SymPy may take very long to find the mere properties of an integral.

    These are constant integrals, which it evaluates by numerical quadrature, and integrals with an infinite or
    undefined bound, which it tries to evaluate again and again.
    """
    # An indefinite integral depends on its variable, and SymPy takes long to say so.
    if not isinstance(part, Integral) or all(len(limit) == 1 for limit in part.limits):
        return False
    return bool(part.is_number) or any(bound.has(*_ENDLESS) for _, *bounds in part.limits for bound in bounds)


_ENDLESS = (S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.NaN)


@lru_cache(maxsize=20_000)
def magnitude(expression: Basic) -> float:
    """An upper bound for log2 of the absolute value of a constant, and of its inverse if that can be large."""
    if isinstance(expression, Rational):
        return max(_log2(abs(expression.p)), _log2(expression.q))
    parts = [magnitude(part) for part in expression.args]
    if not parts:
        return 2.0  # pi, e and i
    if isinstance(expression, Add):
        return max(parts) + math.log2(len(parts))
    if isinstance(expression, Mul):
        return sum(parts)
    if isinstance(expression, Pow):
        return _power_magnitude(*parts)
    if isinstance(expression, log):
        return math.log2(1 + parts[0]) if parts[0] < math.inf else math.inf
    if isinstance(expression, exp):
        return _power_magnitude(BITS_OF_E, parts[0])
    if isinstance(expression, sin | cos) and not expression.has(I):
        return max(parts)  # at most 1, but computed from all bits of the argument
    # The fastest growing of the other functions grow like the exponential of the square.
    return _power_magnitude(BITS_OF_E, 2 * max(parts))


def _power_magnitude(base: float, exponent: float) -> float:
    return (1 + base) * 2.0**exponent if exponent < MAX_BITS_OF_EXPONENT else math.inf


def _require_magnitude(bits: float) -> None:
    if bits > MAX_BITS:
        raise TooLargeError(f"a constant would be beyond 2**{MAX_BITS:.0f}")


def check_expression(expression: Expr, sizes: Mapping[Basic, Size]) -> None:
    """Refuses an expression whose evaluation would be too large once the keys of `sizes` are replaced.

    Raises:
        TooLargeError: some integer in it could exceed `MAX_BITS` bits.
    """
    _require(expression_size(expression, sizes))


@lru_cache(maxsize=20_000)
def tower_height(expression: Basic) -> float:
    """The number of stacked exponents other than small integers.

    A power of a power counts a quarter, because its exponents are multiplied and not raised to each other.
    """
    if isinstance(expression, Integer):
        return 1.0 if abs(expression.p) > SMALL_INTEGER else 0.0
    if not isinstance(expression, Pow):
        return max((tower_height(part) for part in expression.args), default=0.0)
    base, exponent = (tower_height(part) for part in expression.args)
    if isinstance(expression.exp, Integer) and exponent == 0:
        return base
    return max(base + 0.25, 1 + exponent)


def expression_size(expression: Basic, sizes: Mapping[Basic, Size]) -> Size:
    """Bounds the numerator and denominator of an expression in case everything but numbers cancels.

    Unknown factors count as 1, which remains after they cancel (`3*x/x`). The bound covers the largest number at any
    depth, so it covers a huge exponent wherever it stands.
    """
    if expression in sizes:
        return sizes[expression]
    if isinstance(expression, Rational):
        return (_log2(abs(expression.p)), _log2(expression.q))
    if not expression.args:
        return UNIT
    parts = [expression_size(part, sizes) for part in expression.args]
    if isinstance(expression, Add):
        denominator = sum(part[1] for part in parts)
        return (_log2_of_sum([part[0] for part in parts]) + denominator, denominator)
    if isinstance(expression, Mul):
        return (sum(part[0] for part in parts), sum(part[1] for part in parts))
    if isinstance(expression, Pow):
        return power_size(parts[0], expression.exp, parts[1])
    if isinstance(expression, exp):
        # SymPy evaluates exp(n*log(3)) to 3**n, and nothing that has no logarithm.
        return power_size((BITS_OF_E, BITS_OF_E), expression.exp, parts[0]) if expression.has(log) else UNIT
    return (max(part[0] for part in parts), max(part[1] for part in parts))


def power_size(base: Size, exponent: Expr, exponent_size: Size) -> Size:
    """The size of a power, from the sizes of its base and exponent."""
    height = max(base)
    if height == 0:
        return exponent_size if max(exponent_size) > MAX_BITS else UNIT
    if exponent_size[0] > math.log2(MAX_BITS):
        raise TooLargeError(f"a power would have more than {MAX_BITS:.0f} bits")
    factor = 2.0 ** exponent_size[0]
    if isinstance(exponent, Integer) and exponent.p > 0:
        return (base[0] * factor, base[1] * factor)
    return (height * factor, height * factor)


def _require(size: Size) -> None:
    if max(size) > MAX_BITS:
        raise TooLargeError(f"an integer would have more than {MAX_BITS:.0f} bits")


def _log2(value: int) -> float:
    return math.log2(value) if value > 1 else 0.0


def _log2_of_sum(exponents: list[float]) -> float:
    largest = max(exponents)
    if largest == math.inf:
        return math.inf
    return largest + math.log2(sum(2.0 ** (exponent - largest) for exponent in exponents))
