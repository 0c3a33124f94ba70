"""Our walk to a replacement against SymPy's `subs`."""

from itertools import permutations

import pytest
from sympy import Derivative, Expr, Function, Integer, Integral, Symbol, cos, exp, log

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.fast.replacement import replace
from mathderive.symbolic.names import names_of

x, y, z = (Symbol(name) for name in "xyz")
f = Function("f")


def test_it_replaces_like_sympy(sampled: list[Derivation]) -> None:
    """Replaces the sides of each equation of a derivation in all its other equations."""
    replaced = 0
    for derivation in sampled:
        for equation, rule in permutations(derivation.equations, 2):
            for side in equation.args:
                for old, new in (rule.args, rule.args[::-1]):
                    if names_of(old) <= names_of(side):
                        result = replace(side, old, new)
                        assert result == side.subs(old, new)
                        replaced += result != side
    assert replaced > 1000


def test_occurrences_are_those_of_sympy() -> None:
    assert replace(x + y + z, x + y, f(z)) == f(z) + z
    assert replace(exp(4 * x), exp(2 * x), y) == y**2
    assert replace(Integral(x * y, (x, 0, 1)), x, z) == Integral(x * y, (x, 0, 1))
    assert replace(cos(x), y, z) == cos(x)


def test_a_power_does_not_count_as_a_power_of_an_integral_of_zero() -> None:
    nothing = Integral(0, x)
    assert ((1 + f(z)) ** x).subs(nothing**x, y) == 1, "SymPy has fixed its error"
    assert replace((1 + f(x)) ** x, nothing**x, y) == (1 + f(x)) ** x
    assert replace(nothing**x + z, nothing**x, y) == y + z


def test_a_replacement_that_would_not_end_is_refused() -> None:
    with pytest.raises(RecursionError):
        replace(Derivative(f(x), (x, x + 2)), x, x + y)
    other_order = Derivative(f(x), (x, y + 2))
    assert replace(other_order, x, x + y) == other_order.subs(x, x + y)


@pytest.mark.parametrize(
    ("node", "old", "new"),
    [
        (4 * x * y * z, 2 * x * y, z),
        (-x * y, x * y, z),
        (-3 * x * y, -x * y, z),
        (x**2 * y**3, x * y, z),
        (x * y / (z * cos(x * y)), x * y, z),
        (f(z) / (x * y), x * y, f(x)),
        (x ** (3 * y) * z, x**y * z, f(x)),
        (exp(2 * x) * cos(exp(x) * y), exp(x) * y, z),
        (4**x + z, 2**x, y),
        (x ** (2 * y + z), x**y, f(z)),
        (Derivative(log(x), x), 1 / x, f(x)),
        (Derivative(x * y, x), x * y, f(x)),
        (Derivative(f(y), y), f(y), x * y),
        (Derivative(f(x, y), x, y), Derivative(f(x, y), x), cos(z)),
        (Derivative(f(x, y), x, y), x, z),
        (Derivative(f(x, z), x), Integer(1), y),
    ],
)
def test_products_powers_and_derivatives(node: Expr, old: Expr, new: Expr) -> None:
    assert replace(node, old, new) == node.subs(old, new)
    assert replace(node, old, new) != node
