"""The places where an expression passes through critical values."""

import math

import pytest
from sympy import Expr, Function, Symbol, cos, exp, log, sin, tan

from mathderive.checker.numeric.definitions import Definitions
from mathderive.checker.numeric.points import Stream
from mathderive.checker.numeric.scanning import between, critical_places
from mathderive.checker.numeric.taylor import UnsupportedError

x, y, z = Symbol("x"), Symbol("y"), Symbol("z")


def places(expression: Expr, *critical: complex, definitions: dict[Symbol, Expr] | None = None) -> list[float]:
    return critical_places(expression, x, Definitions(dict(definitions or {})), Stream(b"key").point(0), critical)[0]


@pytest.mark.parametrize(
    ("expression", "critical", "expected"),
    [
        (log(x) - 5, 0, [math.exp(5)]),
        ((exp(x) - 2) ** 2, 0, [math.log(2)]),  # it touches zero
        ((exp(x) - 2) ** 2 * (exp(x) - 2.001) ** 2, 0, [math.log(2), math.log(2.001)]),
        (1 / (exp(x) - 2) ** 2, 0, [math.log(2)]),  # a pole
        (log(x) * x, 1, [1.7632228343518968]),
    ],
)
def test_zeros_and_poles_are_found(expression: Expr, critical: complex, expected: list[float]) -> None:
    found = places(expression, critical)
    assert len(found) < len(expected) + 2  # between two near zeros there may be a third place, which does no harm
    for place in expected:
        assert any(one == pytest.approx(place, rel=1e-4) for one in found)


@pytest.mark.parametrize(("function", "first"), [(cos, math.pi / 2), (sin, math.pi), (tan, math.pi / 2)])
def test_of_places_without_end_the_nearest_to_1_are_found(function: Function, first: float) -> None:
    found = places(function(x), 0)
    assert found[0] == pytest.approx(first, rel=1e-4)
    assert len(found) < 10


@pytest.mark.parametrize(("expression", "critical"), [(exp(x), 1j), (exp(-x) + 1, 0), (x * y + y, 0)])
def test_an_expression_that_meets_no_critical_value_has_no_places(expression: Expr, critical: complex) -> None:
    assert places(expression, critical) == []


def test_it_says_whether_there_are_more_places() -> None:
    point = Stream(b"key").point(0)
    found = [critical_places(one, x, Definitions(), point, (0,))[1] for one in (log(x), sin(x), 2 + sin(50 * x))]
    assert found == [True, False, False]


def test_names_have_their_definitions() -> None:
    assert places(y, 0, definitions={y: z, z: log(x) - 1}) == pytest.approx([math.e], rel=1e-4)


def test_a_name_that_rests_on_itself_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        places(x * y, 0, definitions={y: z + 1, z: y - 1})


def test_what_has_no_values_on_arrays_is_refused() -> None:
    with pytest.raises(UnsupportedError):
        places(x + Function("f")(x), 0)


def test_one_value_lies_in_every_interval() -> None:
    ends = [0.5, 2.0, 300.0]
    values = between(ends[::-1])
    assert [sum(value > end for end in ends) for value in values] == [0, 1, 2, 3]
    assert between([]) == []
