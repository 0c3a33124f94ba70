"""The elementary functions on arrays of complex numbers, on principal branches; for fingerprints.

A negative number with an imaginary part of rounding error is taken for real, so that the same number has the same
logarithm however it was computed.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.complex128]]
Reals = np.ndarray[Any, np.dtype[np.float64]]

ROUNDING = 1e-13
"""Maximum relative imaginary part that is taken for rounding error before a logarithm."""


def raise_to(base: Array, exponent: Array) -> Array:
    """`base**exponent`."""
    base, exponent = _settled(base), np.asarray(exponent, complex)
    zero = base == 0
    if not zero.any():
        return np.asarray(np.power(base, exponent), complex)
    of_zero = np.where(exponent == 0, 1.0, np.where(exponent.real > 0, 0.0, np.inf))
    return np.where(zero, of_zero, np.power(np.where(zero, 1.0, base), exponent))


def exp(value: Array) -> Array:
    return np.exp(np.asarray(value, complex))


def log(value: Array) -> Array:
    return np.log(_settled(value))


def sin(value: Array) -> Array:
    return np.sin(np.asarray(value, complex))


def cos(value: Array) -> Array:
    return np.cos(np.asarray(value, complex))


def _settled(value: Any) -> Array:
    """An imaginary part of rounding error, or of negative zero, becomes zero."""
    array = np.asarray(value, complex)
    return np.where(np.abs(array.imag) <= ROUNDING * np.abs(array.real), array.real + 0j, array)


def _on_arrays(function: Callable[[Array], Any]) -> Callable[[Array], Array]:
    return lambda value: np.asarray(function(_settled(value)), complex)


def _special(name: str) -> Callable[[Array], Any]:
    """A function of `scipy.special`, which is imported at the first call because few derivations need it."""

    def apply(array: Array) -> Any:
        from scipy import special

        return getattr(special, name)(array)

    return apply


FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "exp": exp,
    "log": log,
    "sin": sin,
    "cos": cos,
    "tan": lambda value: sin(value) / cos(value),
    "cot": lambda value: cos(value) / sin(value),
    "sec": lambda value: 1 / cos(value),
    "csc": lambda value: 1 / sin(value),
    "sinh": lambda value: (exp(value) - exp(-value)) * 0.5,
    "cosh": lambda value: (exp(value) + exp(-value)) * 0.5,
    "tanh": lambda value: (exp(value) - exp(-value)) / (exp(value) + exp(-value)),
    "coth": lambda value: (exp(value) + exp(-value)) / (exp(value) - exp(-value)),
    "asin": _on_arrays(np.arcsin),
    "acos": _on_arrays(np.arccos),
    "atan": _on_arrays(np.arctan),
    "acot": _on_arrays(lambda array: np.arctan(1 / array)),
    "asinh": _on_arrays(np.arcsinh),
    "acosh": _on_arrays(np.arccosh),
    "atanh": _on_arrays(np.arctanh),
    "Abs": _on_arrays(np.abs),
    "sign": _on_arrays(lambda array: array / np.abs(array)),
    "re": _on_arrays(np.real),
    "im": _on_arrays(np.imag),
    "arg": _on_arrays(np.angle),
    "erf": _on_arrays(_special("erf")),
    "erfi": _on_arrays(_special("erfi")),
    "Ei": _on_arrays(_special("expi")),
    "Si": _on_arrays(lambda array: _special("sici")(array)[0]),
    "Ci": _on_arrays(lambda array: _special("sici")(array)[1]),
    "li": _on_arrays(lambda array: _special("expi")(np.log(array))),
}
"""Every function that a derivation may mention, by SymPy's name."""
