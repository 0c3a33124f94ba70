"""The elementary functions on arrays and power series, on principal branches.

A negative number that came out with an imaginary part of rounding error is taken for real, so that the same number
reached in two ways has the same logarithm.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mathderive.checker.numeric.taylor import Array, Taylor, UnsupportedError, Value, compose, exponential, power

ROUNDING = 1e-13
"""The relative imaginary part that is taken for rounding error before a logarithm."""

MAX_REPEATED = 64
"""Natural powers up to this one are computed by multiplication."""


def raise_to(base: Value, exponent: Value) -> Value:
    """`base**exponent`; an exponent that varies makes it an exponential."""
    if isinstance(exponent, Taylor) and (not isinstance(base, Taylor) or exponent.level >= base.level):
        return exp(exponent * log(base))
    if not isinstance(base, Taylor):
        return _power(_settled(base), np.asarray(exponent, complex))
    constant = _constant(exponent)
    if constant is not None and constant == round(constant) and 0 <= constant <= MAX_REPEATED:
        return _repeated(base, round(constant))
    return power(base, exponent, raise_to)


def _power(base: Array, exponent: Array) -> Array:
    zero = base == 0
    if not zero.any():
        return np.asarray(np.power(base, exponent), complex)
    of_zero = np.where(exponent == 0, 1.0, np.where(exponent.real > 0, 0.0, np.inf))
    return np.where(zero, of_zero, np.power(np.where(zero, 1.0, base), exponent))


def exp(value: Value) -> Value:
    return exponential(value, exp) if isinstance(value, Taylor) else np.exp(np.asarray(value, complex))


def log(value: Value) -> Value:
    if isinstance(value, Taylor):
        return compose(value, log, _reciprocal)
    return np.log(_settled(value))


def sin(value: Value) -> Value:
    return compose(value, sin, cos) if isinstance(value, Taylor) else np.sin(np.asarray(value, complex))


def cos(value: Value) -> Value:
    if isinstance(value, Taylor):
        return compose(value, cos, lambda part: -sin(part))
    return np.cos(np.asarray(value, complex))


def _reciprocal(value: Value) -> Value:
    return raise_to(value, -1.0)  # type: ignore[arg-type]


def _square(value: Value) -> Value:
    return value * value


def _repeated(base: Taylor, exponent: int) -> Value:
    result: Value = np.ones(1, complex)
    for _ in range(exponent):
        result = result * base
    return result


def _constant(value: Value) -> float | None:
    """The real number that a value is everywhere, if it is one."""
    if isinstance(value, Taylor):
        return None
    array = np.asarray(value)
    first = complex(array.flat[0])
    return first.real if first.imag == 0 and np.isfinite(first.real) and bool(np.all(array == first)) else None


def _settled(value: Any) -> Array:
    """An imaginary part of rounding error, or of negative zero, becomes zero."""
    array = np.asarray(value, complex)
    return np.where(np.abs(array.imag) <= ROUNDING * np.abs(array.real), array.real + 0j, array)


def _on_arrays(
    function: Callable[[Array], Any], derivative: Callable[[Value], Value] | None = None
) -> Callable[[Value], Value]:
    """A function that series go through by its derivative."""

    def apply(value: Value) -> Value:
        if not isinstance(value, Taylor):
            return np.asarray(function(_settled(value)), complex)
        if derivative is None:
            raise UnsupportedError("the derivative of what has none")
        return compose(value, apply, derivative)

    return apply


def _inverse_root(sign: float, of: float = 1.0) -> Callable[[Value], Value]:
    """`(of + sign*x**2)**(-1/2)`."""
    return lambda value: raise_to(of + sign * _square(value), -0.5)  # type: ignore[arg-type]


def _special(name: str) -> Callable[[Array], Any]:
    """A function of `scipy.special`, which is loaded when one is first called: few derivations need it, and loading it
    would take a fifth of the time in which a checking process starts."""

    def apply(array: Array) -> Any:
        from scipy import special

        return getattr(special, name)(array)

    return apply


_SLOPE_OF_ERF = 2 / np.sqrt(np.pi)

FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": lambda value: sin(value) * _reciprocal(cos(value)),
    "cot": lambda value: cos(value) * _reciprocal(sin(value)),
    "sec": lambda value: _reciprocal(cos(value)),
    "csc": lambda value: _reciprocal(sin(value)),
    "sinh": lambda value: (exp(value) - exp(-value)) * 0.5,
    "cosh": lambda value: (exp(value) + exp(-value)) * 0.5,
    "tanh": lambda value: (exp(value) - exp(-value)) * _reciprocal(exp(value) + exp(-value)),
    "coth": lambda value: (exp(value) + exp(-value)) * _reciprocal(exp(value) - exp(-value)),
    "asin": _on_arrays(np.arcsin, _inverse_root(-1.0)),
    "acos": _on_arrays(np.arccos, lambda value: -_inverse_root(-1.0)(value)),
    "atan": _on_arrays(np.arctan, lambda value: _reciprocal(1.0 + _square(value))),
    "acot": _on_arrays(lambda array: np.arctan(1 / array), lambda value: -_reciprocal(1.0 + _square(value))),
    "asinh": _on_arrays(np.arcsinh, _inverse_root(1.0)),
    "acosh": _on_arrays(np.arccosh, lambda value: raise_to(value - 1.0, -0.5) * raise_to(value + 1.0, -0.5)),  # type: ignore[arg-type]
    "atanh": _on_arrays(np.arctanh, lambda value: _reciprocal(1.0 - _square(value))),
    "Abs": _on_arrays(np.abs),
    "sign": _on_arrays(lambda array: array / np.abs(array)),
    "re": _on_arrays(np.real),
    "im": _on_arrays(np.imag),
    "arg": _on_arrays(np.angle),
    "erf": _on_arrays(_special("erf"), lambda value: _SLOPE_OF_ERF * exp(-_square(value))),
    "erfi": _on_arrays(_special("erfi"), lambda value: _SLOPE_OF_ERF * exp(_square(value))),
    "Ei": _on_arrays(_special("expi"), lambda value: exp(value) * _reciprocal(value)),
    "Si": _on_arrays(lambda array: _special("sici")(array)[0], lambda value: sin(value) * _reciprocal(value)),
    "Ci": _on_arrays(lambda array: _special("sici")(array)[1], lambda value: cos(value) * _reciprocal(value)),
    "li": _on_arrays(lambda array: _special("expi")(np.log(array)), lambda value: _reciprocal(log(value))),
}
"""Every function that a derivation may mention, by SymPy's name for it."""
