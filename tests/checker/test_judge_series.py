"""The power series of the judge have Taylor's coefficients."""

from collections.abc import Callable
from typing import Any

import pytest
from mpmath import mp

from tests.validity_corpus import series


@pytest.mark.parametrize(
    "function",
    [
        lambda t: t.exp(),
        lambda t: t.log(),
        lambda t: t.reciprocal(),
        lambda t: t.power(mp.mpf("0.5")),
        lambda t: t.cos_and_sin()[0],
        lambda t: t.cos_and_sin()[1],
        lambda t: t.natural_power(3),
    ],
    ids=["exp", "log", "reciprocal", "sqrt", "cos", "sin", "cube"],
)
def test_series_are_taylors(function: Callable[[series.Series], series.Series]) -> None:
    """Of `F(u*v + u)` in two variables, against mpmath's derivatives of the function on the line v = v0 + 2(u - u0)."""
    with mp.workdps(40):
        start = mp.mpc("0.6", "0.3")
        u, v = series.variable(2, 6, 0, start), series.variable(2, 6, 1, start)
        found = function(u * v + u)
        on_line = [
            sum(c * 2 ** exponents[1] for exponents, c in zip(series.monomials(2, n), part or (), strict=False))
            for n, part in enumerate(found.parts)
        ]

        def plain(t: Any) -> Any:
            value = series.Series(0, [[(start + t) * (start + 2 * t) + start + t]])
            return function(value).value

        assert all(abs(a - b) < 1e-20 for a, b in zip(on_line, mp.taylor(plain, 0, 6), strict=True))


def test_series_undo_each_other() -> None:
    with mp.workdps(40):
        u, v = (series.variable(2, 5, axis, mp.mpc("0.7", "0.2")) for axis in range(2))
        w = (u * v).cos_and_sin()[1] + v
        assert (w.antiderivative(0).derivative(0) - w).norm() < 1e-35
        assert (w.derivative(1).antiderivative(1) - (w - w.coefficient_of(1, 0))).norm() < 1e-35
        assert (w.log().exp() - w).norm() < 1e-35
