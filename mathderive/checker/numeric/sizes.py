"""The sizes of numbers, which tell how many digits a computation may have lost."""

import math

from flint import acb, arb, ctx

from mathderive.checker.numeric.taylor import ZERO

GUARD = 128
"""Bits of precision beyond those that numbers of different sizes may cancel."""

CANCELLED = 8
"""Bits that may cancel for each bit of the largest size."""

SATURATING = ("tanh", "coth", "erf")
"""Functions that approach their limits exponentially."""

INFINITE = 2**40
"""The size of a value that has lost all its digits."""


def saturation(name: str, argument: acb) -> int:
    """The size of the exponential that separates a function's value from its limit."""
    size = log2(argument)
    if size is None or size <= 0:
        return 0
    return 2 ** min(40, 2 * size + 1 if name == "erf" else size + 2)


def is_precise(size: int) -> bool:
    """Whether the working precision exceeds what numbers up to this size may cancel."""
    return GUARD + CANCELLED * size <= ctx.prec


def vanishes(difference: acb, size: int) -> bool:
    """Whether a ball that contains 0 is taken for 0: no digits can have been lost on the way, and it is small enough.

    Args:
        size: the largest absolute binary logarithm of the numbers that it was computed from.
    """
    return is_precise(size) and bool(difference.abs_upper() < arb(2) ** -(40 + 2 * size))


def log2(value: acb) -> int | None:
    """The binary logarithm of a ball's absolute value, rounded; None for a ball that contains 0 or has no value."""
    if not value.is_finite() or value.contains(ZERO):
        return None
    size = abs(value)
    number = float(size)
    if 0 < number < math.inf:
        return math.frexp(number)[1]
    mantissa, exponent = size.mid().man_exp()
    return int(exponent) + int(mantissa.bit_length())
