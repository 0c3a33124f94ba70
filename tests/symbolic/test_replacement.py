"""Our walk to a replacement against SymPy's `subs`."""

from itertools import permutations

from sympy import Function, Integral, Symbol, cos, exp

from mathderive.symbolic.renaming import names_of
from mathderive.symbolic.replacement import replace

x, y, z = (Symbol(name) for name in "xyz")
f = Function("f")


def test_it_replaces_what_sympy_replaces(sampled):
    """Every side of a derivation in every other equation of it."""
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


def test_what_counts_as_an_occurrence_is_sympys():
    assert replace(x + y + z, x + y, f(z)) == f(z) + z
    assert replace(exp(4 * x), exp(2 * x), y) == y**2
    assert replace(Integral(x * y, (x, 0, 1)), x, z) == Integral(x * y, (x, 0, 1))
    assert replace(cos(x), y, z) == cos(x)
