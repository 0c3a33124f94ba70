"""Fingerprints: values of an expression at a few random points, with derivatives and integrals left as unknowns.

Each derivative, integral or undefined function gets a number that depends only on its parts. So two expressions have
the same fingerprint if algebra and the laws of the elementary functions make them equal. `Evaluator` in contrast
carries derivatives and integrals out.

Each name has fixed positive values around 1, where the usual branches of powers and logarithms are the principal ones.
"""

from cmath import isfinite
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from sympy import Derivative, Expr, Integral, S, Symbol
from sympy.core.basic import Basic
from sympy.core.function import AppliedUndef

from mathderive.checker.numeric.array_functions import FUNCTIONS, Array, Reals, raise_to
from mathderive.checker.numeric.dispatch import NodeEvaluator

POINTS = 5
"""The number of points of a fingerprint."""

TOLERANCE = 1e-9
"""Maximum distance of equal values, relative to the largest term."""

LOW, HIGH = 0.4, 1.7
"""Bounds of the values of names."""

MAX_REMEMBERED = 50_000


class Fingerprint(NamedTuple):
    """Values at the points, and the size of the terms that were added up."""

    values: Array
    scale: Reals

    @property
    def is_finite(self) -> bool:
        """Whether there is a value at every point."""
        return all(map(isfinite, self.values.tolist()))


def rng_of(text: str) -> np.random.Generator:
    """A stream of random numbers that depends only on a text."""
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "big")))


def close(first: Fingerprint, second: Fingerprint) -> bool:
    """Whether two fingerprints are the same apart from rounding."""
    difference = first.values.item(0) - second.values.item(0)
    if _is_larger(difference, first.scale.item(0) + second.scale.item(0)):
        return False
    return _vanishes(first.values - second.values, first.scale + second.scale)


def products_close(one: tuple[Fingerprint, Fingerprint], other: tuple[Fingerprint, Fingerprint]) -> bool:
    """Whether the products of two pairs of fingerprints are the same apart from rounding."""
    (a, b), (c, d) = one, other
    difference = a.values.item(0) * b.values.item(0) - c.values.item(0) * d.values.item(0)
    if _is_larger(difference, a.scale.item(0) * b.scale.item(0) + c.scale.item(0) * d.scale.item(0)):
        return False
    return close(times(a, b), times(c, d))


def times(first: Fingerprint, second: Fingerprint) -> Fingerprint:
    return Fingerprint(first.values * second.values, first.scale * second.scale)


def minus(first: Fingerprint, second: Fingerprint) -> Fingerprint:
    return Fingerprint(first.values - second.values, first.scale + second.scale)


def is_zero(fingerprint: Fingerprint) -> bool:
    return _vanishes(fingerprint.values, fingerprint.scale)


def _is_larger(difference: complex, scale: float) -> bool:
    """Whether values differ at the first point; most do, and numbers tell that ten times as fast as arrays."""
    bound = TOLERANCE * scale
    return abs(difference.real) > bound or abs(difference.imag) > bound


def _vanishes(difference: Array, scale: Reals) -> bool:
    # With NaN and infinity nothing is close.
    return bool((np.abs(difference) <= TOLERANCE * scale).all() and np.isfinite(scale).all())


def fingerprint(expression: Basic) -> Fingerprint:
    """The fingerprint of an expression, remembered."""
    found = _remembered.get(expression)
    if found is None:
        if len(_remembered) > MAX_REMEMBERED:
            _remembered.clear()
        with np.errstate(all="ignore"):
            found = _remembered[expression] = _FINGERPRINTER.compute(expression, None)
    return found


_NO_NUMBERS = (S.ComplexInfinity, S.Infinity, S.NegativeInfinity, S.NaN)

_remembered: dict[Basic, Fingerprint] = {}


