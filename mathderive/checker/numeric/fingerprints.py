"""Expressions as numbers at a few random points, in two ways.

`Fingerprints` take a derivative, an integral or an undefined function for an unknown: each gets a number that depends
on what is inside it and on nothing else. So two expressions have the same fingerprint where algebra and the elementary
functions' own laws make them equal, whatever the unknowns stand for. `Evaluator` carries derivatives and integrals out.

Names have positive values around 1, each always the same ones, where the branches of powers and logarithms that people
compute with are the principal ones.
"""

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from sympy import Add, Derivative, Expr, Integral, Mul, Pow, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef
from sympy.core.numbers import NumberSymbol

from mathderive.checker.numeric.functions import FUNCTIONS, raise_to
from mathderive.checker.numeric.taylor import Array

POINTS = 5
"""Of a fingerprint."""

TOLERANCE = 1e-9
"""Relative to the largest term of what is compared."""

LOW, HIGH = 0.4, 1.7
"""Between these lie the values of names."""

MAX_REMEMBERED = 50_000


class Fingerprint(NamedTuple):
    """Values at the points, and how large the terms were that they were added up from."""

    values: Array
    scale: Array


def rng_of(text: str) -> np.random.Generator:
    """A stream of random numbers that depends on a text alone."""
    return np.random.Generator(np.random.Philox(key=zlib.crc32(text.encode())))


def close(first: Fingerprint, second: Fingerprint) -> bool:
    """Whether two fingerprints are one, but for rounding."""
    return _vanishes(first.values - second.values, first.scale + second.scale)


def times(first: Fingerprint, second: Fingerprint) -> Fingerprint:
    return Fingerprint(first.values * second.values, first.scale * second.scale)


def minus(first: Fingerprint, second: Fingerprint) -> Fingerprint:
    return Fingerprint(first.values - second.values, first.scale + second.scale)


def is_zero(fingerprint: Fingerprint) -> bool:
    return _vanishes(fingerprint.values, fingerprint.scale)


def _vanishes(difference: Array, scale: Array) -> bool:
    # With NaN and infinity nothing is close.
    return bool((np.abs(difference) <= TOLERANCE * scale).all() and np.isfinite(scale).all())


def fingerprint(expression: Expr) -> Fingerprint:
    """The fingerprint of an expression, remembered."""
    found = _remembered.get(expression)
    if found is None:
        if len(_remembered) > MAX_REMEMBERED:
            _remembered.clear()
        with np.errstate(all="ignore"):
            found = _remembered[expression] = _compute(expression)
    return found


_NO_NUMBERS = (S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN)

_remembered: dict[Basic, Fingerprint] = {}


def _compute(node: Expr) -> Fingerprint:
    if isinstance(node, Add):
        parts = [fingerprint(part) for part in node.args]
        return Fingerprint(
            np.sum([part.values for part in parts], axis=0), np.max([part.scale for part in parts], axis=0)
        )
    if isinstance(node, Mul):
        result = fingerprint(node.args[0])
        for part in node.args[1:]:
            result = times(result, fingerprint(part))
        return result
    if isinstance(node, Pow):
        return _exact(raise_to(fingerprint(node.base).values, fingerprint(node.exp).values))
    if node in _NO_NUMBERS:
        return _unknown(str(node), [])
    if node.is_Number or isinstance(node, NumberSymbol):
        return _exact(np.full(POINTS, _number(node)))
    if node is S.ImaginaryUnit:
        return _exact(np.full(POINTS, 1j))
    if isinstance(node, Symbol):
        return _exact(values_of_name(node.name, POINTS))
    if isinstance(node, Derivative):
        return of_derivative(fingerprint(node.expr), counts_of(node))
    if isinstance(node, Integral):
        return of_integral(fingerprint(node.function), node.limits)
    if isinstance(node, AppliedUndef):
        return _unknown(f"function {node.func.__name__}", [fingerprint(part).values for part in node.args])
    name = node.func.__name__
    if name in FUNCTIONS and len(node.args) == 1:
        return _exact(FUNCTIONS[name](fingerprint(node.args[0]).values))
    return _unknown(f"{name} {node if not node.args else ''}", [fingerprint(part).values for part in node.args])


def _exact(values: Any) -> Fingerprint:
    return Fingerprint(values, np.abs(values))


def _number(node: Expr) -> complex:
    try:
        return complex(node)
    except OverflowError:
        return complex(np.inf)


def values_of_name(name: str, count: int, draw: int = 0) -> Array:
    """A name's values; another `draw` gives others."""
    return rng_of(f"{name} {draw}").uniform(LOW, HIGH, count).astype(complex)


def counts_of(derivative: Derivative) -> dict[Basic, Expr]:
    """How often it is taken by each variable; SymPy may have one in several places."""
    counts: dict[Basic, Expr] = {}
    for variable, count in derivative.variable_count:
        counts[variable] = counts.get(variable, S.Zero) + count
    return counts


def of_derivative(inner: Fingerprint, counts: Mapping[Basic, Expr]) -> Fingerprint:
    """The fingerprint of the derivative of what has the fingerprint `inner`."""
    if not counts:
        return inner
    variables = [fingerprint(variable).values * fingerprint(count).values for variable, count in counts.items()]
    return _unknown("derivative", [inner.values, np.sum(variables, axis=0)])


def of_integral(inner: Fingerprint, limits: Any) -> Fingerprint:
    """The fingerprint of the integral, by what each limit says, of what has the fingerprint `inner`."""
    if not limits:
        return inner
    variables: Array = np.zeros(POINTS, complex)
    bounds = []
    for variable, *ends in limits:
        variables = variables + fingerprint(variable).values
        bounds += [fingerprint(end).values for end in ends]
    return _unknown(f"integral {len(bounds)}", [inner.values, variables, *bounds])


def _unknown(kind: str, parts: list[Array]) -> Fingerprint:
    """Positive values that change smoothly with all the parts' values at all points, so that rounding stays small."""
    if not parts:
        return _exact(values_of_name(kind, POINTS))
    weights, phases = _weights(kind, len(parts))
    inside = np.array(parts)
    mixed = np.arcsinh(inside.real) * weights[0] + np.arcsinh(inside.imag) * weights[1]
    return _exact(1.05 + 0.6 * np.sin(mixed.sum() * phases[0] + phases[1]) + 0j)


_known_weights: dict[tuple[str, int], tuple[Any, Any]] = {}


def _weights(kind: str, count: int) -> tuple[Any, Any]:
    if (kind, count) not in _known_weights:
        if len(_known_weights) > MAX_REMEMBERED:
            _known_weights.clear()
        rng = rng_of(f"{kind} of {count}")
        _known_weights[kind, count] = (rng.uniform(0.3, 1.7, (2, count, POINTS)), rng.uniform(0.5, 1.5, (2, POINTS)))
    return _known_weights[kind, count]
