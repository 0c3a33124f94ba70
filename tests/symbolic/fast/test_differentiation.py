"""The rules give the same derivatives as SymPy's `diff`, in the same form."""

from sympy import Derivative, Function, Symbol, exp, tan

from mathderive.symbolic.engine.derivation import Derivation
from mathderive.symbolic.fast.differentiation import differentiate
from mathderive.symbolic.parts import parts_of

x, y = Symbol("x"), Symbol("y")
f = Function("f")


def test_the_form_is_sympys(sampled: list[Derivation]) -> None:
    compared = 0
    for derivation in sampled[:30]:
        for equation in derivation.equations:
            for side in equation.args:
                for part in parts_of(side):
                    for variable in sorted(part.free_symbols & part.atoms(Symbol), key=str):
                        assert differentiate(part, variable) == part.diff(variable)
                        compared += 1
    assert compared > 1000


def test_mixed_derivatives_come_out_in_one_order() -> None:
    assert differentiate(f(x, y) * Derivative(f(x, y), y, x), x).has(Derivative(f(x, y), x, y))
    assert differentiate(x * Derivative(f(y), y), y) == x * Derivative(f(y), (y, 2))


def test_sympy_differentiates_expressions_without_a_rule() -> None:
    assert differentiate(tan(x) * exp(y), x) == (1 + tan(x) ** 2) * exp(y)
    assert differentiate(exp(y), x) == 0