class _Fingerprinter(NodeEvaluator[Fingerprint, None]):
    """Takes derivatives, integrals and undefined functions for unknowns."""

    def evaluate(self, node: Basic, scope: None) -> Fingerprint:
        return fingerprint(node)

    def compute(self, node: Basic, scope: None) -> Fingerprint:
        return _unknown(str(node), []) if node in _NO_NUMBERS else super().compute(node, scope)

    def add(self, terms: Sequence[Fingerprint]) -> Fingerprint:
        return Fingerprint(
            np.sum([term.values for term in terms], axis=0), np.max([term.scale for term in terms], axis=0)
        )

    def multiply(self, factors: Sequence[Fingerprint]) -> Fingerprint:
        result, *rest = factors
        for factor in rest:
            result = times(result, factor)
        return result

    def power(self, base: Fingerprint, exponent: Fingerprint) -> Fingerprint:
        return exact(raise_to(base.values, exponent.values))

    def number(self, node: Basic) -> Fingerprint:
        return exact(np.full(POINTS, _complex(node)))

    def symbol(self, node: Symbol, scope: None) -> Fingerprint:
        return exact(values_of_name(node.name, POINTS))

    def derivative(self, node: Derivative, scope: None) -> Fingerprint:
        return of_derivative(fingerprint(node.expr), counts_of(node))

    def integral(self, node: Integral, scope: None) -> Fingerprint:
        return of_integral(fingerprint(node.function), node.limits)

    def application(self, node: AppliedUndef, scope: None) -> Fingerprint:
        return _unknown(f"function {node.func.__name__}", [fingerprint(part).values for part in node.args])

    def function(self, node: Expr, scope: None) -> Fingerprint:
        name = node.func.__name__
        if name in FUNCTIONS and len(node.args) == 1:
            return exact(FUNCTIONS[name](fingerprint(node.args[0]).values))
        return _unknown(f"{name} {node if not node.args else ''}", [fingerprint(part).values for part in node.args])


_FINGERPRINTER = _Fingerprinter()


def exact(values: Any) -> Fingerprint:
    """The fingerprint of values that are no sums."""
    return Fingerprint(values, np.abs(values))


def _complex(node: Basic) -> complex:
    try:
        return complex(node)
    except OverflowError:
        return complex("inf")


def values_of_name(name: str, count: int, draw: int = 0) -> Array:
    """The values of a name; another `draw` gives other values."""
    return rng_of(f"{name} {draw}").uniform(LOW, HIGH, count).astype(complex)


def counts_of(derivative: Derivative) -> dict[Basic, Expr]:
    """The order of a derivative by each variable; SymPy may list a variable several times."""
    counts: dict[Basic, Expr] = {}
    for variable, count in derivative.variable_count:
        counts[variable] = counts.get(variable, S.Zero) + count
    return counts


def of_derivative(inner: Fingerprint, counts: Mapping[Basic, Expr]) -> Fingerprint:
    """The fingerprint of a derivative, given the fingerprint of its expression."""
    if not counts:
        return inner
    variables = [fingerprint(variable).values * fingerprint(count).values for variable, count in counts.items()]
    return _unknown("derivative", [inner.values, np.sum(variables, axis=0)])


def of_integral(inner: Fingerprint, limits: Any) -> Fingerprint:
    """The fingerprint of an integral with these limits, given the fingerprint of its integrand."""
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
        return exact(values_of_name(kind, POINTS))
    weights, phases = _weights(kind, len(parts))
    inside = np.array(parts)
    mixed = np.arcsinh(inside.real) * weights[0] + np.arcsinh(inside.imag) * weights[1]
    return exact(1.05 + 0.6 * np.sin(mixed.sum() * phases[0] + phases[1]) + 0j)


_known_weights: dict[tuple[str, int], tuple[Any, Any]] = {}


def _weights(kind: str, count: int) -> tuple[Any, Any]:
    if (kind, count) not in _known_weights:
        if len(_known_weights) > MAX_REMEMBERED:
            _known_weights.clear()
        rng = rng_of(f"{kind} of {count}")
        _known_weights[kind, count] = (rng.uniform(0.3, 1.7, (2, count, POINTS)), rng.uniform(0.5, 1.5, (2, POINTS)))
    return _known_weights[kind, count]
