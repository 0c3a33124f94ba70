"""Points of the solution set of a premise that defines nothing, such as `x^2 = 4`."""

from collections.abc import Sequence
from typing import Any

from mpmath import mp
from sympy import Equality, Symbol

from tests.validity_corpus.model import Model, UndecidableError
from tests.validity_corpus.series import Series, SingularError, constant, padded

STEPS = 60
"""Newton steps from one start."""


def solve_condition(model: Model, conditions: Sequence[Equality]) -> None:
    """Gives a plain name of the condition a value, in the model, for which the condition holds.

    The value is a series in the other names. Newton's method starts at the name's random value; another model, with
    other random values, may so find another solution.

    Raises:
        UndecidableError: there are several conditions, or no solution was found.
    """
    if len(conditions) > 1:
        raise UndecidableError("several premises define nothing")
    (condition,) = conditions
    names = sorted((name for name in condition.free_symbols if name not in model.values), key=str)
    for name in names:
        start = model.base(name) * mp.mpf(3) ** (2 * model.random(f"start {name}")[0] - 1)
        value = _solution(model, condition, name, -start if int(model.random("side")[0] * 2) else start)
        if value is not None:
            model.values = {**model.values, name: value}
            model.forget()
            return
    raise UndecidableError("no solution of a premise was found")


def _solution(model: Model, condition: Equality, name: Symbol, start: Any) -> Series | None:
    before = dict(model.values)
    value = constant(len(model.axes), model.degree, start)
    step_size = mp.mpf(10) ** (-mp.dps * 2 // 5)
    step = constant(value.axes, value.degree, step_size)

    def difference(value: Series) -> Series:
        model.values = {**before, name: value}
        model.forget()
        left, right = map(model.evaluate, condition.args)
        return left - right

    try:
        for _ in range(STEPS):
            now = difference(value)
            if now.norm() < mp.mpf(10) ** (-mp.dps * 4 // 5):
                return value
            slope = (difference(value + step) - now).scaled(1 / step_size)
            value = value - padded(now * slope.reciprocal(), value.degree)
    except (UndecidableError, SingularError):
        pass
    finally:
        model.values = before
        model.forget()
    return None
