"""Power series in ball arithmetic give the derivatives that SymPy and mpmath know."""

import math

import mpmath
import pytest
import sympy
from flint import acb, arb
from sympy import Derivative, Expr, Function, Integral, Symbol

from mathderive.checker.numeric.comparison import Comparer
from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.evaluator import Evaluator
from mathderive.checker.numeric.functions import FUNCTIONS, raise_to
from mathderive.checker.numeric.points import Point, Stream
from mathderive.checker.numeric.taylor import ONE, ZERO, Taylor, coefficient, head

x, y = Symbol("x"), Symbol("y")
STREAM = Stream(b"test")


def near(ball: acb, value: complex) -> bool:
    found = complex(float(ball.real.mid()), float(ball.imag.mid()))
    return abs(found - value) <= 1e-10 * max(1, abs(value))


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"conjugate", "factorial"}))
def test_every_function_has_its_derivatives(name: str) -> None:
    for place in (1.31, 1.62) if name in ("acosh", "li") else (0.27, 0.83):
        value = FUNCTIONS[name](Taylor(1, [acb(arb(place)), ONE, ZERO, ZERO]))
        for order in range(4):
            function = getattr(sympy, name)(Symbol("x", real=True))
            derivative = function.diff(Symbol("x", real=True), order) if order else function
            expected = complex(derivative.subs(Symbol("x", real=True), sympy.Float(place, 40)).doit().evalf(25))
            found = head(coefficient(value, 1, order)) * math.factorial(order)
            assert near(found, expected), order


def test_a_power_of_itself() -> None:
    for place in (0.3, 0.7):
        series = Taylor(1, [acb(arb(place)), ONE, ZERO])
        value = raise_to(series, series)
        for order in range(3):
            expected = complex((x**x).diff(x, order).subs(x, place)) if order else place**place
            assert near(head(coefficient(value, 1, order)) * math.factorial(order), expected)


def test_derivatives_within_derivatives_are_kept_apart() -> None:
    """d/dx (x * d/dy (x*y + x)) at y = x: mistaking one small quantity for the other gives 3x, not 2x."""
    inner = Derivative(x * y**2, y, evaluate=False)
    assert agrees(Derivative(x * inner, x, evaluate=False), 4 * x * y)
    f = Function("f")
    definitions = Definitions()
    definitions.define(f(x), Derivative(x**3, x, evaluate=False))
    assert Comparer(definitions, STREAM).compare(Derivative(f(x), x), 6 * x).holds


EXPRESSIONS = [
    (Derivative(sympy.sin(x * y) ** 2 * sympy.exp(x / y), x, x, y, evaluate=False), None),
    (Derivative((-sympy.sin(x)) ** x, x, evaluate=False), None),
    (Derivative(sympy.log(-sympy.cos(x) * y), x, evaluate=False), None),
    (Integral(sympy.exp(x) * sympy.cos(y), (x, 0, y)), (sympy.exp(y) - 1) * sympy.cos(y)),
    (Integral(x * y, (x, 0, y), (y, 0, 1)), sympy.Rational(1, 8)),
    (Derivative(Integral(sympy.cos(x * y), (x, 0, 1)), y, evaluate=False), (sympy.sin(y) / y).diff(y)),
]


@pytest.mark.parametrize(("expression", "value"), EXPRESSIONS)
def test_derivatives_and_integrals_are_carried_out(expression: Expr, value: Expr | None) -> None:
    assert agrees(expression, expression.doit() if value is None else value)


def test_an_integral_that_has_no_closed_form() -> None:
    definite = Integral(sympy.sin(x**2 * y) / (x + 1), (x, 0, 2))
    point = Point(b"test", 0)
    place = float(point.value("y").real.mid())
    expected = mpmath.quad(lambda t: mpmath.sin(t**2 * place) / (t + 1), [0, 1, 2])
    assert near(head(Evaluator(Definitions(), point).value(definite)), complex(expected))


def agrees(first: Expr, second: Expr) -> bool:
    """Whether two expressions have the same values."""
    return bool(Comparer(Definitions(), STREAM).compare(first, second).holds)


DIFFERENT = [
    (sympy.tanh(10**6 * x), sympy.Integer(1)),
    (sympy.exp(-1000 * x), sympy.Integer(0)),
    (sympy.exp(-sympy.exp(sympy.exp(x))), sympy.Integer(0)),
    (10**30 + sympy.sin(x), 10**30 + sympy.cos(x)),
    ((10**200 + sympy.sin(x)) ** 2, (10**200 + sympy.cos(x)) ** 2),
    (sympy.cos(sympy.Rational(1, 10**40) * x), sympy.Integer(1)),
    (sympy.sqrt(2), sympy.Rational(14142135623730950488016887242096980785696718753769, 10**49)),
    (x**2000, x**1000),
    (Symbol("a_{hJDo3VPY}"), Symbol("a_{2buFs1QO}")),
    (sympy.sign(x - 1), sympy.Integer(-1)),
    (sympy.sqrt((x - y) ** 2), x - y),
]


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_what_differs_little_or_somewhere_is_not_called_equal(first: Expr, second: Expr) -> None:
    assert not agrees(first, second)


def test_points_depend_on_the_key_and_on_nothing_else() -> None:
    first, again, other = (Point(key, 2).value("x") for key in (b"a", b"a", b"b"))
    assert first == again
    assert first != other
